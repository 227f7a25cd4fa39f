"""A word in a small coloured box."""

from __future__ import annotations

import tkinter as tk
from typing import Literal

from app.gui.kit.base.theme import Painted, px, theme

Tone = Literal["plain", "good", "changed", "error", "accent"]
TONES = {
    "plain": ("raised", "text2"),
    "good": ("good_soft", "good"),
    "changed": ("changed_soft", "changed"),
    "error": ("error_soft", "error"),
    "accent": ("selection", "text"),
}


class Badge(Painted, tk.Label):
    """A state in a word: finished, failed, 8 changed."""

    def __init__(self, master: tk.Misc, text: str, tone: Tone = "plain") -> None:
        super().__init__(master, text=text, bd=0, padx=px(7), pady=px(2), font=theme.font("small"))
        self._tone: Tone = tone
        self.follow_theme()

    def set(self, text: str, tone: Tone | None = None) -> None:
        self._tone = tone or self._tone
        self.configure(text=text)
        self.paint()

    def paint(self) -> None:
        fill, text = TONES[self._tone]
        self.configure(bg=theme.colour(fill), fg=theme.colour(text))
