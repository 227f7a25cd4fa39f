"""Rows by columns of coloured cells; one is pointed at, pinned by a click, and moved by the arrow keys."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.gui.kit.base.events import events, leave_to_window
from app.gui.kit.base.theme import Painted, mixed, px, surface_of, theme
from app.gui.kit.charts.columns import WORDS, Column, draw_words, middles, pitch_of

ROW, EDGE, SPACE = 24, 4, 10  # pixels: a row, around all, between the names of the rows and the cells
BAR, LEGEND = 180, 26
Place = tuple[str, str]  # row, key of the column


class HeatMap(Painted, tk.Canvas):
    """`show` takes for each place a share from 0 to 1 and the role of its colour; what has none is an empty outline.

    `on_look` is called with the place under the pointer, else with the pinned one; None: there is neither.
    """

    def __init__(self, master: tk.Misc, on_look: Callable[[Place | None], object]) -> None:
        super().__init__(master, bd=0, highlightthickness=px(2), takefocus=1, width=px(320), height=px(ROW))
        self.surface = surface_of(master)
        self._on_look = on_look
        self._rows: Sequence[str] = ()
        self._columns: Sequence[Column] = ()
        self._cells: Mapping[Place, tuple[float, str]] = {}
        self._ends = ("", "")
        self._at: list[float] = []
        self._half = 0.0  # of a cell's width
        self.pinned: Place | None = None
        self._looked: Place | None = None
        self.bind("<Configure>", lambda _: self._draw())
        self.bind("<Motion>", lambda event: self._look(self._under(event.x, event.y) or self.pinned))
        self.bind("<Leave>", lambda _: self._look(self.pinned))
        self.bind("<Button-1>", self._click)
        for key, across, down in (("Left", -1, 0), ("Right", 1, 0), ("Up", 0, -1), ("Down", 0, 1)):
            self.bind(f"<{key}>", lambda _, across=across, down=down: self._step(across, down))
        leave_to_window(self)
        self.bind("<FocusIn>", lambda _: self._ring(events.by_keyboard))
        self.bind("<FocusOut>", lambda _: self._ring(False))
        self.follow_theme()

    def show(
        self, rows: Sequence[str], columns: Sequence[Column], cells: Mapping[Place, tuple[float, str]],
        ends: tuple[str, str],
    ) -> None:  # fmt: skip
        """`ends`: what the palest and the strongest colour stand for."""
        self._rows, self._columns, self._cells, self._ends = list(rows), list(columns), dict(cells), ends
        if self.pinned not in self._cells:
            self.pinned = None
        self.paint()

    def middle_of(self, place: Place) -> tuple[int, int]:
        """Where a cell lies, in pixels."""
        column = [each.key for each in self._columns].index(place[1])
        return round(self._at[column]), round(px(EDGE) + (self._rows.index(place[0]) + 0.5) * px(ROW))

    def colour_of(self, place: Place) -> str:
        share, role = self._cells[place]
        return mixed(theme.colour("raised"), theme.colour(role), 0.08 + 0.92 * min(max(share, 0.0), 1.0))

    def paint(self) -> None:
        behind = theme.colour(self.surface)
        height = px(2 * EDGE + WORDS + LEGEND) + px(ROW) * len(self._rows)
        self.configure(bg=behind, highlightbackground=behind, height=height)
        self._ring(False)
        self._draw()

    def _draw(self) -> None:
        self.delete("all")
        left = px(EDGE + SPACE) + max((theme.measure(row, "small") for row in self._rows), default=0)
        wide = self.winfo_width() - left - px(EDGE)
        if not self._rows or not self._columns or wide < 1:
            return
        pitch = min(pitch_of(self._columns, wide), px(34))
        self._at, self._half = middles(self._columns, left, pitch), max(1.0, pitch / 2 - px(1))
        for row in self._rows:
            y = self.middle_of((row, self._columns[0].key))[1]
            self._text(left - px(SPACE), y, row, "e", "text2")
            for column in self._columns:
                self._draw_cell((row, column.key))
        bottom = px(EDGE) + px(ROW) * len(self._rows)
        draw_words(self, self._columns, self._at, bottom)
        self._draw_legend(left, bottom + px(WORDS + LEGEND // 2))
        self._outline()

    def _box(self, place: Place) -> tuple[float, float, float, float]:
        (x, y), half = self.middle_of(place), px(ROW) / 2 - px(1)
        return x - self._half, y - half, x + self._half, y + half

    def _draw_cell(self, place: Place) -> None:
        if place in self._cells:
            self.create_rectangle(*self._box(place), width=0, fill=self.colour_of(place))
        else:
            self.create_rectangle(*self._box(place), outline=theme.colour("hairline"), dash=(2, 3))

    def _draw_legend(self, left: float, y: float) -> None:
        start, low, high = left + theme.measure(self._ends[0], "small") + px(8), theme.colour("raised"), "accent"
        self._text(left, y, self._ends[0], "w", "text2")
        for step in range(30):
            x, colour = start + step * px(BAR) / 30, mixed(low, theme.colour(high), 0.08 + 0.92 * step / 29)
            self.create_rectangle(x, y - px(4), x + px(BAR) / 30 + 1, y + px(4), width=0, fill=colour)
        self._text(start + px(BAR + 8), y, self._ends[1], "w", "text2")

    def _text(self, x: float, y: float, words: str, anchor: Any, role: str) -> None:
        self.create_text(x, y, text=words, anchor=anchor, fill=theme.colour(role), font=theme.font("small"))

    def _outline(self) -> None:
        self.delete("outline")
        if self._looked in self._cells and self._looked is not None:
            box = self._box(self._looked)
            self.create_rectangle(*box, outline=theme.colour("text"), width=px(2), tags="outline")

    def _under(self, x: float, y: float) -> Place | None:
        if not self._at:
            return None
        row = int((y - px(EDGE)) // px(ROW))
        column = next((number for number, at in enumerate(self._at) if abs(at - x) <= self._half), -1)
        place = (self._rows[row], self._columns[column].key) if 0 <= row < len(self._rows) and column >= 0 else None
        return place if place in self._cells else None

    def _look(self, place: Place | None) -> None:
        if place != self._looked:
            self._looked = place
            self._outline()
            self._on_look(place)

    def _click(self, event: tk.Event[Any]) -> None:
        self.focus_set()
        self.pinned = self._under(event.x, event.y)
        self._look(self.pinned)

    def _step(self, across: int, down: int) -> str:
        """To the next cell there is in that direction."""
        keys = [column.key for column in self._columns]
        if self.pinned is None:
            self.pinned = next(iter(self._cells), None)
        else:
            row, column = self._rows.index(self.pinned[0]) + down, keys.index(self.pinned[1]) + across
            while 0 <= row < len(self._rows) and 0 <= column < len(keys):
                if (self._rows[row], keys[column]) in self._cells:
                    self.pinned = (self._rows[row], keys[column])
                    break
                row, column = row + down, column + across
        self._look(self.pinned)
        return "break"

    def _ring(self, on: bool) -> None:
        self.configure(highlightcolor=theme.colour("accent" if on else self.surface))
