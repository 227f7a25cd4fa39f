"""The navigation at the left: icons, words, badges; an entry that does not apply stays, grey, and says why."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.gui.kit.base.events import events, leave_to_window
from app.gui.kit.base.icons import icon
from app.gui.kit.base.theme import Painted, px, surface_of, theme
from app.gui.kit.base.tip import tip
from modules.language import tr

ROW, WORDS = 36, 42  # pixels: of a row's height, before its words


@dataclass(frozen=True)
class Entry:
    """One page: its key, its words, its icon. `line` draws a hairline above it."""

    key: str
    label: str
    image: str
    line: bool = False


class NavList(Painted, tk.Frame):
    """Pages to choose from. Up and Down move, Return, space and click choose.

    `on_choose` gets the key. `badge(key, changed, wrong)`, `count(key, number, words)` and
    `disable(key, reason)` change an entry.
    """

    def __init__(self, master: tk.Misc, entries: Sequence[Entry], on_choose: Callable[[str], object]) -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=0)
        self.surface = surface_of(master)
        self._on_choose = on_choose
        self.rows: dict[str, NavRow] = {}
        self.chosen = ""
        for entry in entries:
            if entry.line:
                Line(self).pack(fill="x", padx=px(14), pady=px(9))
            row = NavRow(self, entry)
            row.pack(fill="x", padx=px(8), pady=1)
            self.rows[entry.key] = row
        self.follow_theme()

    def paint(self) -> None:
        self.configure(bg=theme.colour(self.surface))

    def choose(self, key: str) -> None:
        """Mark an entry as the page that is shown; tells nobody."""
        before, self.chosen = self.chosen, key
        for each in (before, key):
            if each in self.rows:
                self.rows[each].paint()

    def press(self, key: str) -> None:
        """As if clicked."""
        if not self.rows[key].reason:
            self._on_choose(key)

    def badge(self, key: str, changed: int = 0, wrong: int = 0) -> None:
        """A red number of problems, else an amber number of changes, else nothing."""
        self.rows[key].badge(changed, wrong)

    def count(self, key: str, number: int, words: str) -> None:
        """A grey number of what is there, with its words for the tip; 0 for none."""
        self.rows[key].count(number, words)

    def disable(self, key: str, reason: str) -> None:
        """Grey the entry; with an empty reason it can be chosen again."""
        self.rows[key].disable(reason)

    def go(self, row: NavRow, steps: int) -> str:
        """Move the focus up or down."""
        rows = list(self.rows.values())
        rows[(rows.index(row) + steps) % len(rows)].focus_set()
        return "break"


class Line(Painted, tk.Frame):
    """The hairline between groups."""

    def __init__(self, master: tk.Misc) -> None:
        super().__init__(master, height=px(1), bd=0)
        self.follow_theme()

    def paint(self) -> None:
        self.configure(bg=theme.colour("hairline"))


class NavRow(Painted, tk.Canvas):
    """One entry of the navigation."""

    def __init__(self, master: NavList, entry: Entry) -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=1, width=px(168), height=px(ROW))
        self.nav, self.entry, self.reason = master, entry, ""
        self._counts = (0, 0)
        self._there = (0, "")  # how much is there, and its words
        self._over = self._ring = False
        self._frame = self.create_rectangle(0, 0, 0, 0, width=0)
        self._bar = self.create_rectangle(0, 0, 0, 0, width=0)
        self._image = self.create_image(0, 0)
        self._words = self.create_text(0, 0, anchor="w", text=entry.label)
        self._badge = self.create_text(0, 0, anchor="e")
        self.bind("<Configure>", lambda _: self._arrange())
        self.bind("<ButtonRelease-1>", lambda _: master.press(entry.key))
        self.bind("<Enter>", lambda _: self._restyle(over=True))
        self.bind("<Leave>", lambda _: self._restyle(over=False))
        self.bind("<FocusIn>", lambda _: self._restyle(ring=events.by_keyboard))
        self.bind("<FocusOut>", lambda _: self._restyle(ring=False))
        for sequence in ("<Return>", "<space>", "<KP_Enter>"):
            self.bind(sequence, self._pressed)
        leave_to_window(self)
        self.bind("<Up>", lambda _: master.go(self, -1))
        self.bind("<Down>", lambda _: master.go(self, 1))
        tip(self, self._tip_text)
        self.follow_theme()

    def badge(self, changed: int, wrong: int) -> None:
        if (changed, wrong) != self._counts:
            self._counts = (changed, wrong)
            self.paint()

    def count(self, number: int, words: str) -> None:
        if (number, words) != self._there:
            self._there = (number, words)
            self.paint()

    def disable(self, reason: str) -> None:
        if reason != self.reason:
            self.reason = reason
            self.paint()

    def paint(self) -> None:
        chosen = self.nav.chosen == self.entry.key
        behind = theme.colour(self.nav.surface)
        fill = (
            theme.colour("selection")
            if chosen
            else theme.colour("raised")
            if self._over and not self.reason
            else behind
        )
        wide = px(WORDS + 16) + theme.measure(self.entry.label, "body")
        self.configure(bg=fill, height=px(ROW), width=max(px(168), wide))
        edge = theme.colour("accent") if self._ring else fill
        self.itemconfigure(self._frame, fill=fill, outline=edge, width=px(2) if self._ring else 0)
        self.itemconfigure(self._bar, fill=theme.colour("accent") if chosen else fill)
        text = "text3" if self.reason else "text" if chosen else "text2"
        self.itemconfigure(self._image, image=icon(self.entry.image, "accent" if chosen else text, 18))
        self.itemconfigure(self._words, fill=theme.colour(text), font=theme.font("body"))
        changed, wrong = self._counts
        self.itemconfigure(
            self._badge,
            text=str(wrong or changed or self._there[0] or ""),
            font=theme.font("small"),
            fill=theme.colour("error" if wrong else "changed" if changed else "text2"),
        )
        self._arrange()

    def _arrange(self) -> None:
        wide, high = self.winfo_width(), px(ROW)
        self.coords(self._frame, 1, 1, wide - 2, high - 2)
        self.coords(self._bar, 0, px(4), px(3), high - px(4))
        self.coords(self._image, px(23), high // 2)
        self.coords(self._words, px(WORDS), high // 2)
        self.coords(self._badge, wide - px(16), high // 2)

    def _restyle(self, over: bool | None = None, ring: bool | None = None) -> None:
        self._over = self._over if over is None else over
        self._ring = self._ring if ring is None else ring
        self.paint()

    def _pressed(self, _: tk.Event[Any]) -> str:
        self.nav.press(self.entry.key)
        return "break"

    def _tip_text(self) -> str:
        changed, wrong = self._counts
        parts = [
            tr("{wrong} to fix", wrong=wrong) if wrong else "",
            tr("{changed} changed from the preset", changed=changed) if changed else "",
            self._there[1],
        ]
        return ", ".join(part for part in parts if part)
