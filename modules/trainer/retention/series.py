"""What a run has measured so far. A backup holds it: a run that goes on is measured at the steps it would have been."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from modules.trainer.backup import UnreadableBackup, read_entry
from modules.trainer.retention.fixed_loss import Losses
from modules.trainer.retention.schedule import FIRST, Extent, Pace

ENTRY = "retention"  # of a backup

ALARM_AT_ONCE = -0.2  # balance; below 0 alarms the second time in a row


@dataclass(frozen=True)
class Measured:
    """The numbers of a step."""

    step: int
    forgotten: float
    practised: float | None
    held_out: float | None

    @property
    def learnt(self) -> float | None:
        """On images that are not trained on, where there are some."""
        return self.practised if self.held_out is None else self.held_out

    @property
    def balance(self) -> float:
        """What was learnt, less what was forgotten."""
        return (self.learnt or 0.0) - self.forgotten


@dataclass
class Series:
    """All measurements of a run, and what those to come need to know."""

    points: str = ""  # names the points: others make a new series
    measured: list[Measured] = field(default_factory=list[Measured])
    practised: Losses = field(default_factory=Losses)  # before training
    held_out: Losses = field(default_factory=Losses)
    extent: Extent | None = None  # at which points, chosen by the steps that the run had at first
    pace: Pace | None = None
    seconds: float = 0.0  # that measuring has taken, with its preparation

    may_be_missing = True  # in backups of runs that were too short for it, and of older versions

    @property
    def last(self) -> Measured | None:
        return self.measured[-1] if self.measured else None

    @property
    def best(self) -> Measured | None:
        """The best balance since training began."""
        return max((each for each in self.measured if each.step), key=lambda each: each.balance, default=None)

    def is_due(self, step: int, last: int) -> bool:
        """Whether a step is to be measured, and has not been."""
        if self.last and self.last.step >= step:
            return False
        if self.pace is None:  # until the time of a step is known
            return step % FIRST == 0 or step == last
        return self.pace.is_due(step, last)

    def alarms(self, place: int = -1) -> bool:
        """Whether a measurement says that the run forgets faster than it learns."""
        here, before = self.measured[place], self.measured[place - 1] if len(self.measured) > -place else None
        twice = here.balance < 0 and before is not None and before.balance < 0
        return here.step > 0 and here.learnt is not None and (twice or here.balance < ALARM_AT_ONCE)

    @property
    def alarms_anew(self) -> bool:
        """Whether the last measurement is the first of a row that alarms."""
        return self.alarms() and not (len(self.measured) > 1 and self.alarms(-2))

    def state_dict(self) -> dict[str, Any]:
        return asdict(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pace, extent = state["pace"], state.get("extent")
        self.points, self.practised, self.held_out = state["points"], dict(state["practised"]), dict(state["held_out"])
        self.measured = [Measured(**each) for each in state["measured"]]
        self.extent = Extent(**extent) if extent else None
        self.pace, self.seconds = Pace(**pace) if pace else None, state["seconds"]


def earlier_extent(backup: Path | None) -> Extent | None:
    """What the run of a backup was measured with; None where it was not, or where that cannot be read."""
    file = backup / f"{ENTRY}.pt" if backup else None
    if file is None or not file.exists():
        return None
    series = Series()
    try:
        series.load_state_dict(read_entry(file, "cpu"))
    except (UnreadableBackup, LookupError, TypeError):  # who reads the backup as a whole says so
        return None
    return series.extent
