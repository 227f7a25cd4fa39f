"""What a run leaves to read: events.jsonl, log.txt, TensorBoard. Everything that is told passes through here."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from PIL import Image

from modules.event_text import sentence
from modules.messages import Event, Failed, Finding, Mailbox, Note, Progress, Result, SampleReady, Stage, note
from modules.sentences.problem import Problem, problem
from modules.system.failures import failure_of
from modules.trainer.run_folder.append_log import AppendLog
from modules.wire import encode


class EarlyEvents:
    """What is told before a run has its folder: it is handed on at once, and written down when there is where."""

    def __init__(self, events: Mailbox[Event], *, again: bool = False) -> None:
        """`again`: this process has begun the run before, and noted everything then."""
        self._listeners, self._waiting, self._again = events, list[Event](), again
        self._records: Records | None = None

    def tell(self, event: Event) -> None:
        if self._records is not None:
            self._records.tell(event)
            return
        if self._again and isinstance(event, Note):
            return
        self._listeners.put(event)
        if not is_transient(event):
            self._waiting.append(event)

    def write_to(self, records: Records) -> None:
        """From here on, too: a family says later what it said while it was opened."""
        self._records = records
        for event in self._waiting:
            records.write_down(event)


class Records:
    """Hands events on to whoever listens, and writes them down in the folder of the run.

    A disk that does not take them never ends a run: lines wait in memory, TensorBoard is switched off, and it is said.
    """

    LOG_EVERY = 30.0  # seconds between two lines of progress in log.txt

    def __init__(self, folder: Path, events: Mailbox[Event], *, tensorboard: bool, step: int = 0) -> None:
        """`step`: where the run begins or goes on. TensorBoard forgets what an earlier run of it drew beyond."""
        self.folder, self._listeners = folder, events
        self._events = AppendLog(folder / "events.jsonl", records=True)
        self._log = AppendLog(folder / "log.txt", records=False)
        self.step = step  # until the first curve is drawn: which backup can be read is not known before
        self._draws = tensorboard
        self._board: Any = None
        self._last_line = -math.inf
        self._troubled = False
        self._stage = ""  # the code of the last event, if that was a stage

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The session tells whoever listens; here it is for those who look afterwards.
        if error is not None:
            self.write_down(failure_of(error))
        for lines in (self._events, self._log):
            if lost := lines.close():
                what = problem("log.lost", count=lost, file=str(lines.path), reason=_reason(lines.trouble))
                self._listeners.put(note(what, level="warning"))
        if self._board is not None:
            self._draw(lambda board: board.close())

    def tell(self, event: Event) -> None:
        self._listeners.put(event)
        self.write_down(event)
        if isinstance(event, SampleReady) and self._draws:
            self._add_picture(event)

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """One point for each curve of TensorBoard."""

        def add(board: Any) -> None:
            for name, value in values.items():
                board.add_scalar(name, value, step)

        self._draw(add)

    def text(self, name: str, text: str) -> None:
        self._draw(lambda board: board.add_text(name, text))

    def write_down(self, event: Event) -> None:
        """Only for those who look afterwards: nobody is told."""
        if not is_transient(event):
            self._events.add(encode(event))
        if line := self._line(event):
            self._write_line(line)
        self._say_trouble()

    def _write_line(self, line: str) -> None:
        self._log.add(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}")

    def _say_trouble(self) -> None:
        """Once for each time that the disk begins to refuse lines."""
        trouble = self._events.trouble or self._log.trouble
        if trouble and not self._troubled:
            self._troubled = True
            waits = problem("log.waits", folder=str(self.folder), reason=_reason(trouble))
            self._listeners.put(note(waits, level="warning"))
        elif not trouble and self._troubled:
            self._troubled = False
            self._listeners.put(note(problem("log.written", folder=str(self.folder))))

    def _draw(self, work: Callable[[Any], None]) -> None:
        """Add something to TensorBoard; the first time that its disk does not take it is the last."""
        if not self._draws:
            return
        try:
            self._board = self._board or self._new_board()
            work(self._board)
        except OSError as error:
            self._draws = False
            if self._board is not None:
                self._board.abandon()
            self.tell(note(problem("log.no-tensorboard", reason=_reason(error)), level="warning"))

    def _new_board(self) -> Any:
        from modules.trainer.run_folder.tensorboard import TensorBoardWriter  # noqa: PLC0415 - only runs that want it pay for it

        folder = self.folder / "tensorboard"
        return TensorBoardWriter(folder, self.step + 1 if self.step else (0 if folder.exists() else None))

    def _add_picture(self, event: SampleReady) -> None:
        try:
            with Image.open(event.path) as image:
                picture = np.asarray(image.convert("RGB"))
        except OSError:  # taken away as soon as it was there: then nobody wants to see it
            return
        title = f"sample {event.number} - {event.prompt[:60]}"
        self._draw(lambda board: board.add_image(title, picture, event.step, dataformats="HWC"))

    def _line(self, event: Event) -> str:
        """The event as a line of log.txt; "" for one that is not written there, as a stage that is told again."""
        last, self._stage = self._stage, event.code if isinstance(event, Stage) else ""
        if isinstance(event, Stage) and event.code == last:
            return ""
        if isinstance(event, Progress):
            if time.monotonic() - self._last_line < self.LOG_EVERY and event.step != event.steps:
                return ""
            self._last_line = time.monotonic()
        if isinstance(event, Failed):
            return f"{sentence(event)}\n{event.details}".rstrip()
        return "" if isinstance(event, Finding | Result) else sentence(event)


def is_transient(event: Event) -> bool:
    """Whether it matters only to those who watch: how far a phase is."""
    return isinstance(event, Stage) and event.done > 0


def _reason(error: OSError | None) -> str | Problem:
    return Problem("log.too-many") if error is None else (error.strerror or str(error))
