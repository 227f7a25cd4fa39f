"""A button that looks like a link: words in the accent colour."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from app.gui.kit.base.events import events, keyboard
from app.gui.kit.base.theme import Painted, px, surface_of, theme


class LinkButton(Painted, tk.Label):
    """Words that act when clicked, or on space and Return."""

    def __init__(
        self, master: tk.Misc, text: str, on_press: Callable[[], object], *, font: str = "small", role: str = "accent"
    ) -> None:
        super().__init__(master, text=text, font=theme.font(font), cursor="hand2", bd=0, padx=px(2), pady=0)
        self.surface = surface_of(master)
        self._role, self._act = role, on_press
        self.configure(highlightthickness=px(1))
        self.bind("<ButtonRelease-1>", lambda _: self.press())
        self.bind("<Enter>", lambda _: self.configure(fg=theme.colour("text")))
        self.bind("<Leave>", lambda _: self.paint())
        self.bind("<FocusIn>", lambda _: self._ring(events.by_keyboard))
        self.bind("<FocusOut>", lambda _: self._ring(False))
        keyboard(self, self.press)
        self.follow_theme()

    def press(self) -> None:
        self._act()

    def set(self, text: str) -> None:
        self.configure(text=text)

    def paint(self) -> None:
        behind = theme.colour(self.surface)
        self.configure(bg=behind, fg=theme.colour(self._role), highlightbackground=behind)

    def _ring(self, on: bool) -> None:
        self.configure(highlightcolor=theme.colour("accent" if on else self.surface))
