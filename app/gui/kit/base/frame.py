"""Plain surfaces: a frame in the colour of a role, and a hairline."""

from __future__ import annotations

import tkinter as tk

from app.gui.kit.base.theme import Painted, px, surface_of, theme


class Frame(Painted, tk.Frame):
    """A surface. Without a role it has the colour of what it stands on."""

    def __init__(self, master: tk.Misc, role: str = "", *, width: float = 0, height: float = 0) -> None:
        super().__init__(master, bd=0, highlightthickness=0, width=px(width), height=px(height), takefocus=0)
        self.surface = role or surface_of(master)
        self.follow_theme()

    def paint(self) -> None:
        self.configure(bg=theme.colour(self.surface))

    def clear(self) -> None:
        """Destroy everything in it."""
        for child in self.winfo_children():
            child.destroy()


class Divider(Painted, tk.Frame):
    """A hairline: lay it out with fill="x", or upright with fill="y"."""

    def __init__(self, master: tk.Misc) -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=0, width=px(1), height=px(1))
        self.surface = "hairline"
        self.follow_theme()

    def paint(self) -> None:
        self.configure(bg=theme.colour("hairline"))
