"""A value on a line. The wheel does not touch it: a page scrolled past must not change settings."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from app.gui.kit.base.events import events
from app.gui.kit.base.shapes import pill
from app.gui.kit.base.theme import Painted, px, surface_of, theme
from app.gui.kit.base.tip import show_reason

KNOB = 16


class Slider(Painted, tk.Canvas):
    """From `low` to `high` in steps; drag, click, Left and Right, Home and End."""

    def __init__(
        self,
        master: tk.Misc,
        low: float,
        high: float,
        value: float,
        on_change: Callable[[float], object] | None = None,
        *,
        step: float = 1,
        width: float = 160,
    ) -> None:
        super().__init__(master, bd=0, highlightthickness=px(2), takefocus=1, width=px(width), height=px(KNOB))
        self.surface = surface_of(master)
        self._low, self._high, self._step, self._value, self._on_change = low, high, step, value, on_change
        self.reason = ""
        self._rest = self.create_rectangle(0, 0, 0, 0, width=0)
        self._done = self.create_rectangle(0, 0, 0, 0, width=0)
        self._knob = self.create_image(0, 0)
        self.bind("<Configure>", lambda _: self._arrange())
        for sequence in ("<Button-1>", "<B1-Motion>"):
            self.bind(sequence, lambda event: self._to(event.x))
        for sequence, steps in (
            ("<Left>", -1),
            ("<Down>", -1),
            ("<Right>", 1),
            ("<Up>", 1),
            ("<Prior>", -10),
            ("<Next>", 10),
        ):
            self.bind(sequence, lambda _, steps=steps: self._put(self._value + steps * self._step))
        self.bind("<Home>", lambda _: self._put(self._low))
        self.bind("<End>", lambda _: self._put(self._high))
        self.bind("<FocusIn>", lambda _: self._ring(events.by_keyboard))
        self.bind("<FocusOut>", lambda _: self._ring(False))
        self.follow_theme()

    def get(self) -> float:
        return self._value

    def set(self, value: float) -> None:
        """Move it, without telling anyone."""
        self._value = min(max(value, self._low), self._high)
        self._arrange()

    def limits(self, low: float, high: float) -> None:
        self._low, self._high = low, high
        self.set(self._value)

    def disable(self, reason: str) -> None:
        self.reason = reason
        show_reason(self)
        self.paint()

    def paint(self) -> None:
        behind = theme.colour(self.surface)
        self.configure(bg=behind, highlightbackground=behind, height=px(KNOB))
        lit = theme.colour("text3" if self.reason else "accent")
        self.itemconfigure(self._rest, fill=theme.colour("hairline"))
        self.itemconfigure(self._done, fill=lit)
        self.itemconfigure(self._knob, image=pill(px(KNOB), px(KNOB), lit, behind))
        self._arrange()

    def _span(self) -> tuple[int, int]:
        edge = px(2) + px(KNOB) // 2
        return edge, max(self.winfo_width() - edge, edge + 1)

    def _arrange(self) -> None:
        left, right = self._span()
        middle, thin = self.winfo_height() / 2, px(4) / 2
        share = (self._value - self._low) / (self._high - self._low) if self._high > self._low else 0.0
        at = left + share * (right - left)
        self.coords(self._rest, left, middle - thin, right, middle + thin)
        self.coords(self._done, left, middle - thin, at, middle + thin)
        self.coords(self._knob, at, middle)

    def _to(self, x: int) -> None:
        left, right = self._span()
        self._put(self._low + (x - left) / (right - left) * (self._high - self._low))

    def _put(self, value: float) -> str:
        if not self.reason:
            stepped = self._low + round((value - self._low) / self._step) * self._step
            before = self._value
            self.set(stepped)
            if self._value != before and self._on_change is not None:
                self._on_change(self._value)
        return "break"

    def _ring(self, on: bool) -> None:
        self.configure(highlightcolor=theme.colour("accent" if on else self.surface))
