"""Tags with their counts, as many as there is room for; those that are lit belong to what is chosen."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Collection, Sequence
from typing import Any

from app.gui.kit.base.events import events, leave_to_window
from app.gui.kit.base.shapes import RoundBox
from app.gui.kit.base.theme import Painted, px, surface_of, theme
from app.gui.kit.base.tip import show_reason, the_tip, tip
from app.gui.kit.controls.option_list import fitting

HIGH, GAP, INSIDE = 20, 5, 8
LONGEST = 150  # pixels of the words of a chip


class _Drawn:
    """The items of one chip, and where it lies."""

    def __init__(self, canvas: tk.Canvas) -> None:
        self.box = RoundBox(canvas)
        self.words, self.count = (canvas.create_text(-99, -99, anchor=anchor) for anchor in ("w", "e"))
        self.left = self.top = self.right = 0


class TagChips(Painted, tk.Canvas):
    """`show(tags, lit)`; nothing else moves when it changes, because its size is its master's affair.

    Left and Right walk, space and Return press.

    Args:
        on_press: called with the tag.
        on_menu: called with the tag after a right click.
        hint: what the tip of a chip says.
    """

    def __init__(
        self,
        master: tk.Misc,
        on_press: Callable[[str], object],
        on_menu: Callable[[str], object],
        *,
        hint: str = "",
    ) -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=1, width=1, height=1)
        self.surface = surface_of(master)
        self._on_press, self._on_menu, self._hint = on_press, on_menu, hint
        self._tags: Sequence[tuple[str, int]] = ()
        self._lit: Collection[str] = ()
        self.reason = ""
        self._drawn: list[_Drawn] = []
        self._fits = 0  # how many chips can be seen
        self._at, self._over = 0, -1
        self._listen()
        tip(self, self._tip_text)
        self.follow_theme()

    def _listen(self) -> None:
        self.bind("<Configure>", lambda _: self.paint())
        self.bind("<Motion>", lambda event: self._point(self._index(event.x, event.y)))
        self.bind("<Leave>", lambda _: self._point(-1), add=True)
        self.bind("<ButtonRelease-1>", lambda event: self._press(self._index(event.x, event.y)))
        self.bind("<Button-3>", self._menu)
        self.bind("<FocusIn>", lambda _: self.paint())
        self.bind("<FocusOut>", lambda _: self.paint(), add=True)
        for key, step in (("Left", -1), ("Right", 1)):
            self.bind(f"<{key}>", lambda _, step=step: self._walk(step))
        for key in ("space", "Return", "KP_Enter"):
            self.bind(f"<{key}>", lambda _: self._press(self._at))
        leave_to_window(self)

    def show(self, tags: Sequence[tuple[str, int]], lit: Collection[str]) -> None:
        """Tags with how many images have them, the most important first."""
        if (tags, lit) != (self._tags, self._lit):
            self._tags, self._lit = tags, lit
            self.paint()

    def disable(self, reason: str) -> None:
        """Nothing can be pressed; with an empty reason again."""
        if reason != self.reason:
            self.reason = reason
            show_reason(self)
            self.paint()

    def paint(self) -> None:
        behind, room, bottom = theme.colour(self.surface), self.winfo_width(), self.winfo_height()
        self.configure(bg=behind)
        left, top, self._fits = 0, 0, 0
        focused = events.by_keyboard and self.focus_get() is self
        for index, (tag, count) in enumerate(self._tags if room > 1 else ()):
            words, number = fitting(tag, px(LONGEST), "small"), f"{count:,}"
            wide = theme.measure(words, "small") + theme.measure(number, "small") + px(2 * INSIDE + 6)
            if left and left + wide > room:
                left, top = 0, top + px(HIGH + GAP)
            if top + px(HIGH) > bottom:
                break
            if index == len(self._drawn):
                self._drawn.append(_Drawn(self))
            drawn = self._drawn[index]
            drawn.left, drawn.top, drawn.right = left, top, min(left + wide, room)
            self._paint_chip(drawn, words, number, behind, index, ring=focused and index == self._at)
            left, self._fits = left + wide + px(GAP), index + 1
        for drawn in self._drawn[self._fits :]:
            drawn.box.place(-99, -99, -90, -90)
            for item in (drawn.words, drawn.count):
                self.coords(item, -99, -99)
                self.itemconfigure(item, text="")

    def _paint_chip(self, drawn: _Drawn, words: str, number: str, behind: str, index: int, *, ring: bool) -> None:
        lit, over = self._tags[index][0] in self._lit, index == self._over and not self.reason
        fill = theme.colour("selection" if lit else "hover" if over else "raised")
        edge = theme.colour("accent") if ring or (over and lit) else fill
        drawn.box.place(drawn.left, drawn.top, drawn.right, drawn.top + px(HIGH))
        drawn.box.paint(px(4), fill, edge, behind)
        middle = drawn.top + px(HIGH) // 2
        colours = ("text3",) * 2 if self.reason and not lit else ("text", "text2")
        for item, text, x, role in zip(
            (drawn.words, drawn.count), (words, number), (drawn.left + px(INSIDE), drawn.right - px(INSIDE)), colours,
            strict=True,
        ):  # fmt: skip
            self.coords(item, x, middle)
            self.itemconfigure(item, text=text, fill=theme.colour(role), font=theme.font("small"))

    def _index(self, x: int, y: int) -> int:
        for index, drawn in enumerate(self._drawn[: self._fits]):
            if drawn.left <= x < drawn.right and drawn.top <= y < drawn.top + px(HIGH):
                return index
        return -1

    def _point(self, over: int) -> None:
        if over != self._over:
            self._over = over
            self.paint()
            if over >= 0:
                the_tip.soon(self)

    def _tip_text(self) -> str:
        """The whole words of one that is cut, and what pressing it does."""
        if not 0 <= self._over < self._fits:
            return ""
        tag = self._tags[self._over][0]
        return f"{tag}\n{self._hint}" if fitting(tag, px(LONGEST), "small") != tag else self._hint

    def _press(self, index: int) -> str:
        if 0 <= index < self._fits and not self.reason:
            self._at = index
            self._on_press(self._tags[index][0])
        return "break"

    def _menu(self, event: tk.Event[Any]) -> None:
        index = self._index(event.x, event.y)
        if index >= 0:
            self._on_menu(self._tags[index][0])

    def _walk(self, step: int) -> str:
        self._at = min(max(self._at + step, 0), max(self._fits - 1, 0))
        self.paint()
        return "break"
