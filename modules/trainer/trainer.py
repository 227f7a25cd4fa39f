"""The training loop: what happens between the steps. The step itself is in learner.py, what is written in keeper.py."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain

from modules.data.batches import Batch, BatchLoader, PartialBatch
from modules.data.order import epoch_order
from modules.data.prefetch import prefetched
from modules.errors import UserError
from modules.messages import (
    BackupNow,
    Change,
    Command,
    Continued,
    Finished,
    Paused,
    SampleNow,
    SaveNow,
    ValidateNow,
    note,
)
from modules.sentences.problem import Problem, problem
from modules.sentences.render import PLAIN, text_of
from modules.system.devices import card_memory
from modules.trainer.control import Control, Interrupted
from modules.trainer.prepared_data import run_length
from modules.trainer.retention.examiner import Examiner
from modules.trainer.run_folder.records import Records
from modules.trainer.run_folder.rollback import Rollback, too_many_rollbacks
from modules.trainer.run_folder.run_writer import RunWriter
from modules.trainer.step.learner import Learner
from modules.trainer.step.meter import Meter
from modules.trainer.step.out_of_memory import SpillDetector
from modules.trainer.step.schedule import DueCommands
from modules.trainer.step.step_guard import MAX_LOGGED, WINDOW
from modules.trainer.validation import Validator


class Trainer:
    """A run that has been checked, loaded, attached, scanned and cached."""

    def __init__(
        self,
        learner: Learner,
        writer: RunWriter,
        loader: BatchLoader,
        records: Records,
        control: Control,
        validator: Validator | None = None,
        examiner: Examiner | None = None,
    ) -> None:
        self.learner, self.writer, self.loader, self.records, self.control = learner, writer, loader, records, control
        self.clock, self.due_commands = learner.clock, DueCommands()
        self.validator, self.examiner = validator, examiner
        self._why_paused: list[Problem] = []
        self.stop_early = False  # validation says that more steps would make it no better, and the run is to end then
        self.steps, self.epoch_length = run_length(learner.preset, loader)
        self.meter = Meter(records.tell, records.numbers)
        learner.state["meter"] = self.meter
        learner.on_log = lambda what: records.tell(note(what, level="warning"))
        self.spill_detector = SpillDetector(lambda: card_memory(learner.device))

    def run(self) -> None:
        """Train until the last step or a Stop command. Resuming a run is calling this with an older clock."""
        try:
            self._run()
        except Interrupted:  # the user wants to end at once, without a backup
            self.report()
            self.records.tell(Finished(self.clock.step, stopped=True))
        finally:
            self.writer.stopwatch.write()

    def _run(self) -> None:
        self.control.finishes_step = True
        self.clock.fit_epoch_length(self.epoch_length)
        self.due_commands.start()
        self._begin()
        self.rollback = Rollback(self.learner, self.writer.folder / "backups")
        while True:
            with closing(prefetched(self._steps())) as steps:
                self._loop(steps)
            self.report()
            if self.control.stop_now:
                raise Interrupted
            if not self._must_roll_back():
                break
            self._roll_back()
        self._end()

    def _end(self) -> None:
        """What changed on the way, the last look, and what is kept."""
        for changed in self.loader.watch.summary() if self.loader.watch else ():
            self.records.tell(note(changed, level="warning"))
        stopped = self.control.stopping and self.clock.step < self.steps
        if self.validator and not stopped:
            self.validator.validate()
        if self.examiner and not stopped:
            self.examiner.end()
        self.writer.finish(stopped=stopped)

    def _begin(self) -> None:
        """What is looked at before the first step, to compare with; or what a stop at this step left out."""
        if self.examiner:
            self.examiner.begin()
        if self.clock.step == 0:
            if self.learner.preset.sampling.first:
                self.writer.sample()
            if self.validator:
                self.validator.validate()
            return
        self.writer.resumed_at = self.clock.step
        for command in self.due_commands.due(self.clock, self._left_out()):
            self.execute(command)

    def _left_out(self) -> dict[str, str]:
        """What a kill or a stop right after the backup of this step may have left out."""
        preset, found = self.learner.preset, dict[str, str]()
        if self.validator and 0 <= self.validator.best.at < self.clock.step:  # it was validated before
            found["validate"] = preset.validation.every
        if not self.writer.is_saved:
            found["save"] = preset.backup.save_every
        if not self.writer.is_sampled:
            found["sample"] = preset.sampling.every
        return found

    def _loop(self, steps: Iterable[list[Batch | PartialBatch]]) -> None:
        began = time.monotonic()
        if self.stop_early:  # before the first step of a run that goes on
            return
        for batches in steps:
            if not self.learner.set_trainable():
                self.records.tell(note(Problem("training.nothing-left")))
                return
            self.step([self.loader.finished(batch) for batch in batches], began)
            self._log_skipped()
            if self.learner.guard.must_roll_back:
                return
            self._examine()
            for command in chain(self.control.commands(), self._due()):
                self.execute(command)
            if self.control.paused:
                self._wait(self._why_paused)
                self._why_paused = []
            if self.control.stopping or self.learner.guard.must_roll_back or self.stop_early:
                return
            began = time.monotonic()

    def step(self, batches: Sequence[Batch], began: float) -> None:
        """Learn from the batches of one step and count it; `began` is when the wait for them started."""
        rates = self.learner.rates()
        result = self.learner.learn(batches)
        self.clock.tick(self.epoch_length)
        seconds = time.monotonic() - began
        self.writer.stopwatch.step(seconds)
        point = self.meter.add(self.clock.step, result.loss, result.norm, rates, seconds, result.verdict)
        if result.verdict is not None:
            self.learner.guard.watch(point, [item for batch in batches for item in batch.items])
        if spills := self.spill_detector.step(seconds):
            self.records.tell(note(spills, level="warning"))
        if self.meter.due():
            self.report(wait=False)

    def _examine(self) -> None:
        if self.examiner and self.examiner.is_due and not self.control.stop_requested():
            self.report()
            self.examiner.measure()

    def execute(self, command: Command) -> None:
        """Do what a command asks, the user's and the schedule's alike."""
        self.report()
        if isinstance(command, BackupNow | SaveNow) and self.examiner:
            self.examiner.before_writing()
        match command:
            case BackupNow() if self.learner.guard.must_roll_back:
                pass  # the run is about to go back, past this step
            case BackupNow():
                self.writer.back_up()
            case SaveNow():
                self.writer.save(final=False)
            case SampleNow(prompt, strength):
                self.writer.sample(prompt, strength)
            case ValidateNow():
                self._validate()
            case Change():
                self.writer.change(command)
            case _:
                waits = problem("command.waits", command=type(command).__name__)
                self.records.tell(note(waits, level="warning"))

    def _validate(self) -> None:
        """Measure, and do what the preset wants when nothing has become better for long."""
        if not self.validator or self.learner.guard.must_roll_back:
            return
        # Asked for twice at one step (the last one is due in any case), it has its say once.
        if not self.validator.validate() or not (reason := self.validator.stop_reason()):
            return
        match self.learner.preset.validation.then:
            case "stop":
                self.stop_early = True
                self.records.tell(note(problem("validation.ends", reason=reason), level="warning"))
            case "pause":
                self.control.paused = True
                self._why_paused = [problem("validation.asks", reason=reason)]
            case _:
                self.records.tell(note(reason, level="warning"))

    def report(self, *, wait: bool = True) -> None:
        """Tell where the run stands, with every loss since the last time; or, not to wait, with those at hand."""
        epochs = -(-self.steps // self.epoch_length)
        self.meter.report(self.clock.step, self.steps, self.clock.epoch, epochs, wait=wait)
        if wait:
            self._log_skipped(wait=True)
        # Without guards: the weights are lost, and must not push good backups out.
        if self.meter.nan_step:
            raise UserError("loss.nan", "training.learning_rate", step=self.meter.nan_step)

    def _log_skipped(self, *, wait: bool = False) -> None:
        """Tell which steps were left out, of those whose verdicts have come."""
        guard = self.learner.guard
        for bad in guard.skipped(wait=wait):
            if guard.left_out <= MAX_LOGGED:
                self.records.tell(note(bad, level="warning"))
            if guard.left_out == MAX_LOGGED:
                self.records.tell(note(Problem("step.unlisted"), level="warning"))

    def _must_roll_back(self) -> bool:
        """Whether the run cannot go on, or end, with the weights that it has."""
        if self.control.stopping:
            return False
        guards = self.learner.preset.training.guards
        return guards.enabled and (self.learner.guard.must_roll_back or not self.learner.is_finite())

    def _roll_back(self) -> None:
        """Bad steps have repeated: take the last good state, and go on as the preset wants it.

        Raises:
            UserError: it has gone back too often already.
        """
        guards, guard = self.learner.preset.training.guards, self.learner.guard
        if guard.attempt >= guards.returns:
            raise too_many_rollbacks(self.learner)
        steps = len(guard.bad_steps)
        why = problem("rollback.skipped", count=steps, last=WINDOW) if steps else Problem("rollback.nan")
        lower = guards.then == "lower_rate"
        where = self.rollback.roll_back(lower=lower)
        if self.validator:
            self.validator.rolled_back()
        code = "rollback.done:lower" if lower else "rollback.done"
        done = problem(code, why=why, where=where, factor=guard.factor)
        self.records.tell(note(done, level="warning"))
        if guards.then == "pause":
            self.control.paused = True
            self._wait([done])

    def _steps(self) -> Iterator[list[Batch | PartialBatch]]:
        """The batches of each step from here to the end."""
        training, seed = self.learner.preset.training, self.learner.preset.general.seed
        step, epoch, shown = self.clock.step, self.clock.epoch, self.clock.shown
        while step < self.steps:
            order = epoch_order(self.loader.index, training.batch_size, seed, epoch)
            for start in range(shown * training.accumulation, len(order), training.accumulation):
                if step == self.steps:
                    return
                end = min(start + training.accumulation, len(order))
                yield [self.loader.prepared(order[number], epoch, step) for number in range(start, end)]
                step += 1
            epoch, shown = epoch + 1, 0

    def _due(self) -> Iterator[Command]:
        """What the schedule asks for now; nothing once the run is to stop: its backup must not wait for samples."""
        preset = self.learner.preset
        schedule = {"backup": preset.backup.every, "save": preset.backup.save_every, "sample": preset.sampling.every}
        if self.control.stopping:
            return
        if self.validator:
            schedule["validate"] = preset.validation.every
            if self.clock.step == self.steps:  # before the last backup, which is to know of it
                yield ValidateNow()
        yield from self.due_commands.due(self.clock, schedule)

    def _wait(self, why: Sequence[Problem] = ()) -> None:
        """Pause: the loop stands still and only obeys. `why`: where the user did not ask for it."""
        self.report()
        reason = text_of(why, PLAIN) if why else ""
        self.records.tell(Paused(self.clock.step, reason, problems=list(why)))
        while self.control.paused:
            time.sleep(0.05)
            for command in self.control.commands():
                self.execute(command)
        self.records.tell(Continued(self.clock.step))
