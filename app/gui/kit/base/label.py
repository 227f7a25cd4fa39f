"""Text in a role: a plain tk.Label, fifteen times cheaper than CTkLabel."""

from __future__ import annotations

import tkinter as tk
from typing import Any, Literal

from app.gui.kit.base.icons import icon
from app.gui.kit.base.theme import Painted, px, surface_of, theme


class Label(Painted, tk.Label):
    """Text in the font and the colour of a role.

    Args:
        font: small, body, bold, section, title or mono.
        role: text, text2, text3, accent, changed, error, good.
        wrap: break lines at the width that the label gets.
        image: name of an icon to the left of the text, in the same colour.
    """

    def __init__(
        self,
        master: tk.Misc,
        text: str = "",
        *,
        font: str = "body",
        role: str = "text",
        wrap: bool = False,
        image: str = "",
        size: float = 16,
        anchor: Literal["w", "e", "center", "n", "nw"] = "w",
    ) -> None:
        super().__init__(master, text=text, anchor=anchor, padx=0, pady=0, bd=0, font=theme.font(font), takefocus=0)
        self._role, self._image, self._size = role, image, size
        self.surface = surface_of(master)
        if image:
            self.configure(compound="left" if text else "none")
        if wrap:
            self.configure(justify="center" if anchor == "center" else "left")
            self.bind("<Configure>", self._wrap)
        self.follow_theme()

    def paint(self) -> None:
        colour = theme.colour(self._role)
        self.configure(bg=theme.colour(self.surface), fg=colour)
        if self._image:
            self.configure(image=icon(self._image, self._role, self._size, gap=6 if self.cget("text") else 0))

    def set(self, text: str, role: str | None = None) -> None:
        """New words, and a new colour if a role is given. Costs nothing if nothing changes."""
        if text != self.cget("text"):
            self.configure(text=text)
        if role is not None and role != self._role:
            self._role = role
            self.paint()

    def _wrap(self, event: tk.Event[Any]) -> None:
        if abs(event.width - int(str(self.cget("wraplength")))) > px(2):
            self.configure(wraplength=event.width)
