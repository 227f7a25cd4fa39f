"""A slim scroll bar on a canvas. CTkScrollbar lays the whole window out anew each time it is told where it stands."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import Any

from app.gui.kit.base.theme import Painted, mixed, px, surface_of, theme

WIDTH = 9
SHORTEST = 28


class SlimBar(Painted, tk.Canvas):
    """Shows which part is visible; dragging it calls `on_move` with the share (0 to 1) that shall be at the top."""

    def __init__(self, master: tk.Misc, on_move: Callable[[float], object]) -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=0, width=px(WIDTH), height=1)
        self.surface = surface_of(master)
        self._on_move = on_move
        self._first, self._last = 0.0, 1.0
        self._grip: float | None = None
        self._over = False
        self._thumb = self.create_rectangle(0, 0, 0, 0, width=0)
        self.bind("<Configure>", lambda _: self._draw())
        self.bind("<Enter>", lambda _: self._hover(True))
        self.bind("<Leave>", lambda _: self._hover(False))
        self.bind("<Button-1>", self._press)
        self.bind("<B1-Motion>", self._drag)
        self.follow_theme()

    def set(self, first: float, last: float) -> None:
        """The shares of the content at the upper and the lower edge."""
        if (first, last) != (self._first, self._last):
            self._first, self._last = first, last
            self._draw()

    @property
    def needed(self) -> bool:
        return self._last - self._first < 0.9999

    def paint(self) -> None:
        shade = mixed(theme.colour("border"), theme.colour("text"), 0.35 if self._over else 0.0)
        self.configure(bg=theme.colour(self.surface), width=px(WIDTH))
        self.itemconfigure(self._thumb, fill=shade)

    def _hover(self, over: bool) -> None:
        self._over = over
        self.paint()

    def _extent(self) -> tuple[float, float]:
        """Top and length of the thumb in pixels: short ones are made long enough to be caught."""
        high = self.winfo_height()
        length = max((self._last - self._first) * high, min(px(SHORTEST), high))
        shown = self._last - self._first
        top = self._first / (1 - shown) * (high - length) if shown < 1 else 0.0
        return top, length

    def _draw(self) -> None:
        top, length = self._extent()
        wide = px(WIDTH)
        shown = self.needed
        self.coords(self._thumb, px(3) if shown else -9, top, wide - px(1) if shown else -9, top + length)

    def _press(self, event: tk.Event[Any]) -> None:
        top, length = self._extent()
        self._grip = event.y - top if top <= event.y <= top + length else length / 2
        self._drag(event)

    def _drag(self, event: tk.Event[Any]) -> None:
        _, length = self._extent()
        free = self.winfo_height() - length
        if self._grip is not None and free > 0:
            share = min(max((event.y - self._grip) / free, 0.0), 1.0)
            self._on_move(share * (1 - (self._last - self._first)))
