"""What keeps a model from forgetting: class images, its own answers, and answers kept from before a full fine-tune."""

from __future__ import annotations

import atexit
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from shutil import copyfile, rmtree
from tempfile import mkdtemp
from typing import Any

import pytest
import torch

from modules.check.plan.start import Decided
from modules.data.batches import ANSWER, LIVE, ORDINARY, BatchLoader
from modules.data.cache.store import Cache
from modules.data.order import Example, epoch_order
from modules.messages import Event, Mailbox, Note, RunTool, Stage, Stop
from modules.methods import attach
from modules.preset.preset import Preset
from modules.system.bundled import resolve
from modules.trainer.class_images import folder_of, prompt_of, with_class_images
from modules.trainer.control import Control
from modules.trainer.preparation import open_family, scan_images
from modules.trainer.sampling.sampler import Sampler
from modules.trainer.step.denoising_task import DenoisingTask
from modules.trainer.step.encoders import FamilyEncoders
from modules.trainer.step.item_loss import LossComputer
from modules.trainer.step.prior_preservation import TeacherCache, needs_teacher_cache
from tests.test_run import do
from tests.trainer.runs import assert_equal, end_of, run, trained, values
from tests.trainer.runs import folder_of as run_folder

KNOWN = ("cat", "dog-face", "fox", "duck")  # of what the little model draws
FULL = ("method.kind=full", "training.learning_rate=1e-4")


def settings(*more: str, kind: str = "prior") -> tuple[str, ...]:
    concepts = [{"path": "starter:robot"}, {"path": str(few()), "kind": kind}]
    return (f"concepts={json.dumps(concepts)}", *more)


@cache
def few() -> Path:
    """A folder with few of the little model's own drawings."""
    folder = Path(mkdtemp(prefix="prior-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    for name in KNOWN:
        for ending in (".png", ".txt"):
            copyfile(resolve("starter:prior") / f"{name}{ending}", folder / f"{name}{ending}")
    return folder


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Small]]:
    made: list[Small] = []

    def build(*more: str) -> Small:
        made.append(Small(tmp_path, *more))
        return made[-1]

    yield build
    for each in made:
        each.cache.close()


def notes(events: list[Event]) -> str:
    return "\n".join(event.text for event in events if isinstance(event, Note))


class Small:
    """A feed and a judge, as a run would have them, for tests of what one batch gives."""

    def __init__(self, folder: Path, *more: str) -> None:
        from modules.preset.files.absolute_paths import with_absolute_paths

        self.preset = with_absolute_paths(Preset.model_validate(values(folder, *more)))
        self.family = open_family(self.preset, lambda _: None)
        index = scan_images(self.preset, lambda _: None, Control(Mailbox()))
        self.cache = Cache(Path(self.preset.general.cache))
        texts = not self.preset.trains_text
        self.loader = BatchLoader(
            index, self.preset, FamilyEncoders(self.family), self.cache, cache_latents=True, cache_text=texts
        )
        self.loader.fill(lambda *_: None, lambda: False)
        self.rows = {
            kind: next(i for i in range(len(index)) if index.concepts[index.concept_numbers[i]].kind == kind)
            for kind in {concept.kind for concept in index.concepts}
        }

    def loss_computer(self, kept: TeacherCache | None = None) -> LossComputer:
        return LossComputer(self.preset, self.family, attach(self.family, self.preset), kept)

    def kept(self) -> TeacherCache:
        kept = TeacherCache(DenoisingTask(self.preset, self.family), self.cache)
        kept.fill(self.loader, lambda *_: None, lambda: False)
        return kept


def losses(loss_computer: LossComputer, batch: Any) -> torch.Tensor:
    return loss_computer.losses(batch, list(range(len(batch.items))), torch.tensor([0.3, 0.6][: len(batch.items)]))


def test_a_model_that_has_not_changed_is_right_about_its_own_images(make: Callable[..., Small]) -> None:
    small = make(*settings())
    batch = small.loader.batch([Example(small.rows["train"], 0), Example(small.rows["prior"], 0)], 0)
    assert batch.answers == (ORDINARY, LIVE)
    loss_computer = small.loss_computer()
    before = losses(loss_computer, batch).detach()
    assert before[0] > 0.01 and before[1] < 1e-10
    for name, parameter in loss_computer.method.parameters().items():
        if name.endswith("up"):
            torch.nn.init.normal_(parameter, std=0.1)
    after = losses(loss_computer, batch)
    assert after[1] > 1e-4
    after[1].backward()
    assert any(p.grad is not None and bool(p.grad.any()) for p in loss_computer.method.parameters().values())


