"""A sheet of pictures, rows and columns, whose heads stay in sight; only what is in view is drawn."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from typing import Any

from app.gui.kit.base.events import events, leave_to_window
from app.gui.kit.base.scroll_bar import WIDTH, SlimBar
from app.gui.kit.base.theme import Painted, px, surface_of, theme
from app.gui.kit.images.sheet_cell import AWAY, SheetCell
from app.gui.kit.images.sheet_heads import Head, SheetHeads

GAP, INSET, EDGE = 6, 4, 2
NOTCH = 60
STRIP = 6
SMALLEST, LARGEST = 48, 512  # pixels of a picture at 100 %
GROWS = 1.15  # with a notch of the wheel
Paint = Callable[[SheetCell, int, int], object]

__all__ = ["LARGEST", "SMALLEST", "Head", "PictureSheet", "SheetCell"]


class PictureSheet(Painted, tk.Canvas):
    """`show(columns, rows)`; `paint(cell, row, column)` fills a cell that comes into view.

    Arrows move, a click or Return opens, Ctrl and the wheel change the size.

    Args:
        size: of a picture, in pixels at 100 %.
        heads: width of the heads of the rows.
        on_select: called with row and column when the choice has moved.
        on_open: called with row and column.
        on_size: called with the new size after Ctrl and the wheel.
        follow: stay at the last column while that is in view.
    """

    def __init__(
        self,
        master: tk.Misc,
        paint: Paint,
        *,
        size: float = 80,
        heads: float = 86,
        on_select: Callable[[int, int], object] = lambda row, column: None,
        on_open: Callable[[int, int], object] = lambda row, column: None,
        on_size: Callable[[float], object] = lambda size: None,
        follow: bool = False,
    ) -> None:
        super().__init__(master, bd=0, highlightthickness=px(EDGE), takefocus=1, width=1, height=1)
        self.surface = surface_of(master)
        self._fill, self._on_select, self._on_open, self._on_size = paint, on_select, on_open, on_size
        self.size, self._follow = size, follow
        self.current = (-1, -1)
        self.heads = SheetHeads(self, heads)
        self._cells: dict[tuple[int, int], SheetCell] = {}
        self._free: list[SheetCell] = []
        self._x = self._y = 0
        self._pending = ""
        self._bar = SlimBar(self, lambda share: self._scroll(y=round(share * self._whole()[1])))
        self._strip = self.create_rectangle(AWAY, AWAY, AWAY, AWAY, width=0)
        self._listen()
        self.follow_theme()

    def _listen(self) -> None:
        self.bind("<Configure>", lambda _: self._soon())
        self.bind("<Button-1>", self._clicked)
        self.bind("<FocusIn>", lambda _: self._ring(events.by_keyboard))
        self.bind("<FocusOut>", lambda _: self._ring(False))
        self.bind("<Return>", lambda _: self.open())
        leave_to_window(self)
        page = 4
        for key, step in (
            ("Left", (0, -1)), ("Right", (0, 1)), ("Up", (-1, 0)), ("Down", (1, 0)), ("Prior", (-page, 0)),
            ("Next", (page, 0)),
        ):  # fmt: skip
            self.bind(f"<{key}>", lambda _, step=step: self._step(*step))
        for key, end in (("Home", -1), ("End", 1)):
            self.bind(f"<{key}>", lambda _, end=end: self._step(0, end * len(self.heads.columns)))
        self.bind("<Control-Button-4>", lambda event: self._grow(event, GROWS))
        self.bind("<Control-Button-5>", lambda event: self._grow(event, 1 / GROWS))
        self.bind("<Control-MouseWheel>", lambda event: self._grow(event, GROWS if event.delta > 0 else 1 / GROWS))

    # What is shown ----------------------------------------------------------------------------------------------------

    def show(self, columns: Sequence[Head], rows: Sequence[Head], corner: tuple[str, str] = ("", "")) -> None:
        """These are the heads now; the place and what is chosen stay, as far as they are still there."""
        at_end = self._follow and (not self.heads.columns or self._x >= self._room()[0])
        self.heads.show(columns, rows, corner)
        if self.current[0] >= len(rows) or self.current[1] >= len(columns):
            self.current = (-1, -1)
        if at_end:
            self._x = self._room()[0]
        self._release()
        self._soon()

    def resize(self, size: float) -> None:
        """Pictures of this size; tells nobody."""
        size = min(max(round(size), SMALLEST), LARGEST)
        if size != self.size:
            share = size / self.size
            self.size, self._x, self._y = size, round(self._x * share), round(self._y * share)
            self._drop_cells()
            self._soon()

    def refresh(self, row: int | None = None, column: int | None = None) -> None:
        """Paint a cell again if it is in view, or all that are."""
        for place in list(self._cells) if row is None or column is None else [(row, column)]:
            if (cell := self._cells.get(place)) is not None:
                self._paint_cell(cell, *place)

    def select(self, row: int, column: int) -> None:
        """Mark a cell and bring it into view; tells nobody."""
        if (row, column) != self.current:
            before, self.current = self.current, (row, column)
            for place in (before, self.current):
                if place in self._cells:
                    self._cells[place].frame(place == self.current)
                    self.refresh(*place)
            self._see(row, column)

    def open(self) -> str:
        if self.current[0] >= 0:
            self._on_open(*self.current)
        return "break"

    def wheel(self, steps: float, sideways: bool) -> bool:
        """Down where there is more below; else along the columns."""
        room = self._room()
        if room[1] > 0 and not sideways:
            self._scroll(y=self._y + round(steps * px(NOTCH)))
        elif room[0] > 0:
            self._scroll(x=self._x + round(steps * px(NOTCH)))
        else:
            return False
        return True

    def at(self, x: int, y: int) -> tuple[int, int]:
        """Row and column under a place in this widget; (-1, -1) for none."""
        wide, high = self.heads.room()
        each, size = self._each(), px(self.size)
        column, across = divmod(x - px(EDGE) - wide - px(INSET) + self._x, each)
        row, down = divmod(y - px(EDGE) - high - px(INSET) + self._y, each)
        inside = across < size and down < size and x > wide and y > high
        there = 0 <= row < len(self.heads.rows) and 0 <= column < len(self.heads.columns)
        return (row, column) if inside and there else (-1, -1)

    def paint(self) -> None:
        behind = theme.colour(self.surface)
        self.configure(bg=behind, highlightbackground=behind)
        self._ring(events.by_keyboard)
        self.itemconfigure(self._strip, fill=theme.colour("border"))
        self.heads.paint()
        self._drop_cells()
        self._soon()

    def _ring(self, on: bool) -> None:
        self.configure(highlightcolor=theme.colour("accent" if on and self.current[0] < 0 else self.surface))

    # Where things are -------------------------------------------------------------------------------------------------

    def _each(self) -> int:
        return px(self.size) + px(GAP)

    def _whole(self) -> tuple[int, int]:
        """Pixels of all cells."""
        wide, high = len(self.heads.columns) * self._each(), len(self.heads.rows) * self._each()
        return max(wide + px(INSET), 1), max(high + px(INSET), 1)

    def _view(self) -> tuple[int, int]:
        """Pixels in which cells are seen."""
        wide, high = self.heads.room()
        return (
            max(self.winfo_width() - 2 * px(EDGE) - px(WIDTH) - wide, 1),
            max(self.winfo_height() - 2 * px(EDGE) - high, 1),
        )

    def _room(self) -> tuple[int, int]:
        """How far it can be scrolled."""
        whole, view = self._whole(), self._view()
        strip = px(STRIP) if whole[0] > view[0] else 0
        return max(whole[0] - view[0], 0), max(whole[1] + strip - view[1], 0)

    def _scroll(self, x: int | None = None, y: int | None = None) -> None:
        self._x, self._y = self._x if x is None else x, self._y if y is None else y
        self._soon()

    def _see(self, row: int, column: int) -> None:
        (wide, high), each = self._view(), self._each()
        left, top = column * each, row * each
        self._scroll(
            min(max(self._x, left + each + px(INSET) - wide), left),
            min(max(self._y, top + each + px(INSET) - high), top),
        )

    # Drawing ----------------------------------------------------------------------------------------------------------

    def _soon(self) -> None:
        if not self._pending:
            self._pending = self.after_idle(self._arrange)

    def _arrange(self) -> None:
        self._pending = ""
        wide, high = self._view()
        if wide <= px(WIDTH):
            return
        room, each = self._room(), self._each()
        self._x, self._y = min(max(self._x, 0), room[0]), min(max(self._y, 0), room[1])
        rows = range(self._y // each, min((self._y + high) // each + 1, len(self.heads.rows)))
        columns = range(self._x // each, min((self._x + wide) // each + 1, len(self.heads.columns)))
        for place in [place for place in self._cells if place[0] not in rows or place[1] not in columns]:
            self._free.append(self._cells.pop(place))
        for row in rows:
            for column in columns:
                self._put(row, column)
        for cell in self._free:
            cell.place(AWAY, AWAY)
        self.heads.arrange(rows, columns, (px(INSET) - self._x, px(INSET) - self._y), each)
        self._put_bars((wide, high))

    def _put(self, row: int, column: int) -> None:
        cell = self._cells.get((row, column))
        if cell is None:
            cell = self._free.pop() if self._free else SheetCell(self, px(self.size))
            self._cells[(row, column)] = cell
            self._paint_cell(cell, row, column)
        (wide, high), each = self.heads.room(), self._each()
        left, top = px(EDGE) + wide + px(INSET) - self._x, px(EDGE) + high + px(INSET) - self._y
        cell.place(left + column * each, top + row * each)

    def _paint_cell(self, cell: SheetCell, row: int, column: int) -> None:
        cell.image(None)
        cell.plate("")
        cell.frame((row, column) == self.current)
        self._fill(cell, row, column)

    def _put_bars(self, view: tuple[int, int]) -> None:
        whole, (left, top) = self._whole(), self.heads.room()
        self._bar.set(self._y / whole[1], min((self._y + view[1]) / whole[1], 1.0))
        if self._bar.needed:
            self._bar.place(relx=1.0, x=-px(EDGE), y=top, anchor="ne", relheight=1.0, height=-top - px(EDGE))
        else:
            self._bar.place_forget()
        bottom, first, last = self.winfo_height() - px(EDGE), self._x / whole[0], (self._x + view[0]) / whole[0]
        if last < 1 or first > 0:
            start = px(EDGE) + left
            self.coords(self._strip, start + first * view[0], bottom - px(4), start + last * view[0], bottom)
            self.tag_raise(self._strip)
        else:
            self.coords(self._strip, AWAY, AWAY, AWAY, AWAY)

    def _release(self) -> None:
        for cell in self._cells.values():
            cell.place(AWAY, AWAY)
        self._free += self._cells.values()
        self._cells.clear()

    def _drop_cells(self) -> None:
        """They are made anew, in another size or other colours."""
        for cell in (*self._cells.values(), *self._free):
            cell.remove()
        self._cells.clear()
        self._free.clear()

    # What a person does -----------------------------------------------------------------------------------------------

    def _grow(self, event: Any, share: float) -> str:
        """The picture under the pointer stays there."""
        left, top = (edge + px(EDGE) + px(INSET) for edge in self.heads.room())
        at, before = (event.x - left + self._x, event.y - top + self._y), self.size
        step = round(self.size * share) - self.size
        self.resize(self.size + (step or (1 if share > 1 else -1)))
        if self.size != before:
            grown = self.size / before
            self._scroll(round(at[0] * grown) - event.x + left, round(at[1] * grown) - event.y + top)
            self._on_size(self.size)
        return "break"

    def _step(self, down: int, across: int) -> str:
        rows, columns = len(self.heads.rows), len(self.heads.columns)
        if rows and columns:
            start = (0, columns - 1 if self._follow else 0)
            row, column = self.current if self.current[0] >= 0 else start
            moved = (min(max(row + down, 0), rows - 1), min(max(column + across, 0), columns - 1))
            self._choose(*(moved if self.current[0] >= 0 else start))
        return "break"

    def _choose(self, row: int, column: int) -> None:
        self.select(row, column)
        self._ring(False)
        self._on_select(row, column)

    def _clicked(self, event: tk.Event[Any]) -> None:
        self.focus_set()
        place = self.at(event.x, event.y)
        if place[0] >= 0:
            self._choose(*place)
            self.open()
