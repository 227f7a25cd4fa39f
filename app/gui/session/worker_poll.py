"""Work beside the window whose end a widget waits for: asked now and then, and cancelled when the widget goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from app.gui.session.worker import Worker
from modules.errors import UserError

EVERY_MS = 40

T = TypeVar("T")


class Clock(Protocol):
    """What is asked of a widget: its timer."""

    def after(self, ms: int, func: Callable[[], object]) -> str: ...
    def after_cancel(self, id: str) -> None: ...


class WorkerPoll(Generic[T]):
    """One piece of work at a time: a new one cancels the one before. The owner calls `cancel` when it is destroyed.

    Args:
        clock: the widget that waits.
        done: called with the result.
        failed: called with what went wrong, in words.
        progress: called with (done, total) while it runs.
    """

    def __init__(
        self,
        clock: Any,
        done: Callable[[T], object],
        failed: Callable[[UserError], object] = lambda _: None,
        progress: Callable[[int, int], object] = lambda *_: None,
    ) -> None:
        self._clock: Clock = clock
        self._done, self._failed, self._progress = done, failed, progress
        self._work: Worker[T] | None = None
        self._timer = ""

    @property
    def busy(self) -> bool:
        return self._work is not None

    def start(self, work: Worker[T]) -> None:
        """Wait for this work from now on."""
        self.cancel()
        self._work = work
        self._timer = self._clock.after(EVERY_MS, self._ask)

    def cancel(self) -> None:
        """Want nothing any more."""
        if self._work is not None:
            self._work.cancel()
            self._work = None
        if self._timer:
            self._clock.after_cancel(self._timer)
            self._timer = ""

    def _ask(self) -> None:
        self._timer = ""
        work = self._work
        if work is None:
            return
        if work.running:
            self._timer = self._clock.after(EVERY_MS, self._ask)
            self._progress(*work.progress)
            return
        self._work = None
        outcome = work.outcome()
        if outcome is not None and outcome.error is not None:
            self._failed(outcome.error)
        elif outcome is not None and outcome.result is not None:
            self._done(outcome.result)
