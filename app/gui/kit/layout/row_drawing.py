"""How a row of a list of jobs is drawn: grip, sign, two lines, how far it is, words and links at its right."""

from __future__ import annotations

import tkinter as tk
from dataclasses import dataclass
from typing import Any, Literal

from app.gui.kit.base.icons import icon
from app.gui.kit.base.shapes import RoundBox
from app.gui.kit.base.theme import px, theme
from app.gui.kit.controls.option_list import fitting

PITCH, HEAD = 52, 36
EDGE, GRIP, SIGN, TITLE = 16, 24, 50, 69  # pixels from the left
MIDDLE, WIDEST, BAR_ENDS = 0.35, 0.48, 0.765  # shares of the width: where the middle begins, at most, where bars end
NAME = 240  # pixels of a title that are kept where there is little room
LIFTED = 12  # pixels to the right of a row that is carried
LINES = 2  # that words in the middle may have
Side = Literal["w", "e", "center"]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class ListHead:
    """A line over some rows, with a link at its right."""

    words: str
    link: str = ""
    key: str = ""


@dataclass(frozen=True)
class ListRow:
    """A job. `middle` says how far it is, or why it is not; `share` draws a bar under that."""

    key: Any
    title: str
    below: str = ""
    image: str = "clock"
    role: str = "text2"  # of the sign
    middle: str = ""
    middle_role: str = "text2"
    middle_end: str = ""
    share: float | None = None
    bar_role: str = "accent"
    end: str = ""
    bold: bool = False  # the words at the end
    links: tuple[tuple[str, str], ...] = ()  # names and words, from left to right
    moves: bool = False


