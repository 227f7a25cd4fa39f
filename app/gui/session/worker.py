"""Work beside the window: one thread for one thing, with progress, cancel, and an end that the tick asks for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from modules.errors import UserError

T = TypeVar("T")
Report = Callable[[int, int], None]  # done, total
Stop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What came out: a result, or what went wrong in words. Neither, if it was cancelled."""

    result: T | None = None
    error: UserError | None = None


class Worker(Generic[T]):
    """Runs `work(report, stop)` in a thread of its own from the moment it is made.

    `work` calls `report(done, total)` now and then, and ends early when `stop()` says so. A UserError of it is kept for
    whoever asks; any other error is a fault of the program, kept likewise, and raised in the thread of who asks.
    """

    def __init__(self, work: Callable[[Report, Stop], T]) -> None:
        self.progress = (0, 0)
        self._work = work
        self._cancelled = threading.Event()
        self._result: T | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="background", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Ask it to end; its result will not be asked for any more."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def ends_within(self, seconds: float) -> bool:
        """Wait so long, at most. Whether it has ended."""
        self._thread.join(seconds)
        return not self.running

    def outcome(self) -> Outcome[T] | None:
        """What came out; None while it runs. Never waits."""
        return None if self.running else self._outcome()

    def wait(self) -> Outcome[T]:
        """What came out, once it has. For tests and for the end of the program."""
        self._thread.join()
        return self._outcome()

    def _outcome(self) -> Outcome[T]:
        if self.cancelled:
            return Outcome()
        if isinstance(self._error, UserError):
            return Outcome(error=self._error)
        if self._error is not None:
            raise self._error
        return Outcome(self._result)

    def _run(self) -> None:
        try:
            self._result = self._work(self._report, self._cancelled.is_set)
        except Exception as error:  # noqa: BLE001 - the edge of the thread: `outcome` raises it where it is seen
            self._error = error

    def _report(self, done: int, total: int) -> None:
        self.progress = (done, total)
