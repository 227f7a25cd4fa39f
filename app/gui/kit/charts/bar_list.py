"""Bars with words: how many of each. For buckets, tags, anything counted."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from dataclasses import dataclass

from app.gui.kit.base.theme import Painted, px, surface_of, theme
from app.gui.kit.controls.option_list import fitting

LINE = 24


@dataclass(frozen=True)
class Bar:
    """One bar; `note` stands at the right instead of the number."""

    label: str
    value: float
    note: str = ""
    role: str = "accent"  # of the bar, and of a note that is not plain


class BarList(Painted, tk.Canvas):
    """Horizontal bars, the longest as long as there is room; as high as it has bars."""

    def __init__(self, master: tk.Misc, *, label_width: float = 96) -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=0, height=px(LINE), width=px(200))
        self.surface = surface_of(master)
        self._bars: Sequence[Bar] = ()
        self._label_width = label_width
        self.bind("<Configure>", lambda _: self._draw())
        self.follow_theme()

    def show(self, bars: Sequence[Bar]) -> None:
        self._bars = list(bars)
        self.configure(height=max(1, px(LINE) * len(self._bars)))
        self._draw()

    def paint(self) -> None:
        self.configure(bg=theme.colour(self.surface), height=max(1, px(LINE) * len(self._bars)))
        self._draw()

    def _draw(self) -> None:
        self.delete("all")
        most = max((bar.value for bar in self._bars), default=0) or 1
        notes = [bar.note or f"{bar.value:,.0f}" for bar in self._bars]
        left = px(self._label_width)
        right = max((theme.font("small").measure(note) for note in notes), default=0) + px(10)
        room = max(self.winfo_width() - left - right, 1)
        for index, (bar, note) in enumerate(zip(self._bars, notes, strict=True)):
            top, middle = index * px(LINE), index * px(LINE) + px(LINE) // 2
            label = fitting(bar.label, left - px(8), "small")
            self.create_text(0, middle, anchor="w", text=label, fill=theme.colour("text2"), font=theme.font("small"))
            end = left + (max(px(2), room * bar.value / most) if bar.value > 0 else 0)
            self.create_rectangle(left, top + px(6), end, top + px(LINE) - px(6), width=0, fill=theme.colour(bar.role))
            colour = theme.colour("text" if bar.role == "accent" else bar.role)
            self.create_text(end + px(6), middle, anchor="w", text=note, fill=colour, font=theme.font("small"))
