"""On or off: one picture, a twentieth of the cost of CTkSwitch, and visible on white."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from app.gui.kit.base.events import events, keyboard
from app.gui.kit.base.shapes import pill
from app.gui.kit.base.theme import Painted, px, surface_of, theme
from app.gui.kit.base.tip import show_reason


class Switch(Painted, tk.Label):
    """On or off. Click, space and Return turn it; the focus shows as a ring around it."""

    def __init__(self, master: tk.Misc, on: bool = False, on_change: Callable[[bool], object] | None = None) -> None:
        super().__init__(master, bd=0, padx=1, pady=1, highlightthickness=px(2), takefocus=1)
        self.surface = surface_of(master)
        self._on, self._on_change, self.reason = on, on_change, ""
        self.bind("<ButtonRelease-1>", lambda _: self.turn())
        self.bind("<FocusIn>", lambda _: self._ring(events.by_keyboard))
        self.bind("<FocusOut>", lambda _: self._ring(False))
        keyboard(self, self.turn)
        self.follow_theme()

    def get(self) -> bool:
        return self._on

    def set(self, on: bool) -> None:
        """Set it, without telling anyone."""
        if on != self._on:
            self._on = on
            self.paint()

    def turn(self) -> None:
        """The other way, as if clicked."""
        if not self.reason:
            self.set(not self._on)
            if self._on_change is not None:
                self._on_change(self._on)

    def disable(self, reason: str) -> None:
        self.reason = reason
        show_reason(self)
        self.paint()

    def invalid(self, wrong: bool) -> None:
        del wrong  # a switch cannot be wrong

    def paint(self) -> None:
        behind = theme.colour(self.surface)
        track = theme.colour("hairline" if self.reason else "accent" if self._on else "track")
        picture = pill(
            px(36), px(20), track, behind, theme.colour("text3") if self.reason else "#FFFFFF", float(self._on)
        )
        self.configure(image=picture, bg=behind, highlightbackground=behind)

    def _ring(self, on: bool) -> None:
        self.configure(highlightcolor=theme.colour("accent" if on else self.surface))
