"""One bar of several parts against a limit: what fills a card's memory."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from dataclasses import dataclass

from app.gui.kit.base.theme import Painted, px, surface_of, theme

BAR, LINE, GAP, SQUARE = 22, 20, 14, 10


@dataclass(frozen=True)
class Part:
    """A part of the bar; `inside` is written on it where there is room, `note` stands in the legend."""

    label: str
    value: float
    inside: str
    note: str


@dataclass(frozen=True)
class Limit:
    """How much there is, how much of it can be used, and both in words."""

    whole: float
    usable: float
    words: str


class StackedBar(Painted, tk.Canvas):
    """Parts side by side, a mark at what can be used, and a legend that wraps; red where the parts are too many."""

    def __init__(self, master: tk.Misc) -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=0, width=px(200), height=px(BAR))
        self.surface = surface_of(master)
        self._parts: Sequence[Part] = ()
        self._limit = Limit(1, 1, "")
        self.bind("<Configure>", lambda _: self._draw())
        self.follow_theme()

    def show(self, parts: Sequence[Part], limit: Limit) -> None:
        self._parts, self._limit = [part for part in parts if part.value > 0], limit
        self._draw()

    def paint(self) -> None:
        self.configure(bg=theme.colour(self.surface))
        self._draw()

    def _draw(self) -> None:
        self.delete("all")
        wide = self.winfo_width()
        if wide <= 1:
            return
        total = sum(part.value for part in self._parts)
        scale = wide / max(total, self._limit.whole, 1)
        self.create_rectangle(0, 0, wide, px(BAR), width=0, fill=theme.colour("raised"))
        left = 0.0
        for place, part in enumerate(self._parts):
            left = self._draw_part(part, left, left + part.value * scale, theme.curve(place))
        self._draw_limit(self._limit.usable * scale, over=total > self._limit.usable)
        height = self._draw_legend(wide, px(BAR + LINE + 6))
        self.configure(height=height)

    def _draw_part(self, part: Part, left: float, right: float, colour: str) -> float:
        self.create_rectangle(left, 0, max(right - 1, left + 1), px(BAR), width=0, fill=colour)
        if theme.measure(part.inside, "small_bold") + px(8) < right - left:
            font, white = theme.font("small_bold"), "#FFFFFF" if theme.mode == "light" else theme.colour("window")
            self.create_text((left + right) / 2, px(BAR) / 2, text=part.inside, font=font, fill=white)
        return right

    def _draw_limit(self, x: float, *, over: bool) -> None:
        self.create_rectangle(x - px(1), -1, x + px(1), px(BAR + 4), width=0, fill=theme.colour("text"))
        words, font, half = self._limit.words, theme.font("small"), theme.measure(self._limit.words, "small") / 2
        middle = min(max(x, half), self.winfo_width() - half)
        role = "error" if over else "text2"
        self.create_text(middle, px(BAR + 5), anchor="n", text=words, font=font, fill=theme.colour(role))

    def _draw_legend(self, wide: int, top: int) -> int:
        """Squares with names and notes, in as many lines as it takes; gives where they end."""
        left = 0
        for place, part in enumerate(self._parts):
            label, note = theme.measure(part.label, "small"), theme.measure(part.note, "small")
            needs = px(SQUARE + 5) + label + px(6) + note
            if left and left + needs > wide:
                left, top = 0, top + px(LINE)
            middle, text = top + px(LINE) // 2, left + px(SQUARE + 5)
            corner = middle - px(SQUARE) // 2
            square = (left, corner, left + px(SQUARE), corner + px(SQUARE))
            self.create_rectangle(*square, width=0, fill=theme.curve(place))
            for x, words, role in ((text, part.label, "text2"), (text + label + px(6), part.note, "text")):
                colour = theme.colour(role)
                self.create_text(x, middle, anchor="w", text=words, font=theme.font("small"), fill=colour)
            left += needs + px(GAP)
        return top + px(LINE)
