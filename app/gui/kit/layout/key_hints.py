"""Keys in small boxes, each with what it does; as many lines as they need."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence

from app.gui.kit.base.shapes import RoundBox
from app.gui.kit.base.theme import Painted, px, surface_of, theme

LINE, BOX, GAP = 20, 17, 12
Hint = tuple[Sequence[str], str]  # keys, what they do


class KeyHints(Painted, tk.Canvas):
    """`KeyHints(master, [(["B"], "base"), (["Esc"], "close")])`.

    `line`: one line at the right edge, with those that there is room for.
    """

    def __init__(self, master: tk.Misc, hints: Sequence[Hint], *, line: bool = False) -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=0, width=1, height=px(LINE))
        self.surface = surface_of(master)
        self._hints, self._line = list(hints), line
        self.bind("<Configure>", lambda _: self._draw())
        self.follow_theme()

    def show(self, hints: Sequence[Hint]) -> None:
        if list(hints) != self._hints:
            self._hints = list(hints)
            self._draw()

    def paint(self) -> None:
        self.configure(bg=theme.colour(self.surface), width=px(40))
        self._draw()

    def _wanted(self, hints: Sequence[Hint]) -> int:
        """Pixels of these in one line."""
        return sum(self._wide(hint) + px(GAP) for hint in hints)

    def _box(self, key: str) -> int:
        return max(theme.measure(key, "small") + px(10), px(BOX))

    def _wide(self, hint: Hint) -> int:
        keys, words = hint
        return sum(self._box(key) + px(4) for key in keys) + theme.measure(words, "small")

    def _draw(self) -> None:
        self.delete("all")
        room = self.winfo_width()
        if room <= 1:
            return
        shown = self._hints
        while self._line and shown and self._wanted(shown) > room:
            shown = shown[:-1]
        left, top = (max(room - self._wanted(shown), 0) if self._line else 0), 0
        for hint in shown:
            if left and left + self._wide(hint) > room:
                left, top = 0, top + px(LINE)
            self._hint(hint, left, top)
            left += self._wide(hint) + px(GAP)
        if top + px(LINE) != int(self.cget("height")):
            self.configure(height=top + px(LINE))

    def _hint(self, hint: Hint, left: int, top: int) -> None:
        keys, words = hint
        middle = top + px(LINE) // 2
        for key in keys:
            wide = self._box(key)
            box = RoundBox(self)
            box.place(left, middle - px(BOX) // 2, left + wide, middle + px(BOX) - px(BOX) // 2)
            edge, behind = theme.colour("hairline"), theme.colour(self.surface)
            box.paint(px(4), theme.colour("raised"), edge, behind)
            self.create_text(left + wide // 2, middle, text=key, font=theme.font("small"), fill=theme.colour("text2"))
            left += wide + px(4)
        self.create_text(left, middle, text=words, anchor="w", font=theme.font("small"), fill=theme.colour("text2"))
