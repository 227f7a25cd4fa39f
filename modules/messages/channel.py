"""How messages go from thread to thread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic

from modules.messages.commands import Command
from modules.messages.events import Event
from modules.messages.message import T


class Mailbox(Generic[T]):
    """A queue that is only ever emptied, never waited on: neither thread can block the other."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[T] = SimpleQueue()

    def put(self, message: T) -> None:
        self._queue.put(message)

    def drain(self, at_most: int = 200) -> Iterator[T]:
        """Yield what has arrived, oldest first; bounded, so that a window that drains stays responsive."""
        for _ in range(at_most):
            try:
                yield self._queue.get_nowait()
            except Empty:
                return


@dataclass(frozen=True)
class Channel:
    events: Mailbox[Event]
    commands: Mailbox[Command]

    @classmethod
    def open(cls) -> Channel:
        return cls(Mailbox(), Mailbox())
