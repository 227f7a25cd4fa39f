"""Upright bars side by side, without numbers: the shape of a distribution."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence

from app.gui.kit.base.theme import Painted, px, surface_of, theme

WORDS = 16  # pixels for the words under the bars


class Histogram(Painted, tk.Canvas):
    """Shares of something along a range; `ends` say what lies at its left and at its right."""

    def __init__(self, master: tk.Misc, ends: tuple[str, str], *, height: float = 64) -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=0, width=px(120), height=px(height + WORDS))
        self.surface = surface_of(master)
        self._ends, self._height = ends, height
        self._values: Sequence[float] = ()
        self.bind("<Configure>", lambda _: self._draw())
        self.follow_theme()

    def show(self, values: Sequence[float]) -> None:
        self._values = list(values)
        self._draw()

    def paint(self) -> None:
        self.configure(bg=theme.colour(self.surface), height=px(self._height + WORDS))
        self._draw()

    def _draw(self) -> None:
        self.delete("all")
        width, high = self.winfo_width(), px(self._height)
        most, count = max(self._values, default=0.0) or 1.0, max(len(self._values), 1)
        for place, value in enumerate(self._values):
            left, right = round(place * width / count), round((place + 1) * width / count) - 1
            top = high - round((high - px(2)) * value / most)
            self.create_rectangle(left, top, right, high, width=0, fill=theme.colour("accent"))
        self.create_line(0, high, width, high, fill=theme.colour("border"))
        font, colour, low = theme.font("small"), theme.colour("text2"), high + px(2)
        self.create_text(0, low, anchor="nw", text=self._ends[0], font=font, fill=colour)
        self.create_text(width, low, anchor="ne", text=self._ends[1], font=font, fill=colour)
