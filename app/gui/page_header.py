"""The header above a page: its line of words, which a page may change, and room at the right for a few controls."""

from __future__ import annotations

from typing import Any

from app.gui.kit import Frame, Label, px
from app.gui.page import Page


def header_of(page: Page) -> tuple[Frame, Label]:
    """Where controls go (pack them to the right), and the line beside the title.

    A page that stands alone, outside the window, gets a header of its own without a title.
    """
    sheet: Any = page.master
    if hasattr(sheet, "head") and hasattr(sheet, "line"):
        return sheet.head, sheet.line
    bar = Frame(page)
    bar.pack(fill="x", padx=px(20), pady=(px(12), px(8)))
    line = Label(bar, role="text2")
    line.pack(side="left")
    return bar, line
