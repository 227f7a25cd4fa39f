"""Where a run stands, what falls due at a step, its learning rate, and which components learn in it.

What falls due speaks as the user does: with a command. The learning rate is a function of the step: nothing to
remember, so nothing to back up. A component that rests has no gradients, and an optimizer leaves a weight without
gradient alone: weights, moments and decay stay bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field

from modules.messages import BackupNow, Command, SampleNow, SaveNow, ValidateNow
from modules.methods import Group
from modules.preset.preset import Preset
from modules.preset.sections.schedule import Schedule
from modules.preset.text.interval import SECONDS, Interval
from modules.sentences.problem import Problem, problem


def rate_factor(schedule: Schedule, step: int, steps: int) -> float:
    """The share of the learning rate that holds for the step after `step` finished ones, of `steps` in all."""
    return schedule.factor(step, steps)


def scaled_rate(preset: Preset) -> Problem | None:
    """What became of the learning rate for the size of the step; None where it is not scaled."""
    training = preset.training
    if training.rate_scale == 1:
        return None
    how = f"scaled.{'root-' if training.scale_by == 'root' else ''}{training.scale_rate}"
    return problem(
        "arithmetic.scaled-rate",
        "training.scale_rate",
        rate=training.learning_rate,
        how=Problem(how),
        factor=training.rate_scale,
        scaled=training.learning_rate * training.rate_scale,
    )


@dataclass
class Clock:
    """Counts optimizer steps and epochs."""

    step: int = 0  # optimizer steps done
    epoch: int = 0  # epochs done
    shown: int = 0  # steps of this epoch done

    def tick(self, epoch_length: int) -> None:
        self.step += 1
        self.shown += 1
        if self.shown == epoch_length:
            self.epoch, self.shown = self.epoch + 1, 0

    def fit_epoch_length(self, epoch_length: int) -> None:
        """Go on in epochs of this length: with other images or batches they may be shorter than when it stopped."""
        if self.shown >= epoch_length:
            self.epoch, self.shown = self.epoch + 1, 0

    def passed(self, interval: Interval) -> bool:
        """Whether so many steps or epochs are over; never for "never"."""
        done = {"step": self.step, "epoch": self.epoch}.get(interval.unit)
        return done is not None and done >= interval.amount

    def state_dict(self) -> dict[str, int]:
        return asdict(self)

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        self.step, self.epoch, self.shown = state["step"], state["epoch"], state["shown"]
        if not all(type(count) is int and count >= 0 for count in astuple(self)):
            raise ValueError("it counts what cannot be counted")


COMMANDS: dict[str, Command] = {
    "validate": ValidateNow(), "backup": BackupNow(), "save": SaveNow(), "sample": SampleNow()
}  # fmt: skip


@dataclass
class DueCommands:
    """Which commands fall due after a step. Times are counted from when they last fell due."""

    now: Callable[[], float] = time.monotonic
    _last: dict[str, float] = field(default_factory=dict[str, float])

    def due(self, clock: Clock, schedule: Mapping[str, str]) -> Iterator[Command]:
        """`schedule`: an interval for each of "backup", "save", "sample" and, if that is done, "validate".

        Backups come before what takes long; a validation before them, because they hold which was the best.
        """
        for name, command in COMMANDS.items():
            if name in schedule and self._is_due(name, Interval.parse(schedule[name]), clock):
                yield command

    def start(self) -> None:
        self._last = dict.fromkeys(COMMANDS, self.now())

    def _is_due(self, name: str, interval: Interval, clock: Clock) -> bool:
        match interval.unit:
            case "never":
                return False
            case "step":
                return clock.step % interval.amount == 0
            case "epoch":
                return clock.shown == 0 and clock.epoch > 0 and clock.epoch % interval.amount == 0
            case "second" | "minute" | "hour" as unit:
                if self.now() - self._last[name] < interval.amount * SECONDS[unit]:
                    return False
                self._last[name] = self.now()
                return True


class Alternation:
    """A pure function of the clock: nothing to remember, so nothing to back up."""

    def __init__(self, preset: Preset) -> None:
        self._turn = Interval.parse(preset.training.turns)
        self._parts = tuple(preset.trained_parts())

    def active(self, groups: Sequence[Group], clock: Clock) -> set[str]:
        """The names of the groups that learn now; none once all are over.

        Where nothing else would learn, what has not begun begins early: a step that teaches nothing is of no use.
        """
        left = [group for group in groups if not clock.passed(Interval.parse(group.stop_after))]
        begun = [group for group in left if _has_begun(group, clock)] or left
        parts = [component for component in self._parts if any(group.component == component for group in begun)]
        if self._turn.unit == "never" or not parts:
            return {group.name for group in begun}
        done = clock.epoch if self._turn.unit == "epoch" else clock.step
        now = parts[int(done // self._turn.amount) % len(parts)]
        return {group.name for group in begun if group.component in ("", now)}


def _has_begun(group: Group, clock: Clock) -> bool:
    start = Interval.parse(group.start_after)
    return start.unit == "never" or clock.passed(start)
