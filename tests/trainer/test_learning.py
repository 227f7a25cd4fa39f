"""What a step learns: from whom, from how many at once, and from nothing else."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from modules.data.batches import BatchLoader
from modules.data.cache.store import Cache
from modules.data.order import epoch_order
from modules.messages import Mailbox
from modules.methods import attach
from modules.preset.files.absolute_paths import with_absolute_paths
from modules.preset.validate import preset_of
from modules.trainer.control import Control
from modules.trainer.preparation import open_family, scan_images
from modules.trainer.step.encoders import FamilyEncoders
from modules.trainer.step.learner import Learner
from tests.trainer.runs import folder_of, run, trained, values


def quiet(_event: object) -> None: ...


@pytest.fixture
def learner_of(tmp_path) -> Iterator[Callable[..., tuple[Learner, BatchLoader]]]:
    """Makes learners with "path=value" settings; all share one cache."""
    with Cache(tmp_path / "cache") as cache:
        yield lambda *settings: made(tmp_path, cache, *settings)


def made(workspace: Path, cache: Cache, *settings: str) -> tuple[Learner, BatchLoader]:
    preset = with_absolute_paths(preset_of(values(workspace, *settings)))
    family = open_family(preset, quiet)
    loader = BatchLoader(
        scan_images(preset, quiet, Control(Mailbox())), preset, FamilyEncoders(family), cache, cache_latents=True,
        cache_text=not preset.trains_text,
    )  # fmt: skip
    loader.fill(lambda *_: None, lambda: False)
    return Learner(preset, family, attach(family, preset), steps=10), loader


@pytest.mark.parametrize("method", ["lora", "full"])
def test_four_at_once_and_four_one_by_one_give_the_same_weights(method, tmp_path) -> None:
    # A large epsilon makes the updates proportional to the gradients. With the usual one, a gradient that is nothing
    # but rounding error moves a weight as far as any other.
    settings = (f"method.kind={method}", "training.steps=3", "concepts.0.random_crop=true", "optimizer.eps=1")
    settings += ("training.learning_rate=0.4", "training.clip_gradients=0", "schedule.warmup=0 steps")
    stop_now = run(values(tmp_path / "a", *settings, "training.batch_size=4"))
    one_by_one = run(values(tmp_path / "b", *settings, "training.batch_size=1", "training.accumulation=4"))
    one, other = trained(folder_of(stop_now)), trained(folder_of(one_by_one))
    for name in one:
        torch.testing.assert_close(
            one[name], other[name], rtol=1e-4, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_training_changes_only_what_the_method_trains(learner_of) -> None:
    learner, loader = learner_of("method.kind=full", "method.layers=mid")
    parts = {name: learner.family.component(name) for name in learner.family.component_names}
    before = {f"{component}|{n}": p.detach().clone() for component, m in parts.items() for n, p in m.named_parameters()}
    order = epoch_order(loader.index, 2, 1, 0)
    for number in range(2):
        learner.learn([loader.batch(order[number], 0)])
        learner.clock.tick(100)
    mine = learner.method.parameters()
    assert 0 < len(mine) < len(before)
    for name, value in before.items():
        component, _, path = name.partition("|")
        now = parts[component].get_parameter(path)
        assert torch.equal(value, now) == (name not in mine), name
        assert now.requires_grad == (name in mine), name


def test_frozen_parts_hold_no_gradient(learner_of) -> None:
    learner, loader = learner_of()
    batch = loader.batch(epoch_order(loader.index, 2, 1, 0)[0], 0)
    learner.losses(batch, 0, len(batch.items)).sum().backward()
    assert all(p.grad is not None for p in learner.method.parameters().values())
    frozen = [p for name in learner.family.component_names for p in learner.family.component(name).parameters()]
    assert all(p.grad is None for p in frozen if id(p) not in {id(q) for q in learner.method.parameters().values()})


def test_an_item_costs_the_same_in_any_company(learner_of) -> None:
    learner, loader = learner_of("method.dropout=0.5", "training.text_encoder_1.train=true")
    examples = epoch_order(loader.index, 4, 1, 0)[0]
    together = learner.losses(loader.batch(examples, 0), 0, len(examples))
    alone = torch.cat(
        [learner.losses(loader.batch([showing], 0), i, len(examples)) for i, showing in enumerate(examples)]
    )
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_the_loss_weight_of_a_concept_scales_its_loss(learner_of) -> None:
    learner, loader = learner_of()
    heavy, other = learner_of("concepts.0.loss_weight=3")
    order = epoch_order(loader.index, 2, 1, 0)
    torch.testing.assert_close(
        heavy.losses(other.batch(order[0], 0), 0, 2), 3 * learner.losses(loader.batch(order[0], 0), 0, 2)
    )


def test_a_part_with_a_rate_of_its_own_gets_it_and_a_stopped_one_gets_none(learner_of) -> None:
    learner, _ = learner_of(
        "training.text_encoder_1.train=true", "training.text_encoder_1.learning_rate=1e-5",
        "training.text_encoder_1.stop_after=4 steps", "schedule.warmup=0 steps",
    )  # fmt: skip
    assert learner.rates() == {"denoiser": 1e-3, "text_encoder_1": 1e-5}
    learner.clock.step = 4
    assert learner.rates() == {"denoiser": 1e-3, "text_encoder_1": 0.0}
