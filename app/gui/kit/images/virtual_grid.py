"""Ten thousand pictures at the cost of the forty in view: cells are made for visible rows only, and reused."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import Any

from app.gui.kit.base.events import events, leave_to_window
from app.gui.kit.base.scroll_bar import WIDTH, SlimBar
from app.gui.kit.base.theme import Painted, px, surface_of, theme
from app.gui.kit.images.grid_cell import SWITCH, Cell

GAP = 10
NOTCH = 90
SHIFT, CONTROL = 0x1, 0x4
Paint = Callable[[Cell, int], object]

__all__ = ["Cell", "VirtualGrid"]


class VirtualGrid(Painted, tk.Canvas):
    """Cells in rows. `show(count)` says how many there are; `paint(cell, index)` fills a cell when it comes into view.

    A click chooses, Ctrl adds, Shift extends; arrows move, Return or a double click opens, Ctrl+A takes all, space
    turns one on and off.

    Args:
        paint: gives a cell its picture and words.
        cell: width and height at 100 %.
        lines: lines of words under the picture.
        on_select: called after the choice has changed.
        on_open: called with the index.
        on_menu: called with the index and the event of a right click; what was clicked is chosen first.
        on_switch: called with the index when the switch of a cell is clicked (`cell.switch`).
    """

    wrapped = 0  # lines of a text above the lines of words (`cell.paragraph`)
    stretch = False  # whether cells grow wider until they fill the row

    def __init__(
        self,
        master: tk.Misc,
        paint: Paint,
        *,
        cell: tuple[float, float] = (150, 174),
        lines: int = 1,
        on_select: Callable[[], object] | None = None,
        on_open: Callable[[int], object] | None = None,
        on_menu: Callable[[int, Any], object] | None = None,
        on_switch: Callable[[int], object] | None = None,
    ) -> None:
        super().__init__(master, bd=0, highlightthickness=px(2), takefocus=1, width=1, height=1)
        self.surface = surface_of(master)
        self._fill, self._cell_size, self._lines = paint, cell, lines
        self._wide, self._high = px(cell[0]), px(cell[1])  # of a cell, in pixels of this screen
        self._on_select, self._on_open, self._on_menu, self._on_switch = on_select, on_open, on_menu, on_switch
        self.count = 0
        self.selection: set[int] = set()
        self.current = -1
        self._anchor = -1
        self._cells: dict[int, Cell] = {}
        self._free: list[Cell] = []
        self._columns, self._left = 1, 0
        self._pending = ""
        self._bar = SlimBar(self, self.yview_moveto)
        self._bar.place(relx=1.0, x=-px(2), y=px(2), anchor="ne", relheight=1.0, height=-px(4))
        self.configure(yscrollcommand=self._moved)
        self._listen()
        self.follow_theme()

    def _listen(self) -> None:
        self.bind("<Configure>", lambda _: self._arrange())
        self.bind("<FocusIn>", lambda _: self._ring(events.by_keyboard))
        self.bind("<FocusOut>", lambda _: self._ring(False))
        self.bind("<Button-1>", self._clicked)
        self.bind("<Double-Button-1>", self._open_at)
        for sequence in ("<Button-3>", "<Control-Button-1>") if self._on_menu and self._mac() else ("<Button-3>",):
            self.bind(sequence, self._menu)
        for key, steps in (
            ("Left", -1),
            ("Right", 1),
            ("Up", 0),
            ("Down", 0),
            ("Prior", 0),
            ("Next", 0),
            ("Home", 0),
            ("End", 0),
        ):
            self.bind(f"<{key}>", lambda event, key=key, steps=steps: self._key(event, key, steps))
        self.bind("<Return>", lambda _: self._open(self.current))
        leave_to_window(self)
        self.bind("<space>", lambda _: self._toggle(self.current))
        for sequence in ("<Control-a>", "<Command-a>" if self._mac() else "<Control-A>"):
            self.bind(sequence, lambda _: self.select(set(range(self.count))))

    def show(self, count: int, *, keep: bool = False) -> None:
        """There are `count` things now: paint anew from the top. `keep` keeps the place and what is chosen."""
        self.count = count
        if keep:
            self.selection = {index for index in self.selection if index < count}
            self.current = min(self.current, count - 1)
        else:
            self.selection, self.current, self._anchor = set(), -1, -1
        self._release_all()
        self._arrange()
        if not keep:
            self.yview_moveto(0.0)

    def resize(self, cell: tuple[float, float]) -> None:
        """Cells of another size; the current one, or the first in view, stays in view."""
        seen = self.current if self.current in self._cells else min(self._cells, default=0)
        self._cell_size = cell
        self._remake()
        self.see(seen)

    def refresh(self, index: int | None = None) -> None:
        """Paint one cell again, or all that are in view; those out of view cost nothing."""
        for each in [index] if index is not None else list(self._cells):
            if (cell := self._cells.get(each)) is not None:
                self._paint_cell(cell, each)

    def select(self, chosen: set[int], current: int | None = None) -> str:
        """Choose these; tells `on_select`."""
        changed = self.selection ^ chosen
        before = self.current
        self.selection = set(chosen)
        if current is not None:
            self.current = current
        for index in {*changed, before, self.current}:
            if (cell := self._cells.get(index)) is not None:
                cell.frame(index in self.selection, index == self.current)
        if (changed or before != self.current) and self._on_select is not None:
            self._on_select()
        return "break"

    def see(self, index: int) -> None:
        """Scroll no more than needed to show a cell."""
        top, high = self._row_top(index // self._columns), self._high
        shown, room = self.canvasy(0), self.winfo_height()
        whole = max(self._whole(), 1)
        if top < shown:
            self.yview_moveto((top - px(GAP)) / whole)
        elif top + high > shown + room:
            self.yview_moveto((top + high + px(GAP) - room) / whole)

    def visible(self) -> range:
        """The indices in view."""
        return range(min(self._cells, default=0), max(self._cells, default=-1) + 1)

    def wheel(self, steps: float, sideways: bool) -> None:
        if not sideways:
            self.yview_moveto(max(0.0, (self.canvasy(0) + steps * px(NOTCH)) / max(self._whole(), 1)))

    def paint(self) -> None:
        behind = theme.colour(self.surface)
        self.configure(bg=behind, highlightbackground=behind)
        self._ring(events.by_keyboard)
        self._remake()

    def _remake(self) -> None:
        self._delete_cells()
        self._arrange()

    def _delete_cells(self) -> None:
        self._release_all()
        for cell in self._free:
            cell.remove()
        self._free.clear()

    def _ring(self, on: bool) -> None:
        self.configure(highlightcolor=theme.colour("accent" if on else self.surface))

    def _mac(self) -> bool:
        return str(self.tk.call("tk", "windowingsystem")) == "aqua"

    def _row_top(self, row: int) -> int:
        return px(GAP) + row * (self._high + px(GAP))

    def _whole(self) -> int:
        return self._row_top(-(-self.count // self._columns))

    def _arrange(self) -> None:
        """The number of columns may have changed: everything in view is placed anew."""
        wide = self.winfo_width() - px(WIDTH)
        if wide <= px(WIDTH):
            return
        each = px(self._cell_size[0]) + px(GAP)
        self._columns = max(1, (wide - px(GAP)) // each)
        self._left = px(8)  # in line with the title above
        size = (px(self._cell_size[0]), px(self._cell_size[1]))
        if self.stretch:
            size = (max(size[0], (wide - self._left) // self._columns - px(GAP)), size[1])
        if size != (self._wide, self._high):
            self._wide, self._high = size
            self._delete_cells()
        self.configure(scrollregion=(0, 0, 1, max(self._whole(), self.winfo_height() - 2 * px(2))))
        for index, cell in self._cells.items():
            self._place(cell, index)
        self._soon()

    def _moved(self, first: float, last: float) -> None:
        self._bar.set(float(first), float(last))  # Tk hands over text
        self._soon()

    def _soon(self) -> None:
        if not self._pending:
            self._pending = self.after_idle(self._fill_view)

    def _fill_view(self) -> None:
        """Cells for what is in view, and none for what is not."""
        self._pending = ""
        each = self._high + px(GAP)
        first = max(0, int(self.canvasy(0) - px(GAP)) // each) * self._columns
        last = (int(self.canvasy(self.winfo_height())) // each + 1) * self._columns
        wanted = range(first, min(last, self.count))
        for index in [index for index in self._cells if index not in wanted]:
            self._free.append(self._cells.pop(index))
        for index in wanted:
            if index not in self._cells:
                cell = self._free.pop() if self._free else self._new_cell()
                self._cells[index] = cell
                self._place(cell, index)
                self._paint_cell(cell, index)
        for cell in self._free:
            cell.place(-9999, -9999)

    def _new_cell(self) -> Cell:
        return Cell(self, (self._wide, self._high), self._lines, self.wrapped)

    def _place(self, cell: Cell, index: int) -> None:
        row, column = divmod(index, self._columns)
        cell.place(self._left + column * (self._wide + px(GAP)), self._row_top(row))

    def _paint_cell(self, cell: Cell, index: int) -> None:
        cell.clear()
        cell.frame(index in self.selection, index == self.current)
        self._fill(cell, index)

    def _release_all(self) -> None:
        for cell in self._cells.values():
            cell.place(-9999, -9999)
        self._free += self._cells.values()
        self._cells.clear()

    def at(self, x: int, y: int) -> int:
        """The index under a place in this widget; -1 for none."""
        wide, high = self._wide, self._high
        column, across = divmod(x - self._left, wide + px(GAP))
        row, down = divmod(int(self.canvasy(y)) - px(GAP), high + px(GAP))
        index = row * self._columns + column
        inside = 0 <= column < self._columns and row >= 0 and across < wide and down < high
        return index if inside and index < self.count else -1

    def _over_switch(self, index: int, x: int, y: int) -> bool:
        """Whether a place in this widget is on the switch of a cell, or a little beside it."""
        row, column = divmod(index, self._columns)
        right = self._left + column * (self._wide + px(GAP)) + self._wide
        bottom = self._row_top(row) + self._high
        wide, high, gap = (px(size) for size in SWITCH)
        return x >= right - gap - wide - px(4) and int(self.canvasy(y)) >= bottom - gap - high - px(4)

    def _clicked(self, event: tk.Event[Any]) -> None:
        self.focus_set()
        index = self.at(event.x, event.y)
        state = int(event.state)
        if index >= 0 and self._on_switch is not None and self._over_switch(index, event.x, event.y):
            self._on_switch(index)
        elif index < 0:
            if not state & (SHIFT | CONTROL):
                self.select(set(), -1)
        elif state & CONTROL:
            self._toggle(index)
        else:
            self._go(index, bool(state & SHIFT))

    def _toggle(self, index: int) -> str:
        if index >= 0:
            self._anchor = index
            self.select(self.selection ^ {index}, index)
        return "break"

    def _go(self, index: int, extend: bool) -> None:
        if extend and self._anchor >= 0:
            low, high = sorted((self._anchor, index))
            self.select(set(range(low, high + 1)), index)
        else:
            self._anchor = index
            self.select({index}, index)
        self.see(index)

    def _key(self, event: tk.Event[Any], key: str, steps: int) -> str:
        page = max(1, self.winfo_height() // (self._high + px(GAP))) * self._columns
        far = {"Up": -self._columns, "Down": self._columns, "Prior": -page, "Next": page}
        steps = {**far, "Home": -self.count, "End": self.count}.get(key, steps)
        if self.count:
            start = self.current if self.current >= 0 else -1 if steps > 0 and abs(steps) == 1 else 0
            self._go(min(max(start + steps, 0), self.count - 1), bool(int(event.state) & SHIFT))
        return "break"

    def _open(self, index: int) -> str:
        if 0 <= index < self.count and self._on_open is not None:
            self._on_open(index)
        return "break"

    def _open_at(self, event: tk.Event[Any]) -> None:
        index = self.at(event.x, event.y)
        if self._on_switch is None or index < 0 or not self._over_switch(index, event.x, event.y):
            self._open(index)

    def _menu(self, event: tk.Event[Any]) -> None:
        index = self.at(event.x, event.y)
        if index >= 0 and self._on_menu is not None:
            if index not in self.selection:
                self._go(index, False)
            self._on_menu(index, event)
