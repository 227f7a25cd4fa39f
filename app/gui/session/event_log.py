"""What the events of a run tell by step, and its events.jsonl, read as far as it has grown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from modules.messages import (
    BackupSaved,
    Event,
    Failed,
    Finished,
    Message,
    ModelSaved,
    Note,
    Progress,
    Retention,
    SampleReady,
    Started,
    Validated,
)
from modules.system.reading import open_file
from modules.wire import decode

BITE = 4_000_000  # bytes read at once, so that a window's thread is not held up by an old long run
MAX_LINE_BYTES = 4_000_000


Points = list[tuple[float, float]]
MarkKind = Literal["sample", "backup", "model", "rate"]
LISTS = ("losses", "rates", "validations", "retentions", "marks", "remarks")


@dataclass(frozen=True, slots=True)
class Mark:
    """What happened at a step: something was written to `path`, or the learning rate was multiplied by `factor`."""

    step: int
    kind: MarkKind
    path: str = ""
    factor: float = 1.0


@dataclass(kw_only=True)
class RunSeries:
    """The lists only grow; `cut` and `forget` begin new ones."""

    losses: Points = field(default_factory=list[tuple[float, float]])  # step, loss
    rates: Points = field(default_factory=list[tuple[float, float]])  # step, the highest learning rate of the parts
    validations: list[Validated] = field(default_factory=list[Validated])
    retentions: list[Retention] = field(default_factory=list[Retention])
    marks: list[Mark] = field(default_factory=list[Mark])
    remarks: list[Note] = field(default_factory=list[Note])  # on what is learnt and forgotten

    def collect(self, event: object) -> None:
        """Take in what an event tells by step; most tell nothing."""
        match event:
            case Progress():
                self.losses += [(int(step), loss) for step, loss in event.losses]
                if event.rates:
                    self.rates.append((event.step, max(event.rates.values())))
            case Validated():
                self.validations.append(event)
            case Retention():
                self.retentions.append(event)
            case _:
                self._mark(event)

    def _mark(self, event: object) -> None:
        match event:
            case SampleReady(step=step):
                known = any(mark.step == step and mark.kind == "sample" for mark in self.marks[-1:])
                self.marks += [] if known else [Mark(step, "sample")]
            case BackupSaved():
                self.marks.append(Mark(event.step, "backup", event.path))
            case ModelSaved():
                self.marks.append(Mark(event.step, "model", event.path))
            case Note():  # has no step of its own: it is of the last one
                step = int(self.losses[-1][0]) if self.losses else 0
                lower = [each.values["factor"] for each in event.problems if each.code == "rollback.done:lower"]
                self.marks += [Mark(step, "rate", factor=float(factor)) for factor in lower]
                self.remarks += [event] if any(each.code.startswith("retention.") for each in event.problems) else []
            case _:
                return

    def cut(self, last: float) -> None:
        """A run that goes on from a backup forgets what came after it."""
        for name in LISTS:
            setattr(self, name, [entry for entry in getattr(self, name) if _step(entry) <= last])

    def forget(self) -> None:
        """Everything: a run begins anew."""
        self.cut(-math.inf)
        self.remarks = []

    def lengths(self) -> tuple[int, ...]:
        return tuple(len(getattr(self, name)) for name in LISTS)

    def grow(self, other: RunSeries, known: Sequence[int]) -> tuple[int, ...]:
        """Take in what `other` has beyond these lengths; gives its lengths of now."""
        for name, count in zip(LISTS, known, strict=True):
            getattr(self, name).extend(getattr(other, name)[count:])
        return other.lengths()


def _step(entry: Any) -> float:
    return entry[0] if isinstance(entry, tuple) else getattr(entry, "step", 0)


@dataclass
class EventLog(RunSeries):
    """What the events of one run tell, up to the byte that was read last. Damaged lines are passed over."""

    path: Path
    notes: list[Note] = field(default_factory=list[Note])
    resumed: list[Started] = field(default_factory=list[Started])  # from a backup, the last one of each step
    steps: int = 0
    step: int = 0
    end: Finished | Failed | None = None  # None while it runs, and where it was cut off
    damaged: int = 0  # lines that were passed over
    _read: int = 0
    _rest: bytes = b""
    _too_long: bool = False  # the line that is being read

    def update(self, at_most: int = BITE) -> bool:
        """Read what has come since the last call. True: there is more to read already."""
        try:
            with open_file(self.path) as file:
                file.seek(self._read)
                data = file.read(at_most)
        except OSError:
            return False
        self._read += len(data)
        for line in self._whole_lines(data):
            if line.strip():
                self._take(line)
        return len(data) == at_most

    def _whole_lines(self, data: bytes) -> list[bytes]:
        """The lines that end in this piece; of one that is too long to be an event nothing is kept."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if self._too_long and lines:
            lines, self._too_long = lines[1:], False
        if self._too_long or len(self._rest) > MAX_LINE_BYTES:
            self.damaged += not self._too_long
            self._rest, self._too_long = b"", True
        return lines

    def _take(self, line: bytes) -> None:
        event = decoded(line)
        if event is None:
            self.damaged += 1
            return
        match event:
            case Progress():
                self.step, self.steps = event.step, event.steps
            case Started():
                self._continued(event)
            case Finished() | Failed():
                self.end = event
            case Note():
                self.notes.append(event)
            case _:
                pass
        self.collect(event)

    def _continued(self, event: Started) -> None:
        """A run that goes on from a backup forgets what came after it."""
        self.steps, self.end = event.steps, None
        start = event.resumed_from
        self.cut(start)
        self.step = max(start, 0)
        self.resumed = [earlier for earlier in self.resumed if earlier.resumed_from < start]
        self.resumed += [event] if start >= 0 else []


def decoded(line: bytes | str) -> Event | Message | None:
    """The event in a line; None where it is damaged."""
    try:
        return decode(line.decode("utf-8") if isinstance(line, bytes) else line)
    except ValueError:
        return None


def last_events(path: Path, most_bytes: int = 16_000) -> list[Message]:
    """The events at the end of the file, without reading the rest of it."""
    try:
        with open_file(path) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most_bytes))
            lines = file.read(most_bytes).split(b"\n")
    except OSError:
        return []
    whole = lines if size <= most_bytes else lines[1:]
    return [event for event in map(decoded, filter(None, whole)) if event is not None]
