"""Undo, redo and the next problem: each goes to the setting it is about, so that nothing happens unseen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.gui.context import AppContext
from app.gui.pages import page_for
from app.gui.shell.page_stack import PageView
from modules.language import tr


class UndoActions:
    """`front` gives the sheet that is in front: a page may have something of its own to undo."""

    def __init__(self, context: AppContext, front: Callable[[], PageView | None]) -> None:
        self._context, self._front = context, front
        self._problem = ""

    def undo(self) -> None:
        page = self._page()
        if page is None or not page.undo():
            self._show(self._context.draft.undo(), tr("Undone"))

    def redo(self) -> None:
        page = self._page()
        if page is None or not page.redo():
            self._show(self._context.draft.redo(), tr("Redone"))

    def by_key(self, *, redo: bool = False) -> None:
        """What is being typed counts as a change first; a text of several lines undoes its own letters."""
        focus: Any = self._context.app.focus_get()
        if focus is not None and focus.winfo_class() == "Text" and str(focus.cget("state")) == "normal":
            return
        flush = getattr(getattr(focus, "master", None), "flush", None)
        if flush is not None:
            flush()
        (self.redo if redo else self.undo)()

    def next_problem(self) -> str:
        """Another problem each time, in the order of the pages; "" if there is none."""
        self._problem = self._context.draft.next_problem(self._problem)
        return self._problem

    def _show(self, entry: Any, word: str) -> None:
        if entry is None:
            return
        if entry.title and not entry.path:
            self._context.notify(f"{word}: {entry.title}")
        elif entry.path:
            self._context.go(page_for(entry.path), entry.path)

    def _page(self) -> Any:
        sheet = self._front()
        return sheet.page if sheet is not None else None