@pytest.mark.parametrize("more", [("training.text_encoder_1.train=true",), ('words=[{"token": "<new>"}]',)])
def test_the_text_too_is_read_as_it_was_before_training(more: tuple[str, ...], make: Callable[..., Small]) -> None:
    small = make(*settings(*more))
    batch = small.loader.batch([Example(small.rows["train"], 0), Example(small.rows["prior"], 0)], 0)
    loss_computer = small.loss_computer()
    plain = loss_computer.noisy_batch(batch, [0, 1], torch.tensor([0.3, 0.6]))
    truth = loss_computer.predict(plain).detach()[1]
    for name, parameter in loss_computer.method.parameters().items():
        if "text_encoder" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    from modules.trainer.step.prior_preservation import prior_target

    noisy_batch = loss_computer.noisy_batch(batch, [0, 1], torch.tensor([0.3, 0.6]))
    torch.testing.assert_close(
        prior_target(loss_computer, loss_computer.method, None, batch, noisy_batch)[1], truth, rtol=1e-4, atol=1e-5
    )
    if not small.preset.words:  # no caption here holds the word
        assert not torch.allclose(loss_computer.predict(noisy_batch)[1], truth, atol=1e-3)


def test_answers_are_those_of_the_model_before_a_full_fine_tune_changes_it(make: Callable[..., Small]) -> None:
    small = make(*settings(*FULL, "prior.answers=3"))
    assert needs_teacher_cache(small.preset)
    kept = small.kept()
    loss_computer = small.loss_computer(kept)
    seen = set()
    for turn in range(12):
        batch = small.loader.batch([Example(small.rows["train"], turn), Example(small.rows["prior"], turn)], 0)
        assert batch.answers[0] == ORDINARY
        seen.add(batch.answers[1])
        found = losses(loss_computer, batch).detach()
        assert found[0] > 0.01 and found[1] < 1e-10
    assert seen == {0, 1, 2}
    with torch.no_grad():
        for parameter in loss_computer.method.parameters().values():
            parameter.add_(0.02 * torch.randn_like(parameter))
    assert losses(loss_computer, batch)[1] > 1e-5


def test_kept_answers_are_asked_once_and_found_again(make: Callable[..., Small]) -> None:
    small = make(*settings(*FULL, "prior.answers=2"))
    first = small.kept()
    item = small.loader.index[small.rows["prior"]]
    said = first.prediction(item, 1)
    small.family.predict = None  # type: ignore[assignment]
    again = small.kept()
    assert again.prediction(item, 1).equal(said) and not again.prediction(item, 0).equal(said)


def test_a_kept_showing_is_always_the_same_picture_and_caption(make: Callable[..., Small]) -> None:
    flips = json.loads(settings()[0].partition("=")[2])
    flips[1] |= {"flip": True, "caption_dropout": 0.5}
    small = make(f"concepts={json.dumps(flips)}", *FULL, "prior.answers=2")
    kept = {n: small.loader.batch([Example(small.rows["prior"], n)], ANSWER) for n in (0, 1)}
    for epoch in range(6):
        shown = small.loader.batch([Example(small.rows["prior"], 0)], epoch)
        same = kept[shown.answers[0]]
        assert shown.captions == same.captions and torch.equal(shown.latents_BChw, same.latents_BChw)


@pytest.mark.parametrize("kind", ["class", "prior"])
def test_keeping_images_count_by_the_weight_of_the_prior(kind: str, make: Callable[..., Small]) -> None:
    small = make(*settings("prior.weight=0.25", kind=kind))
    batch = small.loader.batch([Example(small.rows["train"], 0), Example(small.rows[kind], 0)], 0)
    assert batch.loss_weights_B.tolist() == [1, 0.25]


@pytest.mark.parametrize(("balance", "shown"), [(True, 16), (False, 4)])
def test_class_and_prior_images_are_shown_as_often_as_the_others(
    balance: bool, shown: int, make: Callable[..., Small]
) -> None:
    small = make(*settings(f"prior.balance={str(balance).lower()}"))
    order = epoch_order(small.loader.index, 2, 42, 0)
    kinds = small.loader.index.concept_numbers[order.rows.ravel()]
    assert (kinds == 1).sum() == shown and (kinds == 0).sum() == 16


