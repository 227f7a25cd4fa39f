"""The training loop: what happens between the steps. The step itself is in learner.py, what is written in keeper.py."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain

from modules.data.batches import Batch, Feed, ahead
from modules.data.order import epoch_length, epoch_order
from modules.errors import UserError
from modules.messages import BackupNow, Change, Command, Continued, Finished, Note, Paused, SampleNow, SaveNow
from modules.preset.preset import Preset
from modules.trainer.clock import Alarms
from modules.trainer.control import Control, Interrupted
from modules.trainer.keeper import Keeper
from modules.trainer.learner import Learner
from modules.trainer.meter import Meter
from modules.trainer.records import Records


def length_of(preset: Preset, feed: Feed) -> tuple[int, int]:
    """Steps in all, and steps of an epoch. The last step of an epoch may take fewer batches than the others."""
    epoch = -(-epoch_length(feed.index, preset.training.batch_size) // preset.training.accumulation)
    return preset.training.steps or epoch * preset.training.epochs, epoch


class Trainer:
    """A run that has been checked, loaded, attached, scanned and cached."""

    def __init__(self, learner: Learner, keeper: Keeper, feed: Feed, records: Records, control: Control) -> None:
        self.learner, self.keeper, self.feed, self.records, self.control = learner, keeper, feed, records, control
        self.clock, self.alarms = learner.clock, Alarms()
        self.steps, self.epoch_length = length_of(learner.preset, feed)
        self.meter = Meter(records.tell, records.numbers)
        learner.state["meter"] = self.meter

    def run(self) -> None:
        """Train until the last step or a Stop command. Resuming a run is calling this with an older clock."""
        try:
            self._run()
        except Interrupted:  # the user wants to end at once, without a backup
            self.report()
            self.records.tell(Finished(self.clock.step, stopped=True))

    def _run(self) -> None:
        self.control.patient = True
        self.clock.settle(self.epoch_length)
        self.alarms.start()
        if self.clock.step == 0 and self.learner.preset.sampling.first:
            self.keeper.sample()
        with closing(ahead(self._steps())) as steps:
            self._loop(steps)
        self.report()
        if self.control.at_once:
            raise Interrupted
        self.keeper.finish(stopped=self.control.stopping and self.clock.step < self.steps)

    def _loop(self, steps: Iterable[list[Batch]]) -> None:
        began = time.monotonic()
        for batches in steps:
            if not self.learner.freeze_what_is_over():
                self.records.tell(Note('Nothing is left to train: every part has reached its "stop training after".'))
                return
            self.step(batches, began)
            for command in chain(self.control.commands(), self._due()):
                self.obey(command)
            if self.control.paused:
                self._wait()
            if self.control.stopping:
                return
            began = time.monotonic()

    def step(self, batches: Sequence[Batch], began: float) -> None:
        """Learn from the batches of one step and count it; `began` is when the wait for them started."""
        rates = self.learner.rates()
        loss, norm = self.learner.learn(batches)
        self.clock.tick(self.epoch_length)
        self.meter.add(self.clock.step, loss, norm, rates, time.monotonic() - began)
        if self.meter.due():
            self.report(wait=False)

    def obey(self, command: Command) -> None:
        """Do what a command asks, the user's and the schedule's alike."""
        self.report()
        match command:
            case BackupNow():
                self.keeper.back_up()
            case SaveNow():
                self.keeper.save(final=False)
            case SampleNow(prompt):
                self.keeper.sample(prompt)
            case Change():
                self.keeper.change(command)
            case _:
                self.records.tell(Note(f"{type(command).__name__} has to wait until this run has ended.", "warning"))

    def report(self, *, wait: bool = True) -> None:
        """Tell where the run stands, with every loss since the last time; or, not to wait, with those at hand."""
        epochs = -(-self.steps // self.epoch_length)
        self.meter.report(self.clock.step, self.steps, self.clock.epoch, epochs, wait=wait)
        # A scaler (fp16) leaves such a step out; without one the weights are lost, and must not push good backups out.
        if self.meter.lost_at and not self.learner.scaler.is_enabled():
            raise UserError(
                f"The loss of step {self.meter.lost_at} is no number: what was trained is destroyed.",
                advice="Lower training.learning_rate (a tenth of it), keep training.clip_gradients at 1, and keep "
                "model.vae_dtype at fp32; then start anew, or continue from the last backup with --resume.",
            )

    def _steps(self) -> Iterator[list[Batch]]:
        """The batches of each step from here to the end."""
        training, seed = self.learner.preset.training, self.learner.preset.general.seed
        step, epoch, shown = self.clock.step, self.clock.epoch, self.clock.shown
        while step < self.steps:
            order = epoch_order(self.feed.index, training.batch_size, seed, epoch)
            for start in range(shown * training.accumulation, len(order), training.accumulation):
                if step == self.steps:
                    return
                end = min(start + training.accumulation, len(order))
                yield [self.feed.batch(order[number], epoch) for number in range(start, end)]
                step += 1
            epoch, shown = epoch + 1, 0

    def _due(self) -> Iterator[Command]:
        """What the schedule asks for now; nothing once the run is to stop: its backup must not wait for samples."""
        preset = self.learner.preset
        schedule = {"backup": preset.backup.every, "save": preset.backup.save_every, "sample": preset.sampling.every}
        if not self.control.stopping:
            yield from self.alarms.due(self.clock, schedule)

    def _wait(self) -> None:
        """Pause: the loop stands still and only obeys."""
        self.report()
        self.records.tell(Paused(self.clock.step))
        while self.control.paused:
            time.sleep(0.05)
            for command in self.control.commands():
                self.obey(command)
        self.records.tell(Continued(self.clock.step))
