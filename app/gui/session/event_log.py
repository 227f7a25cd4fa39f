"""A run's events.jsonl, read as far as it has grown: losses, notes, its end. Damaged lines are passed over."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from modules.messages import Event, Failed, Finished, Message, Note, Progress, Started, Validated
from modules.system.reading import open_file
from modules.wire import decode

BITE = 4_000_000  # bytes read at once, so that a window's thread is not held up by an old long run
MAX_LINE_BYTES = 4_000_000


@dataclass
class EventLog:
    """What the events of one run tell, up to the byte that was read last."""

    path: Path
    losses: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    rates: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])  # the highest of the parts
    validations: list[Validated] = field(default_factory=list[Validated])
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
                self.losses += [(int(step), loss) for step, loss in event.losses]
                if event.rates:
                    self.rates.append((event.step, max(event.rates.values())))
                self.step, self.steps = event.step, event.steps
            case Started():
                self._continued(event)
            case Finished() | Failed():
                self.end = event
            case Note():
                self.notes.append(event)
            case Validated():
                self.validations.append(event)
            case _:
                return

    def _continued(self, event: Started) -> None:
        """A run that goes on from a backup forgets what came after it."""
        self.steps, self.end = event.steps, None
        start = event.resumed_from
        self.losses = [point for point in self.losses if point[0] <= start]
        self.rates = [point for point in self.rates if point[0] <= start]
        self.validations = [event for event in self.validations if event.step <= start]
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
