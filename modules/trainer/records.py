"""What a run leaves to read: events.jsonl, log.txt, TensorBoard. Everything that is told passes through here."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from PIL import Image

from modules.errors import UserError
from modules.messages import (
    BackupSaved,
    Event,
    Failed,
    Finished,
    Mailbox,
    ModelSaved,
    Note,
    Phase,
    Progress,
    SampleReady,
    Started,
    encode,
)


class Told:
    """What is told before a run has its folder: it is handed on at once, and written down when there is where."""

    def __init__(self, events: Mailbox[Event]) -> None:
        self._listeners, self._waiting = events, list[Event]()

    def tell(self, event: Event) -> None:
        self._listeners.put(event)
        if not is_passing(event):
            self._waiting.append(event)

    def hand_over(self, records: Records) -> None:
        for event in self._waiting:
            records.write_down(event)


class Records:
    """Hands events on to whoever listens, and writes them down in the folder of the run."""

    LOG_EVERY = 30.0  # seconds between two lines of progress in log.txt

    def __init__(self, folder: Path, events: Mailbox[Event], *, tensorboard: bool, step: int = 0) -> None:
        """`step`: where the run begins or goes on. TensorBoard forgets what an earlier run of it drew beyond."""
        self.folder, self._listeners = folder, events
        self._events: IO[str] = (folder / "events.jsonl").open("a", encoding="utf-8", buffering=1)
        self._log: IO[str] = (folder / "log.txt").open("a", encoding="utf-8", buffering=1)
        self._board: Any = None
        self._last_line = 0.0
        if tensorboard:
            from torch.utils.tensorboard.writer import SummaryWriter  # noqa: PLC0415 - only runs that want it pay for it

            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if step else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):  # the session tells whoever listens; here it is for those who look afterwards
            self.write_down(_failure(error))
        self._events.close()
        self._log.close()
        if self._board is not None:
            self._board.close()

    def tell(self, event: Event) -> None:
        self._listeners.put(event)
        self.write_down(event)
        if isinstance(event, SampleReady) and self._board is not None:
            with Image.open(event.path) as image:
                picture = np.asarray(image.convert("RGB"))
            title = f"sample {event.number} - {event.prompt[:60]}"
            self._board.add_image(title, picture, event.step, dataformats="HWC")

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """One point for each curve of TensorBoard."""
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def text(self, name: str, text: str) -> None:
        if self._board is not None:
            self._board.add_text(name, text)

    def write_down(self, event: Event) -> None:
        """Only for those who look afterwards: nobody is told."""
        if not is_passing(event):
            self._events.write(f"{encode(event)}\n")
        if line := self._line(event):
            self._write_line(line)

    def _write_line(self, line: str) -> None:
        self._log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")

    def _line(self, event: Event) -> str:
        """The event as a line of log.txt; "" for one that is not written there."""
        if isinstance(event, Progress):
            if time.monotonic() - self._last_line < self.LOG_EVERY and event.step != event.steps:
                return ""
            self._last_line = time.monotonic()
        sentence = SENTENCES.get(type(event))
        return sentence(event) if sentence else ""


def is_passing(event: Event) -> bool:
    """Whether it matters only to those who watch: how far a phase is."""
    return isinstance(event, Phase) and event.done > 0


def _failure(error: Exception) -> Failed:
    if isinstance(error, UserError):
        return Failed(str(error))
    return Failed(f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error)))


def _started(event: Started) -> str:
    origin = f", continued from step {event.resumed_from}" if event.resumed_from >= 0 else ""
    return f"run of {event.steps} steps in {event.epochs} epochs{origin}"


def _progress(event: Progress) -> str:
    return f"step {event.step} of {event.steps}, loss {event.smooth_loss:.4f}, {event.steps_per_second:.2f} steps/s"


SENTENCES: dict[type[Event], Callable[[Any], str]] = {
    Started: _started,
    Progress: _progress,
    Phase: lambda event: event.title if event.done == 0 else "",
    Note: lambda event: event.text if event.level == "info" else f"{event.level.upper()} {event.text}",
    SampleReady: lambda event: f"sample at step {event.step}: {Path(event.path).name}",
    BackupSaved: lambda event: f"backup at step {event.step}: {Path(event.path).name}",
    ModelSaved: lambda event: f"model at step {event.step}: {Path(event.path).name}",
    Failed: lambda event: f"FAILED {event.message}\n{event.details}".rstrip(),
    Finished: lambda event: f"{'stopped' if event.stopped else 'finished'} at step {event.step}",
}
