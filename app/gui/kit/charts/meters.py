"""Bars: how far a work is, and how full something is."""

from __future__ import annotations

import tkinter as tk

from app.gui.kit.base.theme import Painted, px, surface_of, theme

FULL = 0.92  # from here a meter is amber


class Progress(Painted, tk.Canvas):
    """A thin bar: `set(0.4)`; `set(None)` where it cannot be known how far it is (a still, striped bar)."""

    def __init__(self, master: tk.Misc, share: float | None = 0.0, *, height: float = 6, role: str = "accent") -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=0, height=px(height), width=px(60))
        self.share, self._role, self._high = share, role, height
        self._bar = self.create_rectangle(0, 0, 0, 0, width=0)
        self.bind("<Configure>", lambda _: self._draw())
        self.follow_theme()

    def set(self, share: float | None, role: str | None = None) -> None:
        """`share` from 0 to 1."""
        if (share, role or self._role) != (self.share, self._role):
            self.share, self._role = share, role or self._role
            self._draw()

    def paint(self) -> None:
        self.configure(bg=theme.colour("hairline"), height=px(self._high))
        self._draw()

    def _draw(self) -> None:
        unknown = self.share is None
        wide = self.winfo_width() * min(max(self.share if self.share is not None else 1.0, 0.0), 1.0)
        self.coords(self._bar, 0, 0, wide, self.winfo_height())
        self.itemconfigure(self._bar, fill=theme.colour(self._role), stipple="gray25" if unknown else "")


class Meter(Painted, tk.Frame):
    """A label, what it reads in words, and a bar that turns amber when it is nearly full."""

    def __init__(self, master: tk.Misc, label: str, *, warns: bool = True) -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=0)
        self.surface = surface_of(master)
        self._warns = warns
        self.label = tk.Label(self, text=label, bd=0, padx=0, pady=0, anchor="w", font=theme.font("small"))
        self.value = tk.Label(self, text="\u2013", bd=0, padx=0, pady=0, anchor="e", font=theme.font("small"))
        self.bar = Progress(self, height=5)
        self.columnconfigure(1, weight=1)
        self.label.grid(row=0, column=0, sticky="w")
        self.value.grid(row=0, column=1, sticky="e")
        self.bar.grid(row=1, column=0, columnspan=2, sticky="ew", pady=(px(5), 0))
        self.follow_theme()

    def set(self, share: float, words: str) -> None:
        """`share` of what there is, 0 to 1, and the same in words: "10.7 / 12 GB"."""
        if words != self.value.cget("text"):
            self.value.configure(text=words)
        self.bar.set(share, "changed" if self._warns and share >= FULL else "accent")

    def paint(self) -> None:
        behind = theme.colour(self.surface)
        self.configure(bg=behind)
        self.label.configure(bg=behind, fg=theme.colour("text2"))
        self.value.configure(bg=behind, fg=theme.colour("text"))
