"""Upright sliders side by side: one value for each of many columns, which dragging across draws as a curve."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from math import ceil, floor
from typing import Any

from app.gui.kit.base.events import events, leave_to_window
from app.gui.kit.base.shapes import pill
from app.gui.kit.base.theme import Painted, px, surface_of, theme
from app.gui.kit.charts.columns import WORDS, Column, draw_words, middles, pitch_of
from app.gui.kit.charts.line_plot import NUMBERS

EDGE, KNOB, TOLD = 8, 13, 16  # pixels: around the knobs, a knob, the words above it
STEP, FINE = 0.05, 0.01  # of the arrow keys, of the pointer


class SliderBank(Painted, tk.Canvas):
    """From 0 to 1, and further where a value is. What a person changes is given to `on_change` by the column's key.

    A knob is dragged; dragging across draws a curve, and a double click gives `usual`. Left and Right choose a knob, Up
    and Down move it by 0.05, Home and End to the ends.
    """

    def __init__(
        self, master: tk.Misc, on_change: Callable[[dict[str, float]], object], *, height: float = 112
    ) -> None:
        super().__init__(master, bd=0, highlightthickness=px(2), takefocus=1, width=px(200), height=px(height))
        self.surface = surface_of(master)
        self._on_change, self._height = on_change, height
        self.columns: Sequence[Column] = ()
        self.values: dict[str, float] = {}
        self.usual, self.chosen = 0.5, -1
        self._last: tuple[float, float] | None = None  # where the pointer was while it is held down
        self._at: list[float] = []  # middles of the columns
        self.reason = ""
        self._listen()
        self.follow_theme()

    def show(self, columns: Sequence[Column], values: Mapping[str, float], usual: float) -> None:
        self.columns, self.values, self.usual = list(columns), dict(values), usual
        self.chosen = min(self.chosen, len(self.columns) - 1)
        self._draw()

    def disable(self, reason: str) -> None:
        self.reason = reason
        self._draw()

    def place_of(self, key: str, value: float) -> tuple[float, float]:
        """Where the knob of a column lies with this value, in pixels."""
        return self._at[[column.key for column in self.columns].index(key)], self._y(value)

    def paint(self) -> None:
        behind = theme.colour(self.surface)
        self.configure(bg=behind, highlightbackground=behind, height=px(self._height + WORDS))
        self._ring(False)
        self._draw()

    # Changing ---------------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        self.bind("<Configure>", lambda _: self._draw())
        self.bind("<Button-1>", self._press)
        self.bind("<B1-Motion>", self._drag)
        self.bind("<ButtonRelease-1>", lambda _: self._release())
        self.bind("<Double-Button-1>", lambda event: self._put({self._nearest(event.x): self.usual}))
        for key, steps in (("Up", 1), ("Down", -1)):
            self.bind(f"<{key}>", lambda _, steps=steps: self._step(steps))
        for key, by in (("Left", -1), ("Right", 1)):
            self.bind(f"<{key}>", lambda _, by=by: self._choose(by))
        for key, value in (("Home", 0.0), ("End", 1.0)):
            self.bind(f"<{key}>", lambda _, value=value: self._put({max(0, self.chosen): value}))
        leave_to_window(self)
        self.bind("<Motion>", lambda event: self._hover(event.x))
        self.bind("<FocusIn>", lambda _: self._ring(events.by_keyboard))
        self.bind("<FocusOut>", lambda _: self._ring(False))

    def _press(self, event: tk.Event[Any]) -> None:
        if not self.columns or self.reason:
            return
        self.focus_set()
        self._last = (event.x, event.y)
        self.chosen = self._nearest(event.x)
        self._move(event.x, event.y)

    def _drag(self, event: tk.Event[Any]) -> None:
        if self._last is not None:
            self._move(event.x, event.y)

    def _move(self, x: float, y: float) -> None:
        """Along the line from where the pointer was: it may have jumped over columns."""
        assert self._last is not None
        (x0, y0), self._last = self._last, (x, y)
        first, last = self._nearest(x0), self._nearest(x)
        changes: dict[int, float] = {last: self._value(y)}
        for number in range(min(first, last) + 1, max(first, last)):
            changes[number] = self._value(y0 + (y - y0) * (self._at[number] - x0) / (x - x0))
        self.chosen = last
        self._put(changes)

    def _release(self) -> None:
        self._last = None

    def _step(self, steps: int) -> str:
        if self.columns:
            number = max(0, self.chosen)
            value = round(self.values[self.columns[number].key] / STEP + steps) * STEP
            self._put({number: min(max(value, 0.0), 1.0)})
        return "break"

    def _choose(self, by: int) -> str:
        if self.columns:
            self.chosen = (self.chosen + by) % len(self.columns) if self.chosen >= 0 else 0
            self._draw()
        return "break"

    def _put(self, changes: Mapping[int, float]) -> str:
        if self.columns and not self.reason:
            named = {self.columns[number].key: round(value, 4) for number, value in changes.items()}
            self.chosen = next(iter(changes))
            self.values |= named
            self._draw()
            self._on_change(named)
        return "break"

    # Places and drawing -----------------------------------------------------------------------------------------------

    @property
    def _limits(self) -> tuple[int, int]:
        return min(0, floor(min(self.values.values(), default=0))), max(1, ceil(max(self.values.values(), default=1)))

    @property
    def _span(self) -> tuple[int, int]:
        """The top and the bottom of the sliders."""
        return px(EDGE + TOLD), px(self._height - EDGE)

    def _y(self, value: float) -> float:
        (low, high), (top, bottom) = self._limits, self._span
        return bottom - (value - low) / (high - low) * (bottom - top)

    def _value(self, y: float) -> float:
        (low, high), (top, bottom) = self._limits, self._span
        share = min(max((bottom - y) / (bottom - top), 0.0), 1.0)
        return round((low + share * (high - low)) / FINE) * FINE

    def _nearest(self, x: float) -> int:
        return min(range(len(self._at)), key=lambda number: abs(self._at[number] - x), default=0)

    def _hover(self, x: float) -> None:
        if self.columns and not self.reason:
            self.delete("told")
            self._tell(self._nearest(x))

    def _draw(self) -> None:
        self.delete("all")
        left, wide = px(EDGE + NUMBERS), self.winfo_width() - px(2 * EDGE + NUMBERS)
        if not self.columns or wide < 1:
            return
        pitch = pitch_of(self.columns, wide)
        self._at = middles(self.columns, left, pitch)
        low, high = self._limits
        for value in (low, (low + high) / 2, high):
            y = self._y(value)
            self.create_line(left, y, left + wide, y, fill=theme.colour("hairline"))
            self.create_text(
                left - px(8), y, anchor="e", text=f"{value:g}", fill=theme.colour("text3"), font=theme.font("small")
            )
        for column, x in zip(self.columns, self._at, strict=True):
            self._draw_slider(x, self.values[column.key], min(px(KNOB), max(px(6), int(pitch) - px(1))))
        draw_words(self, self.columns, self._at, px(self._height - EDGE) + px(4))
        if self.chosen >= 0:
            self._tell(self.chosen)

    def _draw_slider(self, x: float, value: float, knob: int) -> None:
        lit, half = theme.colour("text3" if self.reason else "accent"), px(3) / 2
        (top, bottom), y = self._span, self._y(value)
        self.create_rectangle(x - half, top, x + half, bottom, width=0, fill=theme.colour("hairline"))
        self.create_rectangle(x - half, y, x + half, self._y(0), width=0, fill=lit)
        self.create_image(x, y, image=pill(knob, knob, lit, theme.colour(self.surface)))

    def _tell(self, number: int) -> None:
        """Name and value of a column, above all."""
        column, x = self.columns[number], self._at[number]
        words = f"{column.key}  {self.values[column.key]:.2f}"
        half = theme.measure(words, "small_bold") / 2
        x = min(max(x, half + px(2)), self.winfo_width() - half - px(4))
        y, font = px(EDGE), theme.font("small_bold")
        self.delete("told")
        self.create_text(x, y, text=words, fill=theme.colour("text"), font=font, tags="told")

    def _ring(self, on: bool) -> None:
        self.configure(highlightcolor=theme.colour("accent" if on else self.surface))
