"""A list of short values as chips: x takes one away, dragging changes the order, a last chip adds."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.gui.kit.base.events import events, leave_to_window
from app.gui.kit.base.icons import icon
from app.gui.kit.base.shapes import RoundBox
from app.gui.kit.base.theme import Painted, px, surface_of, theme
from app.gui.kit.base.tip import show_reason, the_tip, tip
from app.gui.kit.controls.option_list import fitting
from modules.language import tr

HIGH, GAP, LINE_GAP = 20, 5, 4
LONGEST = 118  # pixels of the words of a chip
CROSS, STAR = 12, 13
DRAGS_FROM = 5  # pixels


@dataclass(frozen=True)
class Chip:
    """A value with its words, and a star for a saved model; one that is not right has another colour and says why."""

    value: str
    label: str
    star: bool = False
    role: str = "text"
    note: str = ""  # for its tip


class Drawn:
    """The items of one chip, and where it lies."""

    def __init__(self, canvas: tk.Canvas) -> None:
        self.box = RoundBox(canvas)
        self.words = canvas.create_text(0, 0, anchor="w")
        self.star, self.cross = canvas.create_image(0, 0), canvas.create_image(0, 0)
        self.left = self.top = self.right = 0

    def holds(self, x: int, y: int) -> bool:
        return self.left <= x < self.right and self.top <= y < self.top + px(HIGH)


class Chips(Painted, tk.Canvas):
    """`show(chips)`; as high as its lines need.

    Left and Right walk, Delete takes one away, Alt+Left and Alt+Right move it, space and Return on the last one add.

    Args:
        on_change: called with the values after a person has taken one away or moved one.
        on_add: called when the last chip is pressed.
    """

    def __init__(self, master: tk.Misc, on_change: Callable[[list[str]], object], on_add: Callable[[], object]) -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=1, width=1, height=px(HIGH))
        self.surface = surface_of(master)
        self._on_change, self._on_add = on_change, on_add
        self.chips: list[Chip] = []
        self.reason = ""
        self.at = 0  # the chip that has the keys; the number of chips: the one that adds
        self._drawn: list[Drawn] = []
        self._over = -1
        self._pressed: tuple[int, int, int] | None = None  # which chip, and where
        self._dragged = -1  # where a chip would be put; -1: nothing is dragged
        self._line = self.create_line(0, 0, 0, 0, width=px(2))
        self._listen()
        tip(self, self._tip_text)
        self.follow_theme()

    def _listen(self) -> None:
        self.bind("<Configure>", lambda _: self._arrange())
        self.bind("<Motion>", lambda event: self._point(event.x, event.y))
        self.bind("<Leave>", lambda _: self._point(-1, -1), add=True)
        self.bind("<Button-1>", self._press)
        self.bind("<B1-Motion>", self._drag)
        self.bind("<ButtonRelease-1>", self._release)
        self.bind("<FocusIn>", lambda _: self.paint())
        self.bind("<FocusOut>", lambda _: self.paint(), add=True)
        for key, step in (("Left", -1), ("Right", 1)):
            self.bind(f"<{key}>", lambda _, step=step: self._walk(step))
            self.bind(f"<Alt-{key}>", lambda _, step=step: self._move(self.at, self.at + step))
        for key in ("Delete", "BackSpace"):
            self.bind(f"<{key}>", lambda _: self._remove(self.at))
        for key in ("space", "Return", "KP_Enter"):
            self.bind(f"<{key}>", lambda _: self._add() if self.at == len(self.chips) else None)
        leave_to_window(self)

    @property
    def values(self) -> list[str]:
        return [chip.value for chip in self.chips]

    def show(self, chips: Sequence[Chip]) -> None:
        """These chips, without telling anyone."""
        if list(chips) != self.chips:
            self.chips = list(chips)
            self.at = min(self.at, len(self.chips))
            self.paint()

    def disable(self, reason: str) -> None:
        """Nothing can be changed; with an empty reason again."""
        if reason != self.reason:
            self.reason = reason
            show_reason(self)
            self.paint()

    def paint(self) -> None:
        behind = theme.colour(self.surface)
        self.configure(bg=behind)
        while len(self._drawn) < len(self.chips) + 1:
            self._drawn.append(Drawn(self))
        for drawn in self._drawn[len(self.chips) + 1 :]:
            drawn.left = drawn.right = 0
            drawn.box.place(-99, -99, -90, -90)
            self.itemconfigure(drawn.words, text="")
            for item in (drawn.star, drawn.cross):
                self.itemconfigure(item, image="")
        focused = events.by_keyboard and self.focus_get() is self
        for index, drawn in enumerate(self._drawn[: len(self.chips) + 1]):
            self._paint_chip(index, drawn, behind, ring=focused and index == self.at)
        self.itemconfigure(self._line, fill=theme.colour("accent"))
        self._arrange()

    def _paint_chip(self, index: int, drawn: Drawn, behind: str, *, ring: bool) -> None:
        adds = index == len(self.chips)
        fill = theme.colour("hover" if index == self._over and not self.reason else "raised")
        edge = theme.colour("accent") if ring else fill
        drawn.box.paint(px(4), fill, edge, behind)
        chip = Chip("", tr("Add")) if adds else self.chips[index]
        role = "text3" if self.reason else "accent" if adds else chip.role
        words = fitting(chip.label, px(LONGEST), "small")
        self.itemconfigure(drawn.words, text=words, font=theme.font("small"), fill=theme.colour(role))
        self.itemconfigure(drawn.star, image=icon("star", "changed", STAR) if chip.star else "")
        cross = icon("plus", role, CROSS) if adds else icon("x", "text3", CROSS)
        self.itemconfigure(drawn.cross, image=cross)

    def _wide(self, index: int) -> int:
        """Pixels of a chip."""
        adds = index == len(self.chips)
        chip = Chip("", tr("Add")) if adds else self.chips[index]
        words = theme.measure(fitting(chip.label, px(LONGEST), "small"), "small")
        return words + px(28) + (px(STAR + 6) if chip.star else 0)

    def _arrange(self) -> None:
        room, left, top = self.winfo_width(), 0, 0
        if room <= 1:
            return
        for index, drawn in enumerate(self._drawn[: len(self.chips) + 1]):
            wide = min(self._wide(index), room)
            if left and left + wide > room:
                left, top = 0, top + px(HIGH + LINE_GAP)
            drawn.left, drawn.top, drawn.right = left, top, left + wide
            self._place(index, drawn)
            left += wide + px(GAP)
        high = top + px(HIGH)
        if high != int(self.cget("height")):
            self.configure(height=high)

    def _place(self, index: int, drawn: Drawn) -> None:
        middle, adds = drawn.top + px(HIGH) // 2, index == len(self.chips)
        drawn.box.place(drawn.left, drawn.top, drawn.right, drawn.top + px(HIGH))
        self.coords(drawn.words, drawn.left + px(20 if adds else 7), middle)
        self.coords(drawn.cross, drawn.left + px(11) if adds else drawn.right - px(11), middle)
        self.coords(drawn.star, drawn.right - px(28), middle)

    def _index(self, x: int, y: int) -> int:
        found = (i for i, drawn in enumerate(self._drawn[: len(self.chips) + 1]) if drawn.holds(x, y))
        return next(found, -1)

    # What a person does -----------------------------------------------------------------------------------------------

    def _point(self, x: int, y: int) -> None:
        over = self._index(x, y)
        if over != self._over:
            self._over = over
            self.paint()
            if over >= 0:
                the_tip.soon(self)

    def _tip_text(self) -> str:
        """The whole words of one that is cut, and what there is to say of it."""
        if not 0 <= self._over < len(self.chips):
            return ""
        chip = self.chips[self._over]
        cut = fitting(chip.label, px(LONGEST), "small") != chip.label
        return "\n".join(filter(None, [chip.label if cut else "", chip.note]))

    def _press(self, event: tk.Event[Any]) -> None:
        self.focus_set()
        index = self._index(event.x, event.y)
        self._pressed = (index, event.x, event.y) if index >= 0 and not self.reason else None
        if index >= 0:
            self.at = index

    def _drag(self, event: tk.Event[Any]) -> None:
        if self._pressed is None or self._pressed[0] >= len(self.chips):
            return
        _, x, y = self._pressed
        if self._dragged < 0 and abs(event.x - x) + abs(event.y - y) < px(DRAGS_FROM):
            return
        self._dragged = self._target(event.x, event.y)
        before = self._drawn[min(self._dragged, len(self.chips) - 1)]
        left = before.left - px(3) if self._dragged < len(self.chips) else before.right + px(2)
        self.coords(self._line, max(left, 1), before.top, max(left, 1), before.top + px(HIGH))
        self.tag_raise(self._line)

    def _target(self, x: int, y: int) -> int:
        """Before which chip one would be put that is let go here."""
        line = max(y, 0) // px(HIGH + LINE_GAP) * px(HIGH + LINE_GAP)
        shown = self._drawn[: len(self.chips)]
        here = (i for i, drawn in enumerate(shown) if drawn.top == line and x < (drawn.left + drawn.right) // 2)
        below = (i for i, drawn in enumerate(shown) if drawn.top > line)
        return next(here, next(below, len(shown)))

    def _release(self, event: tk.Event[Any]) -> None:
        pressed, target = self._pressed, self._dragged
        self._pressed, self._dragged = None, -1
        self.coords(self._line, -9, -9, -9, -9)
        if pressed is None:
            return
        if target >= 0:
            self._move(pressed[0], target - (target > pressed[0]))
        elif self._index(event.x, event.y) != pressed[0]:
            return
        elif pressed[0] == len(self.chips):
            self._add()
        elif event.x >= self._drawn[pressed[0]].right - px(20):
            self._remove(pressed[0])

    def _walk(self, step: int) -> str:
        self.at = min(max(self.at + step, 0), len(self.chips))
        self.paint()
        return "break"

    def _move(self, index: int, to: int) -> str:
        if index < len(self.chips) and 0 <= to < len(self.chips) and to != index and not self.reason:
            self.chips.insert(to, self.chips.pop(index))
            self.at = to
            self._changed()
        return "break"

    def _remove(self, index: int) -> str:
        if index < len(self.chips) and not self.reason:
            del self.chips[index]
            self._over = -1
            self._changed()
        return "break"

    def _add(self) -> str:
        if not self.reason:
            self._on_add()
        return "break"

    def _changed(self) -> None:
        self.paint()
        self._on_change(self.values)
