"""What the window asks of a page, and the header above it, with room for a few controls at its right."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Frame, Label, px

MODIFIED = 0x4 | (0x20000 if sys.platform == "win32" else 0x8)  # Control, Alt


class Page(Frame):
    """One entry of the navigation. Made when it is first shown; kept while the window lives.

    Listeners that a page adds to the desk must end in its `destroy`.
    """

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master, "window")
        self.context = context

    def build(self) -> Iterator[None]:
        """Make the widgets. Each `yield` ends a slice of a few milliseconds: the window draws, then goes on."""
        yield from ()

    def shown(self) -> None:
        """It came to the front."""

    def hidden(self) -> None:
        """Another page came to the front."""

    def reveal(self, path: str) -> None:
        """Scroll to a setting, unfold what hides it, and put the focus there."""

    def takes_start(self) -> bool:
        """Ctrl+Return was pressed. True: it means something to this page, and no training is started."""
        return False

    def undo(self) -> bool:
        """Take back what this page did beside the project (files). False: nothing of that, the project's is next."""
        return False

    def redo(self) -> bool:
        """Do it again. False: nothing to do again."""
        return False


def header_of(page: Page) -> tuple[Frame, Label]:
    """Where controls go (pack them to the right), and the line beside the title.

    A page that stands alone, outside the window, gets a header of its own without a title.
    """
    sheet: Any = page.master
    if hasattr(sheet, "head") and hasattr(sheet, "line"):
        head, line = sheet.head, sheet.line
    else:
        head = Frame(page)
        head.pack(fill="x", padx=px(20), pady=(px(12), px(8)))
        line = Label(head, role="text2", wrap=True)
        line.pack(side="left", fill="x", expand=True)
    controls = Frame(head)
    controls.pack(side="right", before=line)  # they keep their room: the line is broken where there is too little
    return controls, line


def bind_keys(page: Frame, acts: Sequence[tuple[str, Callable[[], object]]]) -> None:
    """Have the page and all that is on it hear these keys, before the window does.

    Letters with Control or Alt are left to the window, and so is a key whose act gives False.
    """
    tag = f"Keys{page.winfo_id()}"

    def bound(act: Callable[[], object], *, plain: bool) -> Callable[[Any], str | None]:
        def pressed(event: Any) -> str | None:
            if plain and int(event.state) & MODIFIED:
                return None
            return None if act() is False else "break"

        return pressed

    for sequence, act in acts:
        page.bind_class(tag, sequence, bound(act, plain="Control" not in sequence))
    _hear(page, tag)


def _hear(widget: Any, tag: str) -> None:
    first, *rest = widget.bindtags()
    widget.bindtags((first, tag, *rest))
    for child in widget.winfo_children():
        _hear(child, tag)
