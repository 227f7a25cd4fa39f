"""A tree with boxes to tick: drawn on a canvas, only the lines in view, so that thousands cost what twenty do."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from PIL import Image, ImageDraw, ImageTk

from app.gui.kit.base.events import events, leave_to_window
from app.gui.kit.base.icons import icon
from app.gui.kit.base.scroll_bar import WIDTH, SlimBar
from app.gui.kit.base.shapes import FINER
from app.gui.kit.base.theme import Painted, mixed, px, rgb, surface_of, theme
from app.gui.kit.controls.option_list import fitting
from modules.language import tr

LINE = 28
INDENT = 20
BOX = 16


@dataclass(frozen=True)
class TreeLine:
    """A line: what it stands for, its words, and how it stands."""

    key: str
    title: str
    depth: int = 0
    ticked: bool | None = False  # None: some of it
    opened: bool | None = None  # None: there is nothing inside
    words: str = ""  # grey, after the title
    note: str = ""  # grey, at the right
    mark: str = ""  # amber, before the note


class Tree(Painted, tk.Canvas):
    """`show` says what is to be seen; whoever shows it decides what a tick or an unfolding does.

    Up, Down, Page, Home, End move; Right and Left unfold, fold and go inside or out; space and Return tick, or choose
    where there are no boxes.

    Args:
        on_tick: called with the key of a line whose box was turned; of a line that was chosen, where there are none.
        on_fold: called with the key of a line that is to be opened or closed.
        on_mark: called with the key of the line that the keyboard or a click came to.
        boxes: False for a plain list, in which the ticked line is the chosen one.
    """

    def __init__(
        self,
        master: tk.Misc,
        on_tick: Callable[[str], object],
        *,
        on_fold: Callable[[str], object] = lambda key: None,
        on_mark: Callable[[str], object] = lambda key: None,
        boxes: bool = True,
        lines: int = 12,
        empty: str = "",
    ) -> None:
        super().__init__(master, bd=0, highlightthickness=px(2), takefocus=1, width=1, height=px(LINE) * lines)
        self.surface = surface_of(master)
        self._tick, self._fold, self._mark, self._boxes = on_tick, on_fold, on_mark, boxes
        self._empty = empty or tr("Nothing found")
        self.lines: Sequence[TreeLine] = ()
        self.marked = -1
        self.first = 0
        self._pending = ""
        self._bar = SlimBar(self, lambda share: self._go_to(round(share * len(self.lines))))
        self.bind("<Configure>", lambda _: self._soon())
        self.bind("<Button-1>", self._clicked)
        self.bind("<FocusIn>", lambda _: self.paint())
        self.bind("<FocusOut>", lambda _: self.paint())
        for key, act in (
            ("Up", lambda: self._move(-1)), ("Down", lambda: self._move(1)), ("Prior", lambda: self._move(-self.fits)),
            ("Next", lambda: self._move(self.fits)), ("Home", lambda: self._move(-len(self.lines))),
            ("End", lambda: self._move(len(self.lines))), ("Right", self._inside), ("Left", self._outside),
            ("space", self._turn), ("Return", self._turn), ("KP_Enter", self._turn),
        ):  # fmt: skip
            self.bind(f"<{key}>", lambda _, act=act: self._keyed(act))
        leave_to_window(self)
        self.follow_theme()

    @property
    def fits(self) -> int:
        """Whole lines that can be seen at once."""
        return max(1, (self.winfo_height() - 2 * px(2)) // px(LINE))

    @property
    def key(self) -> str:
        """Of the marked line; "" for none."""
        return self.lines[self.marked].key if 0 <= self.marked < len(self.lines) else ""

    def show(self, lines: Sequence[TreeLine]) -> None:
        """Other lines; the marked one stays the marked one as long as it is there."""
        before = self.key
        self.lines = lines
        self.marked = next((n for n, line in enumerate(lines) if line.key == before), min(self.marked, len(lines) - 1))
        self.first = max(0, min(self.first, len(lines) - self.fits))
        self._soon()

    def go(self, key: str) -> None:
        """Mark a line and bring it into view; nothing if it is not there."""
        place = next((n for n, line in enumerate(self.lines) if line.key == key), -1)
        if place >= 0:
            self._move(place - self.marked)

    def wheel(self, steps: float, sideways: bool) -> bool:
        if not sideways:
            self._go_to(self.first + round(steps * 3))
        return not sideways and len(self.lines) > self.fits

    def paint(self) -> None:
        behind = theme.colour(self.surface)
        ring = events.by_keyboard and self.focus_get() is self
        self.configure(bg=behind, highlightbackground=behind, highlightcolor=theme.colour("accent") if ring else behind)
        self._soon()

    # What a person does -----------------------------------------------------------------------------------------------

    def _keyed(self, act: Callable[[], object]) -> str:
        if self.lines:
            act()
        return "break"

    def _move(self, steps: int) -> None:
        self.marked = min(max(self.marked + steps, 0), len(self.lines) - 1)
        self._go_to(min(max(self.first, self.marked - self.fits + 1), self.marked))
        self._mark(self.key)

    def _turn(self) -> None:
        if self.key:
            self._tick(self.key)

    def _inside(self) -> None:
        line = self.lines[max(self.marked, 0)]
        if line.opened is False:
            self._fold(line.key)
        elif line.opened:
            self._move(1)

    def _outside(self) -> None:
        line = self.lines[max(self.marked, 0)]
        if line.opened:
            self._fold(line.key)
            return
        above = next((n for n in range(self.marked, -1, -1) if self.lines[n].depth < line.depth), self.marked)
        self._move(above - self.marked)

    def _clicked(self, event: tk.Event[Any]) -> None:
        self.focus_set()
        place = self.first + (event.y - px(2)) // px(LINE)
        if not 0 <= place < len(self.lines):
            return
        self._move(place - self.marked)
        line = self.lines[place]
        left = self._left(line)
        if line.opened is not None and event.x < left:
            self._fold(line.key)
        elif not self._boxes or event.x < left + px(BOX + 8):
            self._tick(line.key)

    def _go_to(self, first: int) -> None:
        self.first = max(0, min(first, len(self.lines) - self.fits))
        self._soon()

    # How it is drawn --------------------------------------------------------------------------------------------------

    def _soon(self) -> None:
        if not self._pending:
            self._pending = self.after_idle(self._draw)

    def _left(self, line: TreeLine) -> int:
        """Where the box of a line begins, or its words where there are no boxes."""
        return px(8 + INDENT * line.depth + (16 if self._boxes else 0))

    def _draw(self) -> None:
        self._pending = ""
        self.delete("all")
        if not self.lines:
            colour = theme.colour("text3")
            self.create_text(px(12), px(18), anchor="w", text=self._empty, fill=colour, font=theme.font("body"))
        for place, line in enumerate(self.lines[self.first : self.first + self.fits + 1]):
            self._draw_line(line, px(2) + place * px(LINE), self.first + place == self.marked)
        if len(self.lines) > self.fits:
            self._bar.place(relx=1.0, x=-px(2), y=px(2), anchor="ne", relheight=1.0, height=-px(4))
            self._bar.set(self.first / len(self.lines), min(1.0, (self.first + self.fits) / len(self.lines)))
        else:
            self._bar.place_forget()

    def _draw_line(self, line: TreeLine, top: int, marked: bool) -> None:
        middle, left = top + px(LINE) // 2, self._left(line)
        right = self.winfo_width() - px(WIDTH + 8)
        chosen = not self._boxes and bool(line.ticked)
        behind = theme.colour(self.surface)
        if marked or chosen:
            raised = mixed(behind, theme.colour("text"), 0.07)
            behind = theme.colour("selection") if chosen or self.focus_get() is self else raised
            self.create_rectangle(0, top, right + px(6), top + px(LINE), fill=behind, width=0)
        if line.opened is not None:
            image = icon("chevron-down" if line.opened else "chevron-right", "text2", 14)
            self.create_image(left - px(9), middle, image=image)
        if self._boxes:
            self.create_image(left, middle, anchor="w", image=box(line.ticked, behind))
            left += px(BOX + 8)
        for words, role in ((line.note, "text3"), (line.mark, "changed")):
            if words:
                right -= self._text(right, middle, words, role, "small", "e") + px(10)
        title = fitting(line.title, right - left, "body")
        left += self._text(left, middle, title, "text", "body") + px(10)
        if line.words and right - left > px(24):
            self._text(left, middle, fitting(line.words, right - left, "small"), "text3", "small")

    def _text(self, x: int, y: int, text: str, role: str, font: str, side: Any = "w") -> int:
        """Write; the pixels that it took."""
        self.create_text(x, y, anchor=side, text=text, fill=theme.colour(role), font=theme.font(font))
        return theme.measure(text, font)


def box(ticked: bool | None, behind: str) -> ImageTk.PhotoImage:
    """A box: empty, ticked, or (None) with a dash; in the colours of now, on `behind` (#RRGGBB)."""
    full = ticked is not False
    fill = theme.colour("button" if full else "input")
    edge = fill if full else theme.colour("border")
    return _box(ticked, px(BOX), px(1), fill, edge, behind, theme.colour("on_button"))


@lru_cache(maxsize=64)
def _box(ticked: bool | None, size: int, line: int, fill: str, edge: str, behind: str, sign: str) -> ImageTk.PhotoImage:
    side = size * FINER
    image = Image.new("RGB", (side, side), rgb(behind))
    draw = ImageDraw.Draw(image)
    radius = side // 4
    draw.rounded_rectangle((0, 0, side - 1, side - 1), radius=radius, fill=rgb(edge))
    inset = line * FINER
    draw.rounded_rectangle((inset, inset, side - 1 - inset, side - 1 - inset), radius=radius - inset, fill=rgb(fill))
    wide = max(FINER, side // 8)
    if ticked is None:
        draw.rectangle((side * 0.25, side / 2 - wide / 2, side * 0.75, side / 2 + wide / 2), fill=rgb(sign))
    elif ticked:
        points = [(side * x, side * y) for x, y in ((0.22, 0.52), (0.42, 0.72), (0.78, 0.3))]
        draw.line(points, fill=rgb(sign), width=wide, joint="curve")
    return ImageTk.PhotoImage(image.resize((size, size), Image.Resampling.BOX))
