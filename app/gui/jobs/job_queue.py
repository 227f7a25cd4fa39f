"""The queue's file as the window sees it: looked at now and then, by its version, and changed by what a person does."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from app.gui.draft.problem_labels import WORDS
from modules.errors import UserError
from modules.jobs.entry import Entry
from modules.jobs.queue import Queue, WhenDone, queue_file

POLL_S = 0.5
TRY_AGAIN_S = 5.0  # where the file cannot be read; and how often it is asked who still runs

T = TypeVar("T")


class JobQueue:
    """`tick` as often as you like. What it holds is as of the last look; several windows see the same.

    Args:
        file: None for that of this user. It is made by the first change.
    """

    def __init__(self, file: Path | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.file = file or queue_file()
        self.entries: list[Entry] = []
        self.on = self.interrupted = False
        self.when_done: WhenDone = "nothing"
        self.ends_at: float | None = None  # when the computer will sleep or shut down, in seconds since 1970
        self.trouble = ""  # why the file cannot be read
        self.note = ""  # that it was damaged, and where it lies now
        self._clock = clock
        self._queue: Queue | None = None
        self._version = -1
        self._next = self._next_recovery = 0.0
        self._listeners: list[Callable[[], object]] = []

    @property
    def count(self) -> int:
        """That run or wait."""
        return sum(entry.state in ("running", "waiting") for entry in self.entries)

    def of_state(self, *states: str) -> list[Entry]:
        """In their order."""
        return [entry for entry in self.entries if entry.state in states]

    def listen(self, call: Callable[[], object]) -> Callable[[], None]:
        """Call after each change, whoever made it; what is returned ends that."""
        self._listeners.append(call)
        return lambda: self._listeners.remove(call) if call in self._listeners else None

    def tick(self) -> None:
        """Look whether something has changed."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + POLL_S
        if self._queue is None and not self.file.exists():
            return
        try:
            self._look(self._opened(), now)
        except UserError as error:
            self._next = now + TRY_AGAIN_S
            self._tell_trouble(error.text(WORDS))

    def act(self, change: Callable[[Queue], T]) -> T:
        """Change the queue; what it holds here is of afterwards.

        Raises:
            UserError: it cannot be changed so, or the file cannot be written.
        """
        queue = self._opened()
        try:
            return change(queue)
        finally:
            self._look(queue, self._clock())

    def close(self) -> None:
        if self._queue is not None:
            self._queue.close()
            self._queue = None

    def _opened(self) -> Queue:
        if self._queue is None:
            self._queue = Queue(self.file)
            self._version = -1
            aside = self._queue.put_aside
            self.note = WORDS.sentence(aside) if aside else ""
        return self._queue

    def _look(self, queue: Queue, now: float) -> None:
        if now >= self._next_recovery:
            self._next_recovery = now + TRY_AGAIN_S
            queue.recover()
        version = queue.version
        if version == self._version and not self.trouble:
            return
        self._version, self.trouble = version, ""
        self.entries = queue.entries()
        self.on, self.interrupted = queue.on, queue.interrupted
        self.when_done, self.ends_at = queue.when_done, queue.ends_at
        self._tell()

    def _tell_trouble(self, words: str) -> None:
        if words != self.trouble:
            self.trouble = words
            self._tell()

    def _tell(self) -> None:
        for call in list(self._listeners):
            call()
