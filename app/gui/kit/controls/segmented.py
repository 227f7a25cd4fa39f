"""One of a few, all in sight: segments side by side."""

from __future__ import annotations

import tkinter as tk
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any

from app.gui.kit.base.events import events
from app.gui.kit.base.shapes import RoundBox
from app.gui.kit.base.theme import Painted, px, surface_of, theme
from app.gui.kit.base.tip import show_reason
from app.gui.kit.controls.choice import as_options
from app.gui.kit.controls.option_list import Option, fitting

HIGH = 30  # of a line
LEAST = 12  # room beside the words of a segment


class Segmented(Painted, tk.Canvas):
    """Two to five options. Left and Right choose with the keyboard.

    Where it is too narrow for their words, some stand in a second line: words that are cut off are no choice.
    """

    def __init__(
        self,
        master: tk.Misc,
        options: Sequence[Option | str],
        value: Any = None,
        on_change: Callable[[Any], object] | None = None,
        *,
        width: float = 0,
    ) -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=1, width=1, height=1)
        self.surface = surface_of(master)
        self._choices, self._value, self._on_change, self._wide = as_options(options), value, on_change, width
        self._ring = False
        self.reason = ""
        self._box, self._chosen = RoundBox(self), RoundBox(self)
        self._words = [self.create_text(0, 0) for _ in self._choices]
        self.bind("<Configure>", lambda _: self._arrange())
        self._lines = [range(len(self._choices))]  # which options stand in each line
        self._edges: list[list[int]] = [[0]]  # where they begin and end, line by line
        self.bind("<ButtonRelease-1>", lambda event: self._picked(self._at_place(event.x, event.y)))
        self.bind("<FocusIn>", lambda _: self._focus(events.by_keyboard))
        self.bind("<FocusOut>", lambda _: self._focus(False))
        self.bind("<Left>", lambda _: self._picked(self._beside(-1)))
        self.bind("<Right>", lambda _: self._picked(self._beside(1)))
        self.follow_theme()

    def get(self) -> Any:
        return self._value

    def set(self, value: Any) -> None:
        """Choose `value`, without telling anyone."""
        if value != self._value:
            self._value = value
            self._arrange()

    def offer(self, options: Sequence[Option | str]) -> None:
        """As many options as before, called otherwise."""
        if (choices := as_options(options)) != self._choices:
            self._choices = choices
            self.paint()

    def disable(self, reason: str) -> None:
        self.reason = reason
        show_reason(self)
        self.paint()

    def invalid(self, wrong: bool) -> None:
        del wrong  # a segment cannot be wrong

    def paint(self) -> None:
        back = theme.colour("raised")
        behind = theme.colour(self.surface)
        needs = sum(theme.measure(option.label, "body") + px(28) for option in self._choices)
        self.configure(bg=behind, height=px(HIGH) * len(self._lines), width=px(self._wide) or needs)
        edge = theme.colour("accent") if self._ring else back
        self._box.paint(px(7), back, edge, behind, px(2) if self._ring else px(1))
        soft = theme.colour("selection") if not self.reason else back
        self._chosen.paint(px(5), soft, theme.colour("accent") if not self.reason else back, back)
        self._arrange()

    def _at(self) -> int:
        return next((i for i, option in enumerate(self._choices) if option.value == self._value), -1)

    def _beside(self, step: int) -> int:
        """The next one on a side that can be chosen; -1: none."""
        at = self._at()
        on_that_side = range(at + step, len(self._choices) if step > 0 else -1, step)
        return next((index for index in on_that_side if not self._choices[index].reason), -1)

    def _arrange(self) -> None:
        wide = self.winfo_width()
        if wide <= 1:
            return
        self._break_lines(wide)
        self._box.place(0, 0, wide, px(HIGH) * len(self._lines))
        self._chosen.place(-40, -40, -20, -20)
        for number, line in enumerate(self._lines):
            self._arrange_line(number, line)

    def _arrange_line(self, number: int, line: range) -> None:
        edges, at, gap, top = self._edges[number], self._at(), px(2), px(HIGH) * number
        for place, index in enumerate(line):
            left, right, option = edges[place], edges[place + 1], self._choices[index]
            if index == at:
                self._chosen.place(left + gap, top + gap, right - gap, top + px(HIGH) - gap)
            self.coords(self._words[index], (left + right) // 2, top + px(HIGH) // 2)
            grey = self.reason or option.reason
            colour = theme.colour("text3" if grey else "text" if index == at else "text2")
            words = fitting(option.label, right - left - px(8), "body")
            self.itemconfigure(self._words[index], text=words, font=theme.font("body"), fill=colour)

    def _break_lines(self, wide: int) -> None:
        """As few lines as hold all words; one that is longer than a line is cut off."""
        starts, room = [0], wide
        for index, option in enumerate(self._choices):
            needs = theme.measure(option.label, "body") + px(LEAST)
            if needs > room and index > starts[-1]:
                starts.append(index)
                room = wide
            room -= needs
        lines = [range(start, end) for start, end in pairwise([*starts, len(self._choices)])]
        if len(lines) != len(self._lines):
            self.configure(height=px(HIGH) * len(lines))
        self._lines, self._edges = lines, [self._shared(wide, line) for line in lines]

    def _shared(self, wide: int, line: range) -> list[int]:
        """Room for each: as much more than its words as for the others."""
        words = [theme.measure(self._choices[index].label, "body") for index in line]
        spare = (wide - sum(words)) / len(words)
        begins = accumulate((max(length + spare, 1.0) for length in words[:-1]), initial=0.0)
        return [*(round(edge) for edge in begins), wide]

    def _at_place(self, x: int, y: int) -> int:
        """The option there; -1: none."""
        number = min(max(y, 0) // px(HIGH), len(self._lines) - 1)
        place = bisect_right(self._edges[number], x) - 1
        return self._lines[number][place] if 0 <= place < len(self._lines[number]) else -1

    def _focus(self, ring: bool) -> None:
        self._ring = ring
        self.paint()

    def _picked(self, index: int) -> None:
        if self.reason or not 0 <= index < len(self._choices) or self._choices[index].reason:
            return
        value = self._choices[index].value
        if value != self._value:
            self.set(value)
            if self._on_change is not None:
                self._on_change(value)
