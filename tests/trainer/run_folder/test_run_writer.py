"""What a run writes leaves training as it was, and covers nothing that is there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from modules.data.batches import BatchLoader
from modules.data.cache.store import Cache
from modules.messages import BackupSaved, Change, Event, Finished, Mailbox, ModelSaved, Note, SampleReady, Stage
from modules.methods import attach
from modules.preset.files.absolute_paths import with_absolute_paths
from modules.preset.files.store import write_project
from modules.preset.validate import preset_of
from modules.run_folders import recorded_preset
from modules.trainer.control import Control
from modules.trainer.preparation import open_family, scan_images
from modules.trainer.run_folder.model_paths import ModelPaths
from modules.trainer.run_folder.records import Records
from modules.trainer.run_folder.run_writer import RunWriter
from modules.trainer.sampling.sampler import Sampler
from modules.trainer.step.encoders import FamilyEncoders
from modules.trainer.step.learner import Learner
from tests.trainer.runs import values

PROMPTS = 'sampling.prompts=[{"prompt": "blip robot", "steps": 1}, {"prompt": "off", "steps": 1, "enabled": false}]'


class Kept:
    """A keeper with all that it keeps, and what it told."""

    def __init__(self, folder: Path, *settings: str) -> None:
        preset = with_absolute_paths(preset_of(values(folder, PROMPTS, *settings)))
        self.family = open_family(preset, lambda _: None)
        self.control = Control(Mailbox())
        index = scan_images(preset, lambda _: None, self.control)
        with Cache(folder / "cache") as cache:
            loader = BatchLoader(index, preset, FamilyEncoders(self.family), cache, cache_latents=True, cache_text=True)
        self.method = attach(self.family, preset)
        self.learner = Learner(preset, self.family, self.method, steps=9)
        outputs = ModelPaths(preset)
        outputs.use(folder / "run")
        outputs.folder.mkdir()
        outputs.describe(self.family, loader.index, 9, 3)
        self.mailbox: Mailbox[Event] = Mailbox()
        self.records = Records(outputs.folder, self.mailbox, tensorboard=False)
        sampler = Sampler(self.family, 64, cache_texts=True)
        self.writer = RunWriter(self.learner, sampler, outputs, self.records, self.control, resident={"denoiser"})

    def told(self) -> list[Event]:
        """Without what a first prompt says of the encoders that it loads."""
        return [event for event in self.mailbox.drain() if not isinstance(event, Stage) and not _reads_prompts(event)]


def _reads_prompts(event: Event) -> bool:
    return isinstance(event, Note) and [each.code for each in event.problems] == ["samples.reads-prompts"]


@pytest.fixture
def kept(tmp_path: Path):
    made: list[Kept] = []

    def make(*settings: str) -> Kept:
        made.append(Kept(tmp_path, *settings))
        return made[-1]

    yield make
    for each in made:
        each.records.__exit__(None, None, None)


def test_drawing_and_saving_leave_weights_modes_and_gradients_alone(kept) -> None:
    run = kept("method.dropout=0.5", "training.ema=true", "training.ema_decay=0.5")
    run.family.denoiser.train()
    for parameter in run.method.parameters().values():
        parameter.data += 0.1
    before = {name: parameter.detach().clone() for name, parameter in run.method.parameters().items()}
    chance = torch.get_rng_state()
    run.writer.sample()
    run.writer.save(final=False)
    run.writer.back_up()
    assert all(torch.equal(before[name], p) and p.requires_grad for name, p in run.method.parameters().items())
    assert run.family.denoiser.training
    assert torch.equal(chance, torch.get_rng_state())
    assert [type(event) for event in run.told()] == [SampleReady, ModelSaved, BackupSaved]


def test_a_sample_at_a_strength_is_one_of_the_moment_and_changes_nothing(kept) -> None:
    run = kept()
    for parameter in run.method.parameters().values():
        parameter.data += 0.5
    for strength in (1.0, 0.5, 0.0, 1.0):
        run.writer.sample({"prompt": "a cat", "steps": 1, "seed": 1}, strength)
    paths = [Path(event.path) for event in run.told() if isinstance(event, SampleReady)]
    whole, half, none, again = (Image.open(path).tobytes() for path in paths)
    assert whole == again and len({whole, half, none}) == 3
    assert "a cat 0.5" in paths[1].name and "0.5" not in paths[0].name


def test_the_average_is_drawn_unless_the_live_weights_are_wanted(kept) -> None:
    run = kept("training.ema=true", "training.ema_decay=0.99")
    for parameter in run.method.parameters().values():
        parameter.data += 0.5
    run.writer.sample()
    sampling = run.learner.preset.sampling.model_copy(update={"weights": "live"})
    run.learner.preset = run.learner.preset.model_copy(update={"sampling": sampling})
    run.writer.sample()
    pictures: list[bytes] = []
    for event in run.told():
        assert isinstance(event, SampleReady)
        with Image.open(event.path) as image:
            pictures.append(image.tobytes())
    assert len(set(pictures)) == 2


def test_a_change_during_the_run_is_what_a_continued_run_begins_with(kept) -> None:
    run = kept()
    write_project(run.learner.preset, run.writer.folder / "preset.json")
    run.writer.change(Change("sampling.every", "7 steps"))
    run.writer.change(Change("training.steps", 9))  # not live: refused, and not recorded
    recorded = recorded_preset(run.writer.folder)
    assert recorded is not None
    assert recorded == run.learner.preset
    assert (str(recorded.sampling.every), recorded.training.steps) == ("7 steps", run.learner.preset.training.steps)
    assert [type(event) for event in run.told()] == [Note, Note]


def test_parts_that_training_does_not_need_are_let_go_after_drawing(kept) -> None:
    run = kept()
    run.writer.sample()
    vae, denoiser = run.family.component("vae"), run.family.component("denoiser")
    run.writer.sample()
    assert run.family.component("denoiser") is denoiser
    assert run.family.component("vae") is not vae


def test_nothing_of_an_earlier_moment_is_covered(kept) -> None:
    run = kept()
    for _ in range(2):
        run.writer.sample()
        run.writer.save(final=False)
    told = run.told()
    paths = [event.path for event in told if isinstance(event, SampleReady | ModelSaved)]
    assert len(set(paths)) == 4
    assert all(Path(path).is_file() for path in paths)
    assert {event.number for event in told if isinstance(event, SampleReady)} == {1}  # the second one is switched off


def test_the_end_backs_up_first_then_draws_and_saves(kept) -> None:
    run = kept("sampling.last=true")
    run.writer.finish(stopped=False)
    told = run.told()
    assert [type(event) for event in told] == [BackupSaved, SampleReady, ModelSaved, Finished]
    assert isinstance(told[-1], Finished)
    assert Path(told[-1].path).is_file()


def test_a_stopped_run_only_backs_up(kept) -> None:
    run = kept("sampling.last=true", "backup.at_end=false")
    run.writer.finish(stopped=True)
    assert [type(event) for event in run.told()] == [BackupSaved, Finished]


def test_without_prompts_nothing_is_drawn_and_nothing_said(kept) -> None:
    run = kept("sampling.prompts=[]")
    run.writer.sample()
    assert not run.told()
    run.writer.sample({"prompt": "x", "steps": 0})
    (note,) = run.told()
    assert isinstance(note, Note)
    assert "steps: 0 is out of range" in note.text
