"""From the engine's thread to the window's tick: a bounded bite of events, told in as few as possible."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import cast

from app.gui.session.engine_client import WindowEvent
from modules.event_stream import condense
from modules.messages import Event

MOST_A_TICK = 1000


class Inbox:
    """The one place where the window looks for news, once a tick, in its own thread."""

    def __init__(self, queue: SimpleQueue[WindowEvent]) -> None:
        self._queue = queue
        self._listeners: list[Callable[[WindowEvent], None]] = []
        self._undelivered: deque[tuple[Callable[[WindowEvent], None], WindowEvent]] = deque()

    def listen(self, call: Callable[[WindowEvent], None]) -> Callable[[], None]:
        """Call with every event from now on. Returns how to end it."""
        self._listeners.append(call)
        return lambda: self._listeners.remove(call) if call in self._listeners else None

    def tick(self, at_most: int = MOST_A_TICK) -> int:
        """Hand on what has come: the newest progress and stage win, every loss is kept. Returns how many came.

        A listener that fails costs nobody else a word: the next tick goes on behind it.
        """
        waiting = list(self._drained(at_most))
        # What the window's side adds (EngineDied) passes through as it is.
        for event in condense(cast("list[Event]", waiting)):
            self._undelivered.extend((call, event) for call in self._listeners)
        while self._undelivered:
            call, event = self._undelivered.popleft()
            call(event)
        return len(waiting)

    def _drained(self, at_most: int) -> Iterator[WindowEvent]:
        for _ in range(at_most):
            try:
                yield self._queue.get_nowait()
            except Empty:
                return
