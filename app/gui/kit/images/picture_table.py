"""A table of pictures, rows and columns, of which only what is in view is drawn; rows have words above them."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from typing import Any

from app.gui.kit.base.events import leave_to_window
from app.gui.kit.base.scroll_bar import WIDTH, SlimBar
from app.gui.kit.base.theme import Painted, px, surface_of, theme
from app.gui.kit.controls.option_list import fitting
from app.gui.kit.images.grid_cell import Cell

GAP = 8
HEAD = 20
NOTCH = 60
STRIP = 6
Paint = Callable[[Cell, int, int], object]


class PictureTable(Painted, tk.Canvas):
    """`show(rows, columns)` with the words over each row; `paint(cell, row, column)` fills a cell in view.

    Arrows move, a click or Return opens. It stays at the last column while that is in view.

    Args:
        on_select: called with row and column when the choice has moved.
        on_open: called with row and column.
    """

    def __init__(
        self,
        master: tk.Misc,
        paint: Paint,
        *,
        cell: tuple[float, float] = (88, 103),
        on_select: Callable[[int, int], object] = lambda row, column: None,
        on_open: Callable[[int, int], object] = lambda row, column: None,
    ) -> None:
        super().__init__(master, bd=0, highlightthickness=px(2), takefocus=1, width=1, height=1)
        self.surface = surface_of(master)
        self._fill, self._size, self._on_select, self._on_open = paint, cell, on_select, on_open
        self.rows: tuple[str, ...] = ()
        self.columns = 0
        self.current = (-1, -1)
        self._cells: dict[tuple[int, int], Cell] = {}
        self._free: list[Cell] = []
        self._heads: list[int] = []
        self._x = self._y = 0
        self._pending = ""
        self._bar = SlimBar(self, lambda share: self._scroll(y=round(share * self._whole()[1])))
        self._strip = self.create_rectangle(0, 0, 0, 0, width=0)
        self.bind("<Configure>", lambda _: self._soon())
        self.bind("<Button-1>", self._clicked)
        self.bind("<Return>", lambda _: self._open())
        leave_to_window(self)
        self.bind("<space>", lambda _: self._open())
        for key, step in (("Left", (0, -1)), ("Right", (0, 1)), ("Up", (-1, 0)), ("Down", (1, 0))):
            self.bind(f"<{key}>", lambda _, step=step: self._step(*step))
        for key, end in (("Home", -1), ("End", 1)):
            self.bind(f"<{key}>", lambda _, end=end: self._step(0, end * self.columns))
        self.follow_theme()

    def row_height(self) -> int:
        """Pixels that a row takes, its words included."""
        return px(HEAD) + px(self._size[1]) + px(GAP)

    def show(self, rows: Sequence[str], columns: int) -> None:
        """There are these rows now, and so many columns."""
        at_end = self._x >= self._room()[0]
        self.rows, self.columns = tuple(rows), columns
        if self.current[0] >= len(rows) or self.current[1] >= columns:
            self.current = (-1, -1)
        if at_end:
            self._x = self._room()[0]
        self._release()
        self._soon()

    def select(self, row: int, column: int) -> None:
        """Mark a cell and bring it into view; tells nobody."""
        if (row, column) != self.current:
            before, self.current = self.current, (row, column)
            for place in (before, self.current):
                if place in self._cells:
                    self._cells[place].frame(place == self.current, place == self.current)
            self._see(row, column)

    def refresh(self, row: int, column: int) -> None:
        """Paint a cell again, if it is in view."""
        if (cell := self._cells.get((row, column))) is not None:
            self._paint_cell(cell, row, column)

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

    def paint(self) -> None:
        behind = theme.colour(self.surface)
        self.configure(bg=behind, highlightbackground=behind, highlightcolor=theme.colour("accent"))
        self.itemconfigure(self._strip, fill=theme.colour("border"))
        self._release()
        for cell in self._free:
            cell.remove()
        self._free.clear()
        self._soon()

    def _each(self) -> int:
        return px(self._size[0]) + px(GAP)

    def _whole(self) -> tuple[int, int]:
        return max(self.columns * self._each() - px(GAP), 1), max(len(self.rows) * self.row_height(), 1)

    def _view(self) -> tuple[int, int]:
        edge = 2 * px(2)
        return max(self.winfo_width() - edge - px(WIDTH), 1), max(self.winfo_height() - edge - px(STRIP), 1)

    def _room(self) -> tuple[int, int]:
        """How far it can be scrolled."""
        whole, view = self._whole(), self._view()
        return max(whole[0] - view[0], 0), max(whole[1] - view[1], 0)

    def _scroll(self, x: int | None = None, y: int | None = None) -> None:
        self._x, self._y = self._x if x is None else x, self._y if y is None else y
        self._soon()

    def _soon(self) -> None:
        if not self._pending:
            self._pending = self.after_idle(self._arrange)

    def _arrange(self) -> None:
        self._pending = ""
        wide, high = self._view()
        if wide <= px(WIDTH):
            return
        room, whole = self._room(), self._whole()
        self._x, self._y = min(max(self._x, 0), room[0]), min(max(self._y, 0), room[1])
        each, tall = self._each(), self.row_height()
        rows = range(self._y // tall, min((self._y + high) // tall + 1, len(self.rows)))
        columns = range(self._x // each, min((self._x + wide) // each + 1, self.columns))
        for place in [place for place in self._cells if place[0] not in rows or place[1] not in columns]:
            self._free.append(self._cells.pop(place))
        for row in rows:
            for column in columns:
                self._put(row, column)
        for cell in self._free:
            cell.place(-9999, -9999)
        self._put_heads(rows, wide)
        self._put_bars(whole, (wide, high))

    def _put(self, row: int, column: int) -> None:
        cell = self._cells.get((row, column))
        if cell is None:
            cell = self._free.pop() if self._free else Cell(self, self._size, 1)
            self._cells[(row, column)] = cell
            self._paint_cell(cell, row, column)
        cell.place(px(2) + column * self._each() - self._x, px(2) + row * self.row_height() + px(HEAD) - self._y)

    def _paint_cell(self, cell: Cell, row: int, column: int) -> None:
        cell.clear()
        cell.frame((row, column) == self.current, (row, column) == self.current)
        self._fill(cell, row, column)

    def _put_heads(self, rows: range, wide: int) -> None:
        """The words over the rows stay while the columns move."""
        while len(self._heads) < len(rows):
            self._heads.append(self.create_text(0, 0, anchor="w"))
        for item in self._heads[len(rows) :]:
            self.itemconfigure(item, text="")
        for item, row in zip(self._heads, rows, strict=False):
            self.coords(item, px(4), px(2) + row * self.row_height() - self._y + px(HEAD) // 2 - px(1))
            words = fitting(self.rows[row], wide - px(8), "small")
            self.itemconfigure(item, text=words, fill=theme.colour("text2"), font=theme.font("small"))

    def _put_bars(self, whole: tuple[int, int], view: tuple[int, int]) -> None:
        self._bar.set(self._y / whole[1], min((self._y + view[1]) / whole[1], 1.0))
        if self._bar.needed:
            self._bar.place(relx=1.0, x=-px(2), y=px(2), anchor="ne", relheight=1.0, height=-px(4))
        else:
            self._bar.place_forget()
        bottom = self.winfo_height() - px(2)
        first, last = self._x / whole[0], (self._x + view[0]) / whole[0]
        if last < 1 or first > 0:
            self.coords(self._strip, px(2) + first * view[0], bottom - px(4), px(2) + last * view[0], bottom)
            self.tag_raise(self._strip)
        else:
            self.coords(self._strip, -9, -9, -9, -9)

    def _release(self) -> None:
        for cell in self._cells.values():
            cell.place(-9999, -9999)
        self._free += self._cells.values()
        self._cells.clear()

    def _see(self, row: int, column: int) -> None:
        wide, high = self._view()
        left, top = column * self._each(), row * self.row_height()
        self._scroll(
            min(max(self._x, left + px(self._size[0]) - wide), left),
            min(max(self._y, top + self.row_height() - high), top),
        )

    def _step(self, down: int, across: int) -> str:
        if self.rows and self.columns:
            row, column = self.current if self.current[0] >= 0 else (0, self.columns - 1)
            row = min(max(row + down, 0), len(self.rows) - 1)
            self._choose(row, min(max(column + across, 0), self.columns - 1))
        return "break"

    def _choose(self, row: int, column: int) -> None:
        self.select(row, column)
        self._on_select(row, column)

    def _clicked(self, event: tk.Event[Any]) -> None:
        self.focus_set()
        column, across = divmod(event.x - px(2) + self._x, self._each())
        row, down = divmod(event.y - px(2) + self._y, self.row_height())
        inside = across < px(self._size[0]) and px(HEAD) <= down < px(HEAD) + px(self._size[1])
        if inside and 0 <= row < len(self.rows) and 0 <= column < self.columns:
            self._choose(row, column)
            self._open()

    def _open(self) -> str:
        if self.current[0] >= 0:
            self._on_open(*self.current)
        return "break"
