"""One of a few, all in sight: segments side by side."""

from __future__ import annotations

import tkinter as tk
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from app.gui.kit.base.events import events
from app.gui.kit.base.shapes import RoundBox
from app.gui.kit.base.theme import Painted, px, surface_of, theme
from app.gui.kit.base.tip import show_reason
from app.gui.kit.controls.choice import as_options
from app.gui.kit.controls.option_list import Option, fitting


class Segmented(Painted, tk.Canvas):
    """Two to five options. Left and Right choose with the keyboard."""

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
        self._edges = [0] * (len(self._choices) + 1)
        self.bind("<ButtonRelease-1>", lambda event: self._picked(bisect_right(self._edges, event.x) - 1))
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
        self.configure(bg=behind, height=px(30), width=px(self._wide) or needs)
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
        wide, high = self.winfo_width(), self.winfo_height()
        if wide <= 1:
            return
        self._box.place(0, 0, wide, high)
        self._share(wide)
        edges, at, gap = self._edges, self._at(), px(2)
        hidden = (-40, -40, -20, -20)
        self._chosen.place(*((edges[at] + gap, gap, edges[at + 1] - gap, high - gap) if at >= 0 else hidden))
        for index, (item, option) in enumerate(zip(self._words, self._choices, strict=True)):
            self.coords(item, (edges[index] + edges[index + 1]) // 2, high // 2)
            grey = self.reason or option.reason
            colour = theme.colour("text3" if grey else "text" if index == at else "text2")
            words = fitting(option.label, edges[index + 1] - edges[index] - px(8), "body")
            self.itemconfigure(item, text=words, font=theme.font("body"), fill=colour)

    def _share(self, wide: int) -> None:
        """Room for each: as much more than its words as for the others."""
        words = [theme.measure(option.label, "body") for option in self._choices]
        spare = (wide - sum(words)) / len(words)
        edge = 0.0
        for index, length in enumerate(words):
            edge += max(length + spare, 1.0)
            self._edges[index + 1] = round(edge)
        self._edges[-1] = wide

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
