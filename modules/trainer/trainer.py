"""The training loop: what happens between the steps. The step itself is in learner.py, what is written in keeper.py."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain

from modules.data.batches import Batch, Feed, Unfinished, ahead
from modules.data.order import epoch_length, epoch_order
from modules.errors import UserError
from modules.messages import (
    BackupNow,
    Change,
    Command,
    Continued,
    Finished,
    Note,
    Paused,
    SampleNow,
    SaveNow,
    ValidateNow,
)
from modules.preset.preset import Preset
from modules.system.devices import card_memory
from modules.trainer.clock import Alarms
from modules.trainer.comeback import Comeback, given_up
from modules.trainer.control import Control, Interrupted
from modules.trainer.guard import TOLD, WINDOW
from modules.trainer.keeper import Keeper
from modules.trainer.learner import Learner
from modules.trainer.memory import SlowDown
from modules.trainer.meter import Meter
from modules.trainer.records import Records
from modules.trainer.validator import Validator


def length_of(preset: Preset, feed: Feed) -> tuple[int, int]:
    """Steps in all, and steps of an epoch. The last step of an epoch may take fewer batches than the others."""
    epoch = -(-epoch_length(feed.index, preset.training.batch_size) // preset.training.accumulation)
    return preset.training.steps or epoch * preset.training.epochs, epoch


class Trainer:
    """A run that has been checked, loaded, attached, scanned and cached."""

    def __init__(
        self,
        learner: Learner,
        keeper: Keeper,
        feed: Feed,
        records: Records,
        control: Control,
        validator: Validator | None = None,
    ) -> None:
        self.learner, self.keeper, self.feed, self.records, self.control = learner, keeper, feed, records, control
        self.clock, self.alarms, self.validator = learner.clock, Alarms(), validator
        self._why_paused = ""
        self.enough = False  # validation says that more steps would make it no better, and the run is to end then
        self.steps, self.epoch_length = length_of(learner.preset, feed)
        self.meter = Meter(records.tell, records.numbers)
        learner.state["meter"] = self.meter
        learner.say = lambda text: records.tell(Note(text, "warning"))
        self.slow_down = SlowDown(lambda: card_memory(learner.device))

    def run(self) -> None:
        """Train until the last step or a Stop command. Resuming a run is calling this with an older clock."""
        try:
            self._run()
        except Interrupted:  # the user wants to end at once, without a backup
            self.report()
            self.records.tell(Finished(self.clock.step, stopped=True))
        finally:
            self.keeper.stopwatch.write()

    def _run(self) -> None:
        self.control.patient = True
        self.clock.settle(self.epoch_length)
        self.alarms.start()
        self._begin()
        self.comeback = Comeback(self.learner, self.keeper.folder / "backups")
        while True:
            with closing(ahead(self._steps())) as steps:
                self._loop(steps)
            self.report()
            if self.control.at_once:
                raise Interrupted
            if not self._lost():
                break
            self._go_back()
        self._end()

    def _end(self) -> None:
        """What changed on the way, the last look, and what is kept."""
        for text in self.feed.watch.told() if self.feed.watch else ():
            self.records.tell(Note(text, "warning"))
        stopped = self.control.stopping and self.clock.step < self.steps
        if self.validator and not stopped:
            self.validator.validate()
        self.keeper.finish(stopped=stopped)

    def _begin(self) -> None:
        """What is looked at before the first step, to compare with; or what a stop at this step left out."""
        if self.clock.step == 0:
            if self.learner.preset.sampling.first:
                self.keeper.sample()
            if self.validator:
                self.validator.validate()
        elif self.validator and 0 <= self.validator.best.at < self.clock.step:  # it was validated before
            for command in self.alarms.due(self.clock, {"validate": self.learner.preset.validation.every}):
                self.obey(command)

    def _loop(self, steps: Iterable[list[Batch | Unfinished]]) -> None:
        began = time.monotonic()
        if self.enough:  # before the first step of a run that goes on
            return
        for batches in steps:
            if not self.learner.wake_and_rest():
                self.records.tell(Note('Nothing is left to train: every part has reached its "stop training after".'))
                return
            self.step([self.feed.finished(batch) for batch in batches], began)
            self._hear()
            if self.learner.guard.over:
                return
            for command in chain(self.control.commands(), self._due()):
                self.obey(command)
            if self.control.paused:
                self._wait(self._why_paused)
                self._why_paused = ""
            if self.control.stopping or self.learner.guard.over or self.enough:
                return
            began = time.monotonic()

    def step(self, batches: Sequence[Batch], began: float) -> None:
        """Learn from the batches of one step and count it; `began` is when the wait for them started."""
        rates = self.learner.rates()
        learnt = self.learner.learn(batches)
        self.clock.tick(self.epoch_length)
        seconds = time.monotonic() - began
        self.keeper.stopwatch.step(seconds)
        point = self.meter.add(self.clock.step, learnt.loss, learnt.norm, rates, seconds, learnt.verdict)
        if learnt.verdict is not None:
            self.learner.guard.watch(point, [item for batch in batches for item in batch.items])
        if said := self.slow_down.step(seconds):
            self.records.tell(Note(said, "warning"))
        if self.meter.due():
            self.report(wait=False)

    def obey(self, command: Command) -> None:
        """Do what a command asks, the user's and the schedule's alike."""
        self.report()
        match command:
            case BackupNow() if self.learner.guard.over:
                pass  # the run is about to go back, past this step
            case BackupNow():
                self.keeper.back_up()
            case SaveNow():
                self.keeper.save(final=False)
            case SampleNow(prompt):
                self.keeper.sample(prompt)
            case ValidateNow():
                self._validate()
            case Change():
                self.keeper.change(command)
            case _:
                self.records.tell(Note(f"{type(command).__name__} has to wait until this run has ended.", "warning"))

    def _validate(self) -> None:
        """Measure, and do what the preset wants when nothing has become better for long."""
        if not self.validator or self.learner.guard.over:
            return
        # Asked for twice at one step (the last one is due in any case), it has its say once.
        if not self.validator.validate() or not (over := self.validator.over()):
            return
        match self.learner.preset.validation.then:
            case "stop":
                self.enough = True
                self.records.tell(Note(f"{over} The run ends here.", "warning"))
            case "pause":
                self.control.paused = True
                self._why_paused = f"{over} Continue or stop?"
            case _:
                self.records.tell(Note(over, "warning"))

    def report(self, *, wait: bool = True) -> None:
        """Tell where the run stands, with every loss since the last time; or, not to wait, with those at hand."""
        epochs = -(-self.steps // self.epoch_length)
        self.meter.report(self.clock.step, self.steps, self.clock.epoch, epochs, wait=wait)
        if wait:
            self._hear(wait=True)
        # Without guards: the weights are lost, and must not push good backups out.
        if self.meter.lost_at:
            raise UserError(
                f"The loss of step {self.meter.lost_at} is no number: what was trained is destroyed.",
                advice="Lower training.learning_rate (a tenth of it), keep training.clip_gradients at 1, and keep "
                "model.vae_dtype at fp32; then start anew, or continue from the last backup with --resume.",
            )

    def _hear(self, *, wait: bool = False) -> None:
        """Tell which steps were left out, of those whose verdicts have come."""
        guard = self.learner.guard
        for bad in guard.heard(wait=wait):
            if guard.left_out <= TOLD:
                self.records.tell(Note(bad.sentence, "warning"))
            if guard.left_out == TOLD:
                self.records.tell(Note("Further steps that are left out are not told one by one.", "warning"))

    def _lost(self) -> bool:
        """Whether the run cannot go on, or end, with the weights that it has."""
        if self.control.stopping:
            return False
        guards = self.learner.preset.training.guards
        return guards.enabled and (self.learner.guard.over or not self.learner.sound())

    def _go_back(self) -> None:
        """Bad steps have repeated: take the last good state, and go on as the preset wants it.

        Raises:
            UserError: it has gone back too often already.
        """
        guards, guard = self.learner.preset.training.guards, self.learner.guard
        if guard.attempt >= guards.returns:
            raise given_up(self.learner)
        steps = len(guard.bad_steps)
        why = f"{steps} of the last {WINDOW} steps had to be left out." if steps else "Weights are no numbers any more."
        where = self.comeback.go_back(lower=guards.then == "lower_rate")
        if self.validator:
            self.validator.went_back()
        how = f" and goes on at {guard.factor:g} times the learning rate" if guards.then == "lower_rate" else ""
        told = f"{why} {where}{how}. Chance is drawn anew."
        self.records.tell(Note(told, "warning"))
        if guards.then == "pause":
            self.control.paused = True
            self._wait(told)

    def _steps(self) -> Iterator[list[Batch | Unfinished]]:
        """The batches of each step from here to the end."""
        training, seed = self.learner.preset.training, self.learner.preset.general.seed
        step, epoch, shown = self.clock.step, self.clock.epoch, self.clock.shown
        while step < self.steps:
            order = epoch_order(self.feed.index, training.batch_size, seed, epoch)
            for start in range(shown * training.accumulation, len(order), training.accumulation):
                if step == self.steps:
                    return
                end = min(start + training.accumulation, len(order))
                yield [self.feed.prepared(order[number], epoch, step) for number in range(start, end)]
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
        yield from self.alarms.due(self.clock, schedule)

    def _wait(self, reason: str = "") -> None:
        """Pause: the loop stands still and only obeys. `reason`: why, where the user did not ask for it."""
        self.report()
        self.records.tell(Paused(self.clock.step, reason))
        while self.control.paused:
            time.sleep(0.05)
            for command in self.control.commands():
                self.obey(command)
        self.records.tell(Continued(self.clock.step))
