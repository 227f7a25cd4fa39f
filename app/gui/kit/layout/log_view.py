"""Lines of a log: colours by level, one filter, follows the end unless the reader has scrolled away."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from typing import Any, Literal

from app.gui.kit.base.scroll_bar import SlimBar
from app.gui.kit.base.theme import Painted, mixed, px, surface_of, theme

Level = Literal["detail", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("detail", "info", "warning", "error")
ROLES = {"detail": "text3", "info": "text2", "warning": "changed", "error": "error"}
MOST = 5000
CUT = 1000  # so many of the oldest go at once


class LogView(Painted, tk.Frame):
    """`append` many lines at once: one insert costs what a line costs."""

    def __init__(self, master: tk.Misc, *, lines: int = 12) -> None:
        super().__init__(master, bd=0, highlightthickness=0)
        self.surface = surface_of(master)
        self._count = 0
        self._follows = True
        self.text = tk.Text(
            self, height=lines, width=40, wrap="word", bd=0, highlightthickness=px(1), state="disabled", padx=px(8),
            pady=px(6), font=theme.font("mono"), spacing1=px(1), spacing3=px(1), takefocus=1,
        )  # fmt: skip
        self._bar = SlimBar(self, self._dragged)
        self.text.configure(yscrollcommand=lambda first, last: self._bar.set(float(first), float(last)))
        self.text.pack(side="left", fill="both", expand=True)
        self._bar.pack(side="right", fill="y")
        for sequence in ("<Control-a>", "<Control-A>"):
            self.text.bind(sequence, self._select_all)
        self.text.bind("<Tab>", self._leave)
        self.text.bind("<Configure>", lambda _: self._settle())
        for sequence in ("<MouseWheel>", "<Button-4>", "<Button-5>", "<KeyRelease>"):
            self.text.bind(sequence, lambda _: self.after_idle(self._check_scrolled), add=True)
        self.follow_theme()

    @property
    def at_end(self) -> bool:
        return float(self.text.yview()[1]) > 0.999

    def append(self, lines: Sequence[tuple[Level, str]]) -> None:
        """Add lines of (level, text)."""
        if not lines:
            return
        parts: list[Any] = []
        for level, line in lines[-MOST:]:
            parts += [line + "\n", level]
        self._count += len(parts) // 2
        self.text.configure(state="normal")
        self.text.insert("end", *parts)
        if self._count > MOST + CUT:
            self.text.delete("1.0", f"{self._count - MOST + 1}.0")
            self._count = MOST
        self.text.configure(state="disabled")
        self._settle()

    def clear(self) -> None:
        self._count = 0
        self.text.configure(state="normal")
        self.text.delete("1.0", "end")
        self.text.configure(state="disabled")

    def only(self, least: Level) -> None:
        """Show lines of this level and above."""
        for level in LEVELS:
            self.text.tag_configure(level, elide=LEVELS.index(level) < LEVELS.index(least))

    def to_end(self) -> None:
        """Show the newest lines, and those to come."""
        self._follows = True
        self.text.yview_moveto(1.0)

    def _settle(self) -> None:
        if self._follows:
            self.text.yview_moveto(1.0)

    def _check_scrolled(self) -> None:
        """The reader has scrolled: whoever is at the end wants to stay there."""
        if self.winfo_exists():
            self._follows = self.at_end

    def _dragged(self, share: float) -> None:
        self.text.yview_moveto(share)
        self._check_scrolled()

    def content(self) -> str:
        """What is marked, else all lines: for the clipboard."""
        if self.text.tag_ranges("sel"):
            return self.text.get("sel.first", "sel.last")
        return self.text.get("1.0", "end-1c")

    def paint(self) -> None:
        fill = theme.colour("input")
        self.configure(bg=theme.colour(self.surface))
        self.text.configure(
            bg=fill, fg=theme.colour("text2"), selectbackground=mixed(theme.colour("accent"), fill, 0.55),
            selectforeground=theme.colour("text"), highlightbackground=fill, highlightcolor=theme.colour("accent"),
            inactiveselectbackground=mixed(theme.colour("accent"), fill, 0.7),
        )  # fmt: skip
        for level, role in ROLES.items():
            self.text.tag_configure(level, foreground=theme.colour(role))
        self.text.tag_raise("sel")

    def _select_all(self, _: tk.Event[Any]) -> str:
        self.text.tag_add("sel", "1.0", "end-1c")
        return "break"

    def _leave(self, _: tk.Event[Any]) -> str:
        after = self.text.tk_focusNext()
        if after is not None:
            after.focus_set()
        return "break"
