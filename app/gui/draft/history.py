"""Undo and redo: one stack for the whole window, of states from before and after each change."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

MERGED_WITHIN_S = 0.6  # letters that are typed in one go are undone in one go
MOST = 500

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Entry(Generic[S]):
    """One change. The window shows the setting at `path` when it is undone, so that no undo is invisible."""

    path: str  # "" for a change of everything
    title: str  # "Robot LoRA loaded"; "" where the path says enough
    before: S
    after: S
    at: float
    typed: bool  # may be merged with the next change of the same path


class History(Generic[S]):
    """The stack. A state is whatever the owner wants back; it must never be changed in place."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._done: list[Entry[S]] = []
        self._undone: list[Entry[S]] = []

    def record(self, path: str, before: S, after: S, *, title: str = "", typed: bool = False) -> None:
        """Remember a change; what was undone before it cannot be redone any more."""
        now = self._clock()
        last = self._done[-1] if self._done else None
        if last and typed and last.typed and last.path == path and not self._undone and self._soon(now, last):
            self._done[-1] = replace(last, after=after, at=now)
        else:
            self._done.append(Entry(path, title, before, after, now, typed))
            del self._done[:-MOST]
        self._undone.clear()

    def _soon(self, now: float, last: Entry[S]) -> bool:
        return now - last.at <= MERGED_WITHIN_S

    def undo(self) -> Entry[S] | None:
        """The change to take back, or None."""
        return self._moved(self._done, self._undone)

    def redo(self) -> Entry[S] | None:
        """The change to make again, or None."""
        return self._moved(self._undone, self._done)

    def _moved(self, source: list[Entry[S]], target: list[Entry[S]]) -> Entry[S] | None:
        if not source:
            return None
        entry = replace(source.pop(), typed=False)  # what is typed after an undo is a change of its own
        target.append(entry)
        return entry

    @property
    def can_undo(self) -> bool:
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        return bool(self._undone)
