"""What the window asks of a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.gui.desk import Desk
from app.gui.kit import Frame


class Page(Frame):
    """One entry of the navigation. Made when it is first shown; kept while the window lives.

    Listeners that a page adds to the desk must end in its `destroy`.
    """

    def __init__(self, master: Any, desk: Desk) -> None:
        super().__init__(master, "window")
        self.desk = desk

    def build(self) -> Iterator[None]:
        """Make the widgets. Each `yield` ends a slice of a few milliseconds: the window draws, then goes on."""
        yield from ()

    def shown(self) -> None:
        """It came to the front."""

    def hidden(self) -> None:
        """Another page came to the front."""

    def reveal(self, path: str) -> None:
        """Scroll to a setting, unfold what hides it, and put the focus there."""

    def undo(self) -> bool:
        """Take back what this page did beside the project (files). False: nothing of that, the project's is next."""
        return False

    def redo(self) -> bool:
        """Do it again. False: nothing to do again."""
        return False