@pytest.mark.parametrize("more", [(), FULL], ids=["lora", "full"])
def test_a_prior_changes_what_is_learnt_and_is_told(more: tuple[str, ...], tmp_path: Path) -> None:
    plain = run(values(tmp_path / "plain", *settings(*more, "training.steps=3", kind="class")))
    events = run(values(tmp_path / "prior", *settings(*more, "training.steps=3", "prior.answers=2")))
    assert end_of(events).step == 3
    assert "4 class images are trained on too, with weight 1" in notes(plain)
    assert "4 images are trained towards the base model's own predictions, with weight 1" in notes(events)
    one, other = trained(run_folder(plain)), trained(run_folder(events))
    assert any(not torch.equal(one[name], other[name]) for name in one)


# Class images ---------------------------------------------------------------------------------------------------------

MADE = ("prior.made.count=3", "prior.made.prompts=cat face\ndog face", "prior.made.steps=2", "training.steps=2")


def test_class_images_are_drawn_once_and_trained(tmp_path: Path) -> None:
    first = run(values(tmp_path, *MADE))
    (folder,) = (tmp_path / "cache" / "class images").iterdir()
    texts = {path.name: path.read_text(encoding="utf-8").strip() for path in folder.glob("*.txt")}
    assert texts == {"000000.txt": "cat face", "000001.txt": "dog face", "000002.txt": "cat face"}
    assert any(isinstance(event, Stage) and event.code == "stage.class-images" for event in first)
    assert "3 class images are trained on too" in notes(first)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    second = run(values(tmp_path, *MADE))
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert_equal(trained(run_folder(first)), trained(run_folder(second)))
    # The copy of the preset asks for them, and does not name where they lie on this machine.
    assert "class images" not in (run_folder(first) / "preset.json").read_text(encoding="utf-8")


def test_class_images_are_drawn_with_the_model_held_as_it_will_be_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[str] = []
    draw = Sampler.draw

    def drawn(self: Sampler, *args: Any, **more: Any) -> Any:
        held.append(self.family.options.holding.kind)
        return draw(self, *args, **more)

    monkeypatch.setattr(Sampler, "draw", drawn)
    monkeypatch.setattr("modules.run.decide", lambda *_: Decided({"model.quantization": "int8"}))
    first = run(values(tmp_path, *MADE))
    assert held == ["int8"] and "3 class images are trained on too" in notes(first)
    monkeypatch.setattr("modules.run.decide", lambda *_: Decided({}))
    run(values(tmp_path, *MADE))
    assert held == ["int8"], "another plan draws no others"


def test_other_settings_draw_other_images_and_more_of_them_keep_the_first(tmp_path: Path) -> None:
    known: set[Path] = set()

    def made(*more: str) -> Path:
        do(RunTool("cache", {"preset": values(tmp_path, *MADE, *more)}))
        [new] = set((tmp_path / "cache" / "class images").iterdir()) - known
        known.add(new)
        return new

    first = made()
    more = made("prior.made.count=5")
    assert len(list(more.glob("*.png"))) == 5
    for path in first.glob("*.png"):
        assert (more / path.name).read_bytes() == path.read_bytes()
    other = made("prior.made.seed=1")
    assert (other / "000000.png").read_bytes() != (first / "000000.png").read_bytes()


def test_what_is_drawn_when_the_user_stops_is_kept(tmp_path: Path) -> None:
    seen: list[Stage] = []

    def answer(event: Event) -> Stop | None:
        if isinstance(event, Stage) and event.code == "stage.class-images":
            seen.append(event)
            if event.done > 2 * 16:
                return Stop(now=True) if "now" in Stop.__dataclass_fields__ else Stop()
        return None

    preset = values(tmp_path, *MADE, "prior.made.count=20")
    assert end_of(run(preset, answer=answer)).stopped
    (folder,) = (tmp_path / "cache" / "class images").iterdir()
    assert len(list(folder.glob("*.txt"))) == 16
    family = open_family(Preset.model_validate(preset), lambda _: None)
    told: list[Event] = []
    whole = Preset.model_validate(preset).model_copy(
        update={"general": Preset.model_validate(preset).general.model_copy(update={"cache": str(tmp_path / "cache")})}
    )
    assert folder_of(whole, family) == folder
    extended = with_class_images(whole, family, told.append, Control(Mailbox()))
    assert "4 class images were generated" in notes(told)
    assert extended.concepts[-1].kind == "class" and extended.concepts[-1].path == str(folder)
    assert with_class_images(extended, family, told.append, Control(Mailbox())).concepts == extended.concepts


def test_each_class_image_has_noise_of_its_own() -> None:
    made = Preset.model_validate({"prior": {"made": {"count": 4, "prompts": "a dog"}}}).prior.made
    assert len({prompt_of(made, number, 64).seed for number in range(4)}) == 4
