"""What a run writes: samples, backups, models. Training is never changed by it, whatever is written and how often."""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from modules.errors import UserError
from modules.messages import BackupSaved, Change, Finished, ModelSaved, SampleReady, Severity, Stage, note
from modules.preset.files.store import write_project
from modules.preset.rules.live_changes import prompt_of, with_live_change
from modules.preset.sections.sampling import Prompt
from modules.sentences.problem import Problem, as_it_is, problem
from modules.system.devices import is_out_of_memory
from modules.trainer.backup import newest_backup, prune, size_of, step_of, write_backup
from modules.trainer.control import Control, Interrupted
from modules.trainer.run_folder.disk_retry import DiskRetry, GaveUp
from modules.trainer.run_folder.model_paths import ModelPaths
from modules.trainer.run_folder.records import Records
from modules.trainer.run_folder.throughput import SpeedRecorder
from modules.trainer.sampling.image_files import OVERVIEW, file_name, overview_name, save_overview, save_sample
from modules.trainer.sampling.sampler import Sample, Sampler
from modules.trainer.step.learner import Learner

T = TypeVar("T")
MAX_FAILURES_LOGGED = 3  # rounds of samples in a row
LIVE = " (live weights)"  # behind the words of a picture that stands beside one of the moving average


class RunWriter:
    """Writes into the folder of the run, on behalf of a learner."""

    def __init__(
        self,
        learner: Learner,
        sampler: Sampler,
        outputs: ModelPaths,
        records: Records,
        control: Control,
        resident: set[str],
    ) -> None:
        """`held`: parts that training needs; the others are read for samples and let go again."""
        self.learner, self.sampler, self.outputs = learner, sampler, outputs
        self.records, self.control, self.resident = records, control, resident
        self.folder = outputs.folder
        self.disk_retry = DiskRetry(control, records.tell, lambda: learner.clock.step)
        self._sampled_at = self.resumed_at = -1
        self._images = set[Path]()  # that this process wrote: one of an earlier process may be drawn over
        self._failures = 0  # rounds of samples in a row
        self._undrawn = Counter[str]()  # how often each prompt could not be drawn
        self.stopwatch = SpeedRecorder(learner.preset, learner.family.weight_count("denoiser"))

    def note(self, *problems: Problem, level: Severity = "info") -> None:
        self.records.tell(note(*problems, level=level))

    def sample(self, wanted: dict[str, Any] | None = None, strength: float = 1.0) -> None:
        """Draw the preset's prompts, or one of the moment. Whatever goes wrong is told, and training goes on.

        `strength`: how much of an adapter is on the model meanwhile.
        """
        prompts = self._requested_prompts(wanted)
        if not prompts:
            return
        try:
            with self.learner.method.at_strength(strength):
                beside = "" if strength == 1 else f" ({strength:g})"
                self._draw(prompts, of_the_moment=wanted is not None or strength != 1, beside=beside)
        except Interrupted:
            raise
        except GaveUp as gave_up:  # the run is to stop: its backup comes next
            self.note(gave_up.problem, level="warning")
        except Exception as error:  # noqa: BLE001 - pictures are to look at: nothing in them may cost a run its hours
            self._report_failure(error)
        else:
            self._failures = 0

    def _report_failure(self, error: Exception) -> None:
        """Say why there is no sample; after three times in a row only that it fails for good."""
        self._failures += 1
        if self._failures > MAX_FAILURES_LOGGED:
            return
        code = "samples.none:last" if self._failures == MAX_FAILURES_LOGGED else "samples.none"
        self.note(problem(code, step=self.learner.clock.step, why=reasons_of(error)), level="error")

    def _requested_prompts(self, wanted: dict[str, Any] | None) -> list[Prompt]:
        if wanted is None:
            return [prompt for prompt in self.learner.preset.sampling.prompts if prompt.enabled]
        try:
            return [prompt_of(wanted, self.learner.preset.model.family)]
        except UserError as error:
            self.note(*error.report, level="error")
            return []

    def _read_new(self, prompts: Sequence[Prompt]) -> None:
        """Have new prompts read by encoders that are not in memory, and let go of those before anything is drawn."""
        family = self.learner.family
        absent = set(family.text_encoders) - self.resident
        if absent and self.sampler.needs_encoders(prompts):
            self.records.tell(Stage("stage.reading-prompts"))
            self.note(problem("samples.reads-prompts", count=len(absent)))
            self.sampler.read(prompts)
            family.unload(*absent)

    def _draw(self, prompts: Sequence[Prompt], *, of_the_moment: bool, beside: str = "") -> None:
        """`beside`: what the names of the images say besides their prompts."""
        preset = self.learner.preset
        self._read_new(prompts)
        step, done = self.learner.clock.step, 0
        which = self._weight_sets()
        expected = len(which) * sum(prompt.steps for prompt in prompts)

        def step_done(images: int) -> None:
            nonlocal done
            done = min(done + images, expected)
            self.control.check()
            self.records.tell(Stage("stage.samples", done, expected))

        began, drawn = time.monotonic(), list[Sample]()
        for place, live in enumerate(which):
            named = LIVE if place else beside
            with self.inference_weights(live=live), self.learner.method.without_training_adapters():
                for sample in self.sampler.draw(prompts, step_done, step=step, failed=self._report_undrawn):
                    drawn += [] if place else [sample]
                    number = 0 if of_the_moment else sample.number + place * len(prompts)
                    self._save_sample(sample, step, number, f"{sample.prompt.prompt}{named}")
                    if self.control.stop_requested():  # who stops a run does not wait for the other pictures
                        break
        self.stopwatch.drew(done, time.monotonic() - began)
        for said in self.sampler.notes():
            self.note(said, level="warning")
        if preset.sampling.grid and len(drawn) > 1:
            path = self._image_path(overview_name(step))
            self._write(lambda: save_overview(drawn, path, step=step), "written.sample", path)
            self.records.tell(SampleReady(str(path), OVERVIEW, step, 0))
        if not of_the_moment:
            self._sampled_at = step

    def _save_sample(self, sample: Sample, step: int, number: int, words: str) -> None:
        path = self._image_path(file_name(step, number, words), replaces=number > 0)
        self._write(lambda: save_sample(sample, path, model=self.folder.name), "written.sample", path)
        self.records.tell(SampleReady(str(path), words, step, number))

    def _weight_sets(self) -> list[bool]:
        """For each set of weights that is drawn with: whether it is the live one."""
        preset = self.learner.preset
        if self.control.stopping or not preset.training.ema:
            return [False]
        return {"live": [True], "both": [False, True]}.get(preset.sampling.weights, [False])

    def _report_undrawn(self, prompt: Prompt, error: UserError) -> None:
        """One prompt cannot be drawn; the others are. Said three times at most: it may be so at every step."""
        self._undrawn[prompt.prompt] += 1
        if self._undrawn[prompt.prompt] > MAX_FAILURES_LOGGED:
            return
        words = prompt.prompt if len(prompt.prompt) <= 60 else f"{prompt.prompt[:57]}..."
        code = "samples.prompt:last" if self._undrawn[prompt.prompt] == MAX_FAILURES_LOGGED else "samples.prompt"
        self.note(problem(code, prompt=words, step=self.learner.clock.step, why=error.report), level="warning")

    def back_up(self) -> None:
        """Write all that is needed to continue, then drop what is older than the preset keeps."""
        learner = self.learner
        if not learner.is_finite():
            self.note(problem("backup.nan", step=learner.clock.step), level="error")
            return
        self.records.tell(Stage("stage.backup"))
        folder = self.folder / "backups"

        def write() -> Path:
            if not (self.folder / "preset.json").exists():  # the folder was made anew while the run stood still
                write_project(self.outputs.preset, self.folder / "preset.json")
            return write_backup(folder, learner.clock.step, learner.preset, learner.state)

        try:
            path = self._write(write, "written.backup", folder, lambda: size_of(learner.state))
        except GaveUp as gave_up:
            raise self._gave_up(gave_up) from gave_up
        try:
            prune(folder, learner.preset.backup.keep, path)
        except OSError as error:
            reason = error.strerror or str(error)
            self.note(problem("backup.not-deleted", folder=str(folder), reason=reason), level="warning")
        self.records.tell(BackupSaved(str(path), learner.clock.step))

    def _gave_up(self, error: GaveUp, *later: Problem) -> GaveUp:
        """The same, with what there is to continue from, now that the newest state could not be written."""
        step, backup = self.learner.clock.step, newest_backup(self.folder / "backups")
        kept = step_of(backup) if backup else 0
        code = "disk.no-backup" if backup is None else "disk.lost" if step > kept else "disk.nothing-lost"
        point = problem(code, step=kept, steps=step - kept)
        return GaveUp("disk.gave-up", cause=error.problem, point=point, model=list(later))

    def _write(self, work: Callable[[], T], what: str, place: Path, size: Callable[[], int] = lambda: 0) -> T:
        """Write for the run, or wait until that is possible."""

        def write() -> T:
            # Nobody makes it anew unasked: it may lie on a disk that is not plugged in, and its place is another's.
            if self.folder in place.parents and not self.folder.is_dir():
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.folder))
            return work()

        return self.disk_retry.retry(write, what, place, size)

    def save(self, *, final: bool) -> Path | None:
        """Write a model that other programs can use; gives its path (the first, of several words), if it was good."""
        learner = self.learner
        if not final and not learner.is_finite():
            self.note(problem("model.nan", step=learner.clock.step), level="error")
            return None
        self.records.tell(Stage("stage.saving-model"))
        step = learner.clock.step
        target = self.outputs.final(step) if final else self.outputs.intermediate(step)
        if final and target != self.outputs.wanted:
            self.note(problem("save.name-taken", file=str(self.outputs.wanted)), level="warning")
        try:
            paths = self.export(target, "written.model", live=self._average_saved != "instead")
            if self._average_saved == "beside":
                paths += self.export(self.outputs.averaged(target), "written.ema")
        except GaveUp as gave_up:
            if final:
                raise self._gave_up(gave_up, Problem("disk.model-later")) from gave_up
            self.note(gave_up.problem, level="warning")
            return target
        for path in paths:
            self.records.tell(ModelSaved(str(path), step))
        return paths[0]

    @property
    def _average_saved(self) -> str:
        training = self.learner.preset.training
        return training.ema_save if training.ema else "instead"

    def export(
        self, target: Path, what: str, more: Mapping[str, str] | None = None, *, live: bool = False
    ) -> list[Path]:
        """Write the finished weights, or the `live` ones, as others read them, with `more` metadata."""
        learner = self.learner
        metadata = {**self.outputs.metadata(target, learner.clock.step, learner.clock.epoch), **(more or {})}
        own, step = self.outputs.own, learner.clock.step

        def write() -> list[Path]:
            own.claim(target, step)
            paths = list(learner.method.export(target, metadata))
            own.written(target, step)
            return paths

        with learner.finished_weights(average=not live, exact=True):
            return self._write(write, what, target)

    def change(self, command: Change) -> None:
        """Take over a live setting for the rest of the run, and for a run that continues it."""
        learner, asked = self.learner, self.outputs.preset
        try:
            changed = [with_live_change(preset, command.path, command.value) for preset in (learner.preset, asked)]
        except UserError as error:
            self.note(*error.report, level="error")
            return
        learner.preset, self.outputs.preset = changed
        self.note(problem("setting.now", command.path, value=command.value))
        file = self.folder / "preset.json"
        if not file.is_dir():  # that is not ours; every backup holds the settings
            self._write(lambda: write_project(self.outputs.preset, file), "written.preset", file)

    def finish(self, *, stopped: bool) -> None:
        """The end of a run: back up first, because that matters most; then the last samples and the model.

        Raises:
            UserError: what was trained is destroyed, and nothing is written.
        """
        preset = self.learner.preset
        if not self.learner.is_finite():
            raise UserError("weights.nan", "training.learning_rate")
        if stopped:
            self.back_up()
            self.records.tell(Finished(self.learner.clock.step, stopped=True))
            return
        if preset.backup.at_end:
            self.back_up()
        if preset.sampling.last and not self.is_sampled:
            self.sample()
        path = self.save(final=True)
        self.records.tell(Finished(self.learner.clock.step, path=str(path)))

    @contextmanager
    def inference_weights(self, *, live: bool) -> Generator[None]:
        """Everything as for use: the moving average unless `live`, no dropout. All of it comes back as it was."""
        family = self.learner.family
        modules = [family.component(name) for name in {"denoiser", *self.learner.method.modified_components}]
        training = [module.training for module in modules]
        for module in modules:
            module.eval()
        try:
            with self.learner.finished_weights(average=not live):
                yield
        finally:
            for module, mode in zip(modules, training, strict=True):
                module.train(mode)
            family.unload(*(set(family.component_names) - self.resident))

    @property
    def is_sampled(self) -> bool:
        """Whether the preset's prompts have been drawn at this step: now, or before the run was continued from it."""
        step, prompts = self.learner.clock.step, self._requested_prompts(None)
        if self._sampled_at == step or self.resumed_at != step:
            return self._sampled_at == step
        names = (file_name(step, number, prompt.prompt) for number, prompt in enumerate(prompts, 1))
        return all((self.folder / "samples" / name).is_file() for name in names)

    @property
    def is_saved(self) -> bool:
        """Whether a model of this step is there from before the run was continued."""
        return self.outputs.at_step(self.learner.clock.step).exists()

    def _image_path(self, name: str, *, replaces: bool = True) -> Path:
        """Where an image goes. Nothing of this process is drawn over: a second "sample now" at the same step, say."""
        path = self.folder / "samples" / name
        names = (path.with_stem(f"{path.stem} ({n})") if n else path for n in range(10_000))
        found = next(each for each in names if each not in self._images and (replaces or not each.exists()))
        self._images.add(found)
        return found


def reasons_of(error: Exception) -> list[Problem]:
    """Why something that a run can do without was not done."""
    if is_out_of_memory(error):
        return [Problem("memory.ran-out")]
    return error.report if isinstance(error, UserError) else [as_it_is(f"{error!r}.")]
