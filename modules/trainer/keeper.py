"""What a run writes: samples, backups, models. Training is never changed by it, whatever is written and how often."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modules.errors import UserError
from modules.messages import BackupSaved, Change, Finished, Level, ModelSaved, Note, Phase, SampleReady
from modules.preset.live import prompt_of, with_change
from modules.trainer.backup import prune, write_backup
from modules.trainer.control import Control
from modules.trainer.learner import Learner
from modules.trainer.outputs import Outputs
from modules.trainer.records import Records
from modules.trainer.sampler import Sampler, file_name, save_sample


class Keeper:
    """Writes into the folder of the run, on behalf of a learner."""

    def __init__(
        self, learner: Learner, sampler: Sampler, outputs: Outputs, records: Records, control: Control, held: set[str]
    ) -> None:
        """`held`: parts that training needs; the others are read for samples and let go again."""
        self.learner, self.sampler, self.outputs = learner, sampler, outputs
        self.records, self.control, self.held = records, control, held
        self.folder = outputs.folder
        self._sampled_at = -1

    def note(self, text: str, level: Level = "info") -> None:
        self.records.tell(Note(text, level))

    def sample(self, wanted: dict[str, Any] | None = None) -> None:
        """Draw the preset's prompts, or one of the moment."""
        preset = self.learner.preset
        prompts = [prompt for prompt in preset.sampling.prompts if prompt.enabled]
        if wanted is not None:
            try:
                prompts = [prompt_of(wanted)]
            except UserError as error:
                self.note(str(error), "error")
                return
        if not prompts:
            return
        step, done = self.learner.clock.step, 0
        expected = sum(prompt.steps for prompt in prompts)

        def step_done(images: int) -> None:
            nonlocal done
            done = min(done + images, expected)
            self.control.check()
            self.records.tell(Phase("Making samples", done, expected))

        live = preset.training.ema and preset.sampling.weights == "live"
        with self._drawing(live=live):
            for sample in self.sampler.draw(prompts, step_done):
                number = 0 if wanted is not None else sample.number
                path = self._free(self.folder / "samples" / file_name(step, number, sample.prompt.prompt))
                save_sample(sample, path, model=self.folder.name)
                self.records.tell(SampleReady(str(path), sample.prompt.prompt, step, number))
                if self.control.stop_wanted():  # who stops a run does not wait for the other pictures
                    break
        if wanted is None:
            self._sampled_at = step

    def back_up(self) -> None:
        """Write all that is needed to continue, then drop what is older than the preset keeps."""
        learner = self.learner
        self.records.tell(Phase("Writing a backup"))
        folder = self.folder / "backups"
        path = write_backup(folder, learner.clock.step, learner.preset, learner.state)
        prune(folder, learner.preset.backup.keep, path)
        self.records.tell(BackupSaved(str(path), learner.clock.step))

    def save(self, *, final: bool) -> Path:
        """Write a model that other programs can use; gives its path (the first, of several words)."""
        learner = self.learner
        self.records.tell(Phase("Saving the model"))
        target = self.outputs.final() if final else self.outputs.on_the_way(learner.clock.step)
        if final and target != self.outputs.wanted:
            self.note(f"{self.outputs.wanted} has been made by something else: saving beside it.", "warning")
        with learner.finished_weights():
            metadata = self.outputs.metadata(target, learner.clock.step, learner.clock.epoch)
            paths = list(learner.method.export(target, metadata))
        for path in paths:
            self.records.tell(ModelSaved(str(path), learner.clock.step))
        return paths[0]

    def change(self, command: Change) -> None:
        """Take over a live setting for the rest of the run."""
        try:
            self.learner.preset = with_change(self.learner.preset, command.path, command.value)
        except UserError as error:
            self.note(str(error), "error")
        else:
            self.note(f"{command.path} is now {command.value}.")

    def finish(self, *, stopped: bool) -> None:
        """The end of a run: back up first, because that matters most; then the last samples and the model."""
        preset = self.learner.preset
        if stopped:
            self.back_up()
            self.records.tell(Finished(self.learner.clock.step, stopped=True))
            return
        if preset.backup.at_end:
            self.back_up()
        if preset.sampling.last and self._sampled_at != self.learner.clock.step:
            self.sample()
        path = self.save(final=True)
        self.records.tell(Finished(self.learner.clock.step, path=str(path)))

    @contextmanager
    def _drawing(self, *, live: bool) -> Generator[None]:
        """Everything as for use: finished weights unless `live`, no dropout. All of it comes back as it was."""
        family = self.learner.family
        modules = [family.part(name) for name in {"denoiser", *self.learner.method.touched_parts}]
        training = [module.training for module in modules]
        for module in modules:
            module.eval()
        try:
            if live:
                yield
            else:
                with self.learner.finished_weights():
                    yield
        finally:
            for module, mode in zip(modules, training, strict=True):
                module.train(mode)
            family.let_go(*(set(family.part_names) - self.held))

    @staticmethod
    def _free(path: Path) -> Path:
        """A name that is not taken: a second "sample now" at the same step does not replace the first."""
        names = (path.with_stem(f"{path.stem} ({n})") if n else path for n in range(10_000))
        return next(name for name in names if not name.exists())
