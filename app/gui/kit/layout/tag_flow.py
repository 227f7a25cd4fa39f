"""Tags with a number each, in lines: those that count are solid, those that do not are struck through."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from dataclasses import dataclass

from app.gui.kit.base.shapes import RoundBox
from app.gui.kit.base.theme import Painted, px, surface_of, theme

HIGH, GAP, LINE_GAP, SIDE = 20, 5, 4, 8
ROLES = {"lead": ("selection", "text"), "kept": ("raised", "text"), "left": ("", "text3")}  # fill, words


@dataclass(frozen=True)
class TagWord:
    """A tag: "lead" stands for what is put before all others, "left" for what is left out."""

    text: str
    note: str = ""
    look: str = "kept"


class TagFlow(Painted, tk.Canvas):
    """`show(words)`; as high as its lines need, `most_lines` of them."""

    def __init__(self, master: tk.Misc, *, most_lines: int = 3) -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=0, width=1, height=px(HIGH))
        self.surface = surface_of(master)
        self.words: list[TagWord] = []
        self._most_lines = most_lines
        self._drawn: list[tuple[RoundBox, int, int]] = []
        self.bind("<Configure>", lambda _: self._arrange())
        self.follow_theme()

    def show(self, words: Sequence[TagWord]) -> None:
        if list(words) != self.words:
            self.words = list(words)
            self.paint()

    def paint(self) -> None:
        behind = theme.colour(self.surface)
        self.configure(bg=behind)
        while len(self._drawn) < len(self.words):
            self._drawn.append((RoundBox(self), self.create_text(0, 0, anchor="w"), self.create_line(0, 0, 0, 0)))
        for word, (box, text, line) in zip(self.words, self._drawn, strict=False):
            fill, colour = ROLES[word.look]
            shade = theme.colour(fill) if fill else behind
            box.paint(px(4), shade, theme.colour("hairline") if word.look == "left" else shade, behind)
            note = f"  {word.note}" if word.note else ""
            self.itemconfigure(text, text=f"{word.text}{note}", font=theme.font("small"), fill=theme.colour(colour))
            self.itemconfigure(line, fill=theme.colour(colour))
        self._arrange()

    def _arrange(self) -> None:
        room = self.winfo_width()
        left = top = lines = 0
        for number, (box, text, line) in enumerate(self._drawn):
            if room <= 1 or number >= len(self.words):
                self._hide(box, text, line)
                continue
            bounds = self.bbox(text)
            wide = bounds[2] - bounds[0] + 2 * px(SIDE)
            if left and left + wide > room:
                left, top, lines = 0, top + px(HIGH + LINE_GAP), lines + 1
            if lines >= self._most_lines:
                self._hide(box, text, line)
                continue
            self._place((box, text, line), self.words[number], (left, top, min(left + wide, room)))
            left += wide + px(GAP)
        self.configure(height=max(min(lines, self._most_lines - 1), 0) * px(HIGH + LINE_GAP) + px(HIGH))

    def _place(self, drawn: tuple[RoundBox, int, int], word: TagWord, at: tuple[int, int, int]) -> None:
        (box, text, line), (left, top, right) = drawn, at
        middle = top + px(HIGH) // 2
        box.place(left, top, right, top + px(HIGH))
        self.coords(text, left + px(SIDE), middle)
        if word.look == "left":
            struck = theme.font("small").measure(word.text)
            self.coords(line, left + px(SIDE), middle, left + px(SIDE) + struck, middle)
        else:
            self.coords(line, -9, -9, -9, -9)

    def _hide(self, box: RoundBox, text: int, line: int) -> None:
        box.place(-99, -99, -90, -90)
        self.coords(text, -999, -999)
        self.coords(line, -9, -9, -9, -9)