class RowDrawing:
    """Draws on a canvas, and knows which link lies where."""

    def __init__(self, canvas: tk.Canvas) -> None:
        self._canvas = canvas
        self._links: list[tuple[Box, str]] = []
        self._cut: dict[Any, str] = {}  # by key, words that had no room

    def link_at(self, x: int, y: int) -> str:
        """The link that was drawn last at this place; "grip" and "menu" are two of a row."""
        return next((name for box, name in reversed(self._links) if _holds(box, x, y)), "")

    def cut(self, row: ListRow) -> str:
        """The whole words of what had no room."""
        return self._cut.get(row.key, "")

    @property
    def _wide(self) -> int:
        return self._canvas.winfo_width()

    def begin(self) -> None:
        """Everything is drawn anew."""
        self._canvas.delete("all")
        self._links.clear()
        self._cut.clear()

    def head(self, head: ListHead, top: int, over: str) -> None:
        """A line over rows."""
        middle = top + px(HEAD) // 2
        room = self._wide - px(2 * EDGE)
        if head.link:
            room -= self._link("head", head.link, self._wide - px(EDGE), middle, over) + px(12)
        self._text(px(EDGE), middle, fitting(head.words, room, "small"), "text2", "small")

    def line(self, y: int) -> None:
        """Where a row would come to."""
        colour = theme.colour("accent")
        self._canvas.create_line(px(EDGE), y, self._wide - px(EDGE), y, fill=colour, width=px(2))
        self._canvas.create_oval(px(EDGE) - px(4), y - px(4), px(EDGE) + px(4), y + px(4), fill=colour, width=0)

    def row(
        self, row: ListRow, top: int, link: str, *, over: bool = False, ring: bool = False, lifted: bool = False
    ) -> None:
        """One row; `lifted`: it is carried."""
        if row.moves and not lifted:
            self._links.append(((0, top, px(GRIP + 12), top + px(PITCH)), "grip"))
        right, cut = px(LIFTED) if lifted else 0, list[str]()
        if over or ring or lifted:
            self._back(top, right, ring=ring, lifted=lifted)
        middle = top + px(PITCH) // 2
        grip = "text2" if row.moves else "hairline"
        self._canvas.create_image(px(GRIP) + right, middle, image=icon("grip-vertical", grip, 16))
        self._canvas.create_image(px(SIGN) + right, middle, image=icon(row.image, row.role, 18))
        begins = round(max(self._wide * MIDDLE, min(px(TITLE + NAME), self._wide * WIDEST))) + right
        ends = self._ending(row, middle, right, link)
        free = ends if row.share is None and not row.middle else begins  # titles take what nothing else needs
        room = free - px(TITLE + 14) - right
        for words, y, role, font in ((row.title, -9, "text", "bold"), (row.below, 9, "text2", "small")):
            self._text(px(TITLE) + right, middle + px(y), self._fit(words, room, font, cut), role, font)
        self._middle(row, middle, begins, ends, cut)
        self._cut[row.key] = "\n".join(cut)

    def _back(self, top: int, right: int, *, ring: bool, lifted: bool) -> None:
        behind = theme.colour("card")
        fill = behind if lifted or ring else theme.colour("raised")
        edge = theme.colour("accent") if lifted or ring else fill
        box = RoundBox(self._canvas)
        box.place(px(8) + right, top + px(1), self._wide - px(12), top + px(PITCH) - px(1))
        box.paint(px(7), fill, edge, behind, px(2) if ring else px(1))

    def _ending(self, row: ListRow, middle: int, right: int, over: str) -> int:
        """Menu, links and words at the right; where they begin."""
        at = self._wide - px(30)
        self._canvas.create_image(at, middle, image=icon("ellipsis", "accent" if over == "menu" else "text2", 16))
        if not right:
            self._links.append(((at - px(14), middle - px(18), at + px(14), middle + px(18)), "menu"))
        at -= px(19)
        for name, words in reversed(row.links):
            at -= self._link(name, words, at, middle, over) + px(10)
        if row.end:
            font = "small_bold" if row.bold else "small"
            at -= self._text(at, middle, row.end, "text", font, "e") + px(10)
        return at

    def _middle(self, row: ListRow, middle: int, begins: int, ends: int, cut: list[str]) -> None:
        room = ends - begins - px(10)
        if row.share is None:
            words = self._fit(row.middle, LINES * room - px(20), "small", cut) if row.middle else ""
            self._text(begins, middle, words, row.middle_role, "small", wrap=room)
            return
        ends = min(begins + room, round(self._wide * BAR_ENDS))
        taken = self._text(ends, middle - px(6), row.middle_end, "text2", "small", "e") if row.middle_end else 0
        words = self._fit(row.middle, ends - begins - taken - px(8), "small", cut)
        self._text(begins, middle - px(6), words, row.middle_role, "small")
        top, bottom = middle + px(8), middle + px(14)
        self._canvas.create_rectangle(begins, top, ends, bottom, fill=theme.colour("hairline"), width=0)
        done = begins + round((ends - begins) * min(max(row.share, 0.0), 1.0))
        self._canvas.create_rectangle(begins, top, done, bottom, fill=theme.colour(row.bar_role), width=0)

    def _link(self, name: str, words: str, right: int, middle: int, over: str) -> int:
        """Words that act; the pixels that they took."""
        wide = self._text(right, middle, words, "text" if over == name else "accent", "small", "e")
        self._links.append(((right - wide - px(4), middle - px(14), right + px(4), middle + px(14)), name))
        return wide

    def _fit(self, words: str, room: int, font: str, cut: list[str]) -> str:
        shown = fitting(words, room, font) if room > 0 else ""
        if shown != words:
            cut.append(words)
        return shown

    def _text(
        self, x: int, y: int, words: str, role: str, font: str, side: Side = "w", wrap: int = 0
    ) -> int:  # fmt: skip
        """Write; the pixels that it took."""
        colour = theme.colour(role)
        self._canvas.create_text(x, y, anchor=side, text=words, fill=colour, font=theme.font(font), width=max(wrap, 0))
        return theme.measure(words, font)


def _holds(box: Box, x: int, y: int) -> bool:
    return box[0] <= x < box[2] and box[1] <= y < box[3]
