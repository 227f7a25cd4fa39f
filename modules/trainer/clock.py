"""Where a run stands, and what falls due. A schedule that falls due speaks as the user does: with a command."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field

from modules.messages import BackupNow, Command, SampleNow, SaveNow, ValidateNow
from modules.preset.interval import SECONDS, Interval


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

    def settle(self, epoch_length: int) -> None:
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


COMMANDS: dict[str, Command] = {
    "validate": ValidateNow(), "backup": BackupNow(), "save": SaveNow(), "sample": SampleNow()
}  # fmt: skip


@dataclass
class Alarms:
    """Which commands fall due after a step. Times are counted from when they last fell due."""

    now: Callable[[], float] = time.monotonic
    _last: dict[str, float] = field(default_factory=dict[str, float])

    def due(self, clock: Clock, schedule: Mapping[str, str]) -> Iterator[Command]:
        """`schedule`: an interval for each of "backup", "save", "sample" and, if that is done, "validate".

        Backups come before what takes long; a validation before them, because they hold which was the best.
        """
        for name, command in COMMANDS.items():
            if name in schedule and self._rings(name, Interval.parse(schedule[name]), clock):
                yield command

    def start(self) -> None:
        self._last = dict.fromkeys(COMMANDS, self.now())

    def _rings(self, name: str, interval: Interval, clock: Clock) -> bool:
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
