"""The log of a run: levels, and a button that copies it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Button, Frame, Level, LogView, Segmented, labelled, px
from app.gui.session.run_state import Line
from modules.language import tr

FILTERS = {"info": "All", "warning": "Warnings", "error": "Errors"}


class LogPanel(Frame):
    """`follow` the lines of this window, or `show` those of an old run."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master)
        self.context = context
        self._lines: Sequence[Line] = ()
        self._shown = 0
        head = Frame(self)
        head.pack(fill="x", pady=(0, px(6)))
        self.copy = Button(head, tr("Copy"), self._copy, kind="quiet", image="copy", height=26)
        self.copy.pack(side="right")
        self.filter = Segmented(head, labelled(FILTERS), "info", self._only)
        self.filter.pack(side="left")
        self.view = LogView(self, lines=5)
        self.view.pack(fill="both", expand=True)

    def follow(self, lines: Sequence[Line]) -> None:
        """Show these, and what is added to them whenever `refresh` is called."""
        self._lines, self._shown = lines, 0
        self.view.clear()
        self.refresh()

    def refresh(self) -> None:
        new = self._lines[self._shown :]
        self._shown += len(new)
        self.view.append([(level(line), in_log(line)) for line in new])

    def _only(self, least: Level) -> None:
        self.view.only(least)
        self.view.to_end()

    def _copy(self) -> None:
        self.context.app.copy(self.view.content())
        self.context.notify(tr("The log is on the clipboard."))


def level(line: Line) -> Level:
    return "warning" if line.level == "warning" else "error" if line.level == "error" else "info"


def in_log(line: Line) -> str:
    """With its time, where that is known."""
    return f"{time.strftime('%H:%M:%S', time.localtime(line.when))}  {line.text}" if line.when else line.text
