"""Rows with a bar each, of which one is chosen: the same amounts against the same kind of limit, to compare."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.gui.kit.base.events import events
from app.gui.kit.base.shapes import dot
from app.gui.kit.base.theme import Painted, px, surface_of, theme
from app.gui.kit.controls.option_list import fitting

BAR, MARK, EDGE, DOT = 6, 14, 10, 14
NAME, START, END, AMOUNT, MIDDLE = 0.15, 0.25, 0.42, 0.57, 0.72  # of the width: where each column begins or ends
START_ALONE = 0.39  # of the bar, in rows without a second name


@dataclass(frozen=True)
class MeterRow:
    """`share` of what the bar stands for is full; `mark` is where it would be too full. The rest is written."""

    value: Any
    label: str
    share: float
    role: str  # colour of the bar
    amount: str
    right: str = ""
    middle: str = ""
    second: str = ""  # beside the label
    mark: float = 0.0  # 0: none


class MeterRows(Painted, tk.Canvas):
    """A click, Up and Down choose a row: `on_pick` is called with its value; without it, rows are only to be read.

    `dots` draws a circle before each.
    """

    def __init__(
        self, master: tk.Misc, on_pick: Callable[[Any], object] | None, *, dots: bool = False, pitch: float = 26
    ) -> None:
        focus = on_pick is not None
        super().__init__(master, bd=0, highlightthickness=0, takefocus=focus, width=px(200), height=px(pitch))
        self.surface = surface_of(master)
        self.rows: Sequence[MeterRow] = ()
        self.chosen: Any = None
        self._on_pick, self._dots, self._pitch, self._ring = on_pick, dots, pitch, False
        self.bind("<Configure>", lambda _: self._draw())
        self.bind("<ButtonRelease-1>", lambda event: self._pick(event.y // px(self._pitch)))
        self.bind("<Up>", lambda _: self._step(-1))
        self.bind("<Down>", lambda _: self._step(1))
        self.bind("<FocusIn>", lambda _: self._focus(events.by_keyboard))
        self.bind("<FocusOut>", lambda _: self._focus(False))
        self.follow_theme()

    def show(self, rows: Sequence[MeterRow], chosen: Any) -> None:
        self.rows, self.chosen = list(rows), chosen
        self.paint()

    def paint(self) -> None:
        self.configure(bg=theme.colour(self.surface), height=max(1, px(self._pitch) * len(self.rows)))
        self._draw()

    def _focus(self, ring: bool) -> None:
        self._ring = ring
        self._draw()

    def _pick(self, index: int) -> None:
        if self._on_pick and 0 <= index < len(self.rows) and self.rows[index].value != self.chosen:
            self.chosen = self.rows[index].value
            self._draw()
            self._on_pick(self.chosen)

    def _step(self, by: int) -> str:
        at = next((number for number, row in enumerate(self.rows) if row.value == self.chosen), -1)
        self._pick(min(max(at + by, 0), len(self.rows) - 1))
        return "break"

    def _draw(self) -> None:
        self.delete("all")
        for number, row in enumerate(self.rows):
            self._draw_row(row, number * px(self._pitch), self.winfo_width())

    def _draw_row(self, row: MeterRow, top: int, wide: int) -> None:
        middle, chosen = top + px(self._pitch) // 2, row.value == self.chosen
        if chosen:
            edge = theme.colour("accent" if self._dots or self._ring else "selection")
            box = (0, top, wide - 1, top + px(self._pitch) - 1)
            self.create_rectangle(*box, fill=theme.colour("selection"), outline=edge, width=px(2 if self._ring else 1))
        left = px(EDGE)
        if self._dots:
            self._draw_dot(left, middle, chosen)
            left += px(24)
        start = wide * (START if row.second else START_ALONE)
        label = fitting(row.label, int((wide * NAME if row.second else start) - left - px(8)), "bold")
        self._text(left, middle, label, "w", "text", "bold" if chosen else "body")
        self._text(wide * NAME, middle, row.second, "w", "text2")
        self._draw_bar(row, start, start + wide * (END - START), middle)
        amount = AMOUNT if row.second else AMOUNT + 0.1
        self._text(wide * amount, middle, row.amount, "e", "text")
        self._text(wide * (MIDDLE + 0.11), middle, row.middle, "e", "text2", "small")
        self._text(wide - px(EDGE), middle, row.right, "e", "text2", "small")

    def _draw_dot(self, left: int, middle: int, chosen: bool) -> None:
        colour, behind = ("accent", "selection") if chosen else ("border", self.surface)
        image = dot(px(DOT), theme.colour(colour), theme.colour(behind), on=chosen)
        self.create_image(left, middle, anchor="w", image=image)

    def _draw_bar(self, row: MeterRow, left: float, right: float, middle: int) -> None:
        top, bottom = middle - px(BAR) // 2, middle + px(BAR) // 2
        self.create_rectangle(left, top, right, bottom, width=0, fill=theme.colour("hairline"))
        end = left + (right - left) * min(max(row.share, 0.0), 1.0)
        self.create_rectangle(left, top, end, bottom, width=0, fill=theme.colour(row.role))
        if row.mark:
            x, half = left + (right - left) * min(row.mark, 1.0), px(MARK) // 2
            self.create_rectangle(
                x - px(1), middle - half, x + px(1), middle + half, width=0, fill=theme.colour("text")
            )

    def _text(self, x: float, y: float, words: str, anchor: Any, role: str, font: str = "body") -> None:
        if words:
            self.create_text(x, y, anchor=anchor, text=words, fill=theme.colour(role), font=theme.font(font))
