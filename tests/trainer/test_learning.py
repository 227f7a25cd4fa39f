"""What a step learns: from whom, from how many at once, and from nothing else."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from modules.data.batches import Feed
from modules.data.cache import Cache
from modules.data.order import epoch_order
from modules.messages import Mailbox
from modules.methods import attach
from modules.preset.problems import preset_of
from modules.trainer.control import Control
from modules.trainer.encoders import FamilyEncoders
from modules.trainer.learner import Learner
from modules.trainer.preparation import open_family, scan_images
from modules.trainer.workspace import anchored
from tests.trainer.runs import folder_of, run, trained, values


def quiet(_event: object) -> None: ...


@pytest.fixture
def learner_of(tmp_path) -> Iterator[Callable[..., tuple[Learner, Feed]]]:
    """Makes learners with "path=value" settings; all share one cache."""
    with Cache(tmp_path / "cache") as cache:
        yield lambda *settings: made(tmp_path, cache, *settings)


def made(workspace: Path, cache: Cache, *settings: str) -> tuple[Learner, Feed]:
    preset = anchored(preset_of(values(workspace, *settings)))
    family = open_family(preset, quiet)
    feed = Feed(
        scan_images(preset, quiet, Control(Mailbox())), preset, FamilyEncoders(family), cache, cache_latents=True,
        cache_text=not preset.trains_text,
    )  # fmt: skip
    feed.fill(lambda *_: None, lambda: False)
    return Learner(preset, family, attach(family, preset), steps=10), feed


@pytest.mark.parametrize("method", ["lora", "full"])
def test_four_at_once_and_four_one_by_one_give_the_same_weights(method, tmp_path) -> None:
    # A large epsilon makes the updates proportional to the gradients. With the usual one, a gradient that is nothing
    # but rounding error moves a weight as far as any other.
    settings = (f"method.kind={method}", "training.steps=3", "concepts.0.random_crop=true", "optimizer.eps=1")
    settings += ("training.learning_rate=0.4", "training.clip_gradients=0", "schedule.warmup=0 steps")
    at_once = run(values(tmp_path / "a", *settings, "training.batch_size=4"))
    one_by_one = run(values(tmp_path / "b", *settings, "training.batch_size=1", "training.accumulation=4"))
    one, other = trained(folder_of(at_once)), trained(folder_of(one_by_one))
    for name in one:
        torch.testing.assert_close(
            one[name], other[name], rtol=1e-4, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_training_changes_only_what_the_method_trains(learner_of) -> None:
    learner, feed = learner_of("method.kind=full", "method.layers=mid")
    parts = {name: learner.family.part(name) for name in learner.family.part_names}
    before = {f"{part}|{n}": p.detach().clone() for part, m in parts.items() for n, p in m.named_parameters()}
    order = epoch_order(feed.index, 2, 1, 0)
    for number in range(2):
        learner.learn([feed.batch(order[number], 0)])
        learner.clock.tick(100)
    mine = learner.method.parameters()
    assert 0 < len(mine) < len(before)
    for name, value in before.items():
        part, _, path = name.partition("|")
        now = parts[part].get_parameter(path)
        assert torch.equal(value, now) == (name not in mine), name
        assert now.requires_grad == (name in mine), name


def test_frozen_parts_hold_no_gradient(learner_of) -> None:
    learner, feed = learner_of()
    batch = feed.batch(epoch_order(feed.index, 2, 1, 0)[0], 0)
    learner.losses(batch, 0, len(batch.items)).sum().backward()
    assert all(p.grad is not None for p in learner.method.parameters().values())
    frozen = [p for name in learner.family.part_names for p in learner.family.part(name).parameters()]
    assert all(p.grad is None for p in frozen if id(p) not in {id(q) for q in learner.method.parameters().values()})


def test_an_item_costs_the_same_in_any_company(learner_of) -> None:
    learner, feed = learner_of("method.dropout=0.5", "training.text_encoder_1.train=true")
    showings = epoch_order(feed.index, 4, 1, 0)[0]
    together = learner.losses(feed.batch(showings, 0), 0, len(showings))
    alone = torch.cat(
        [learner.losses(feed.batch([showing], 0), i, len(showings)) for i, showing in enumerate(showings)]
    )
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_the_loss_weight_of_a_concept_scales_its_loss(learner_of) -> None:
    learner, feed = learner_of()
    heavy, other = learner_of("concepts.0.loss_weight=3")
    order = epoch_order(feed.index, 2, 1, 0)
    torch.testing.assert_close(
        heavy.losses(other.batch(order[0], 0), 0, 2), 3 * learner.losses(feed.batch(order[0], 0), 0, 2)
    )


def test_a_part_with_a_rate_of_its_own_gets_it_and_a_stopped_one_gets_none(learner_of) -> None:
    learner, _ = learner_of(
        "training.text_encoder_1.train=true", "training.text_encoder_1.learning_rate=1e-5",
        "training.text_encoder_1.stop_after=4 steps", "schedule.warmup=0 steps",
    )  # fmt: skip
    assert learner.rates() == {"denoiser": 1e-3, "text_encoder_1": 1e-5}
    learner.clock.step = 4
    assert learner.rates() == {"denoiser": 1e-3, "text_encoder_1": 0.0}
