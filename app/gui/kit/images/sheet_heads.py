"""The heads of a picture sheet: words over the columns and before the rows, which stay while the pictures move."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from dataclasses import dataclass

from app.gui.kit.base.icons import icon
from app.gui.kit.base.theme import px, surface_of, theme
from app.gui.kit.controls.option_list import fitting

EDGE = 2
LINE, LOW = 18, 16  # heights of the two lines over a column
STAR = 14


@dataclass(frozen=True)
class Head:
    """Words of a column or a row, smaller ones below in the colour of `role`, and a star for a saved model."""

    text: str
    note: str = ""
    role: str = "text3"
    star: bool = False


@dataclass(frozen=True)
class Items:
    """What is drawn of one head."""

    text: int
    note: int
    star: int


class SheetHeads:
    """Drawn over the cells of a canvas: bands in its colour, and the words of what is in view."""

    def __init__(self, canvas: tk.Canvas, width: float) -> None:
        self._canvas, self._wide = canvas, width
        self.columns: tuple[Head, ...] = ()
        self.rows: tuple[Head, ...] = ()
        self._corner = ("", "")
        band = canvas.create_rectangle
        self._bands = {name: band(0, 0, 0, 0, width=0, tags=name) for name in ("rows", "columns", "corner")}
        self._titles = [canvas.create_text(0, 0, anchor="nw", tags="corner") for _ in range(2)]
        self._pools: dict[str, list[Items]] = {"rows": [], "columns": []}
        self._written: dict[int, tuple[str, ...]] = {}  # what an item says and how: most of it stays while one scrolls

    def show(self, columns: Sequence[Head], rows: Sequence[Head], corner: tuple[str, str]) -> None:
        self.columns, self.rows, self._corner = tuple(columns), tuple(rows), corner

    def room(self) -> tuple[int, int]:
        """Pixels that the heads take at the left and at the top."""
        noted = bool(self._corner[1]) or any(head.note for head in self.columns)
        return px(self._wide), px(LINE) + (px(LOW) if noted else 0) + px(2)

    def paint(self) -> None:
        behind = theme.colour(surface_of(self._canvas))
        self._written.clear()
        for item in self._bands.values():
            self._canvas.itemconfigure(item, fill=behind)

    def arrange(self, rows: range, columns: range, offset: tuple[int, int], each: int) -> None:
        """Words for these rows and columns; `offset` is where the first cell lies from the inner corner."""
        canvas, (wide, high) = self._canvas, self.room()
        right, bottom, edge = canvas.winfo_width(), canvas.winfo_height(), px(EDGE)
        for name, box in (
            ("rows", (0, 0, edge + wide, bottom)),
            ("columns", (0, 0, right, edge + high)),
            ("corner", (0, 0, edge + wide, edge + high)),
        ):
            canvas.coords(self._bands[name], *box)
        for place, items in self._drawn("columns", columns):
            self._column(self.columns[place], items, edge + wide + offset[0] + place * each, each)
        for place, items in self._drawn("rows", rows):
            self._row(self.rows[place], items, edge + high + offset[1] + place * each, each)
        for line, item in enumerate(self._titles):
            canvas.coords(item, edge + px(2), edge + px(2) + line * px(LINE))
            words = fitting(self._corner[line], wide - px(8), "small")
            canvas.itemconfigure(item, text=words, font=theme.font("small"), fill=theme.colour("text3"))
        for name in ("rows", "columns", "corner"):
            canvas.tag_raise(name)

    def _drawn(self, name: str, shown: range) -> list[tuple[int, Items]]:
        """Items for each that is in view; those that are left over say nothing."""
        canvas, pool = self._canvas, self._pools[name]
        while len(pool) < len(shown):
            text, note = (canvas.create_text(0, 0, anchor="nw", tags=name) for _ in range(2))
            pool.append(Items(text, note, canvas.create_image(0, 0, anchor="nw", tags=name)))
        for items in pool[len(shown) :]:
            for item in (items.text, items.note):
                self._say(item, "", ("small", "text"))
            self._star(items.star, False)
        return list(zip(shown, pool, strict=False))

    def _column(self, head: Head, items: Items, left: int, each: int) -> None:
        canvas, top = self._canvas, px(EDGE) + px(1)
        words = fitting(head.text, each - px(4) - (px(STAR + 6) if head.star else 0), "bold")
        self._write(items.text, (left, top), words, ("bold", "text"))
        self._write(items.note, (left, top + px(LINE)), fitting(head.note, each - px(4), "small"), ("small", head.role))
        self._star(items.star, head.star)
        canvas.coords(items.star, left + theme.measure(words, "bold") + px(5), top + px(2))

    def _row(self, head: Head, items: Items, top: int, each: int) -> None:
        """As many lines as the row is high."""
        canvas, wide, left = self._canvas, self.room()[0] - px(8), px(EDGE) + px(2)
        noted = px(LOW) if head.note else 0
        lines = max((each - px(6) - noted) // px(LOW), 1)
        canvas.itemconfigure(items.text, width=wide)
        self._write(items.text, (left, top), fitting(head.text, round(wide * (lines - 0.25 * (lines - 1))), "small"),
                    ("small", "text"))  # fmt: skip
        below = canvas.bbox(items.text)[3] if head.note and head.text else top
        self._write(items.note, (left, below), fitting(head.note, wide, "small"), ("small", head.role))
        self._star(items.star, head.star)
        canvas.coords(items.star, left + wide - px(STAR), top)

    def _write(self, item: int, place: tuple[int, int], words: str, look: tuple[str, str]) -> None:
        self._canvas.coords(item, *place)
        self._say(item, words, look)

    def _say(self, item: int, words: str, look: tuple[str, str]) -> None:
        if self._written.get(item) != (words, *look):
            self._written[item] = (words, *look)
            font, role = look
            self._canvas.itemconfigure(item, text=words, font=theme.font(font), fill=theme.colour(role))

    def _star(self, item: int, there: bool) -> None:
        said = ("star",) if there else ()
        if self._written.get(item) != said:
            self._written[item] = said
            self._canvas.itemconfigure(item, image=icon("star", "changed", STAR) if there else "")
