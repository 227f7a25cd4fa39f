"""Jobs in their order: rows of two lines with a sign, how far each is, and links; they are dragged to other places."""

from __future__ import annotations

import sys
import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.gui.kit.base.events import events, leave_to_window
from app.gui.kit.base.scroll_bar import SlimBar
from app.gui.kit.base.theme import Painted, px, surface_of, theme
from app.gui.kit.base.tip import the_tip, tip
from app.gui.kit.layout.row_drawing import HEAD, PITCH, ListHead, ListRow, RowDrawing

DRAGS_FROM = 5  # pixels
NOTCH = 60
MENU_KEYS = ("<Shift-F10>", "<App>" if sys.platform == "win32" else "<Menu>")
ALT = 0x20000 if sys.platform == "win32" else 0x10 if sys.platform == "darwin" else 0x8

__all__ = ["ListActions", "ListHead", "ListRow", "RowList"]


def _nothing(*_: Any) -> None: ...


@dataclass(frozen=True)
class ListActions:
    """What a person can do with a row, by its key; `move` gets the key of the row that it comes before, or None."""

    move: Callable[[Any, Any], object] = _nothing
    menu: Callable[[Any, tk.Misc], object] = _nothing  # and a widget that stands where the list of acts opens
    link: Callable[[Any, str], object] = _nothing  # and the link's name; of a head its key
    open: Callable[[Any], object] = _nothing  # Return, or a double click
    switch: Callable[[Any], object] = _nothing  # space
    remove: Callable[[Any], object] = _nothing  # Delete


@dataclass
class Drag:
    """A row that is pressed, and carried once the pointer has gone far enough."""

    place: int
    x: int
    y: int
    lifted: bool = False
    before: int = -1  # the place that it would come to


class RowList(Painted, tk.Canvas):
    """`show(items)`: heads and rows. Only what is in view is drawn.

    Up and Down walk, Alt+Up and Alt+Down move a row, space and Delete do what `acts` says, Return opens, Shift+F10
    and a right click open the menu.
    """

    def __init__(self, master: tk.Misc, acts: ListActions) -> None:
        super().__init__(master, bd=0, highlightthickness=px(2), takefocus=1, width=1, height=1)
        self.surface = surface_of(master)
        self.acts = acts
        self.items: list[ListHead | ListRow] = []
        self.marked: Any = None  # the key of the row that has the keys
        self._top = 0  # pixels that are scrolled away
        self._over: tuple[int, str] = (-1, "")  # the row under the pointer, and the link
        self._drag: Drag | None = None
        self._drawing = RowDrawing(self)
        self._anchor = tk.Frame(self, width=1, height=1, bd=0)
        self._bar = SlimBar(self, lambda share: self._scroll_to(round(share * self._high)))
        self._bar.place(relx=1.0, x=-px(2), y=px(2), anchor="ne", relheight=1.0, height=-px(4))
        self._listen()
        tip(self, self._tip_text)
        self.follow_theme()

    def _listen(self) -> None:
        self.bind("<Configure>", lambda _: self._soon())
        self.bind("<FocusIn>", lambda _: self._focused())
        self.bind("<FocusOut>", lambda _: self.paint(), add=True)
        self.bind("<Motion>", lambda event: self._point(event.x, event.y))
        self.bind("<Leave>", lambda _: self._point(-1, -1), add=True)
        self.bind("<Button-1>", self._press)
        self.bind("<B1-Motion>", self._carry)
        self.bind("<ButtonRelease-1>", self._release)
        self.bind("<Double-Button-1>", lambda event: self._at(event.y, self.acts.open))
        self.bind("<Button-3>", self._menu_at)
        keys = {
            "Up": lambda: self._walk(-1), "Down": lambda: self._walk(1), "Home": lambda: self._walk(-len(self.items)),
            "End": lambda: self._walk(len(self.items)), "Alt-Up": lambda: self._step(-1),
            "Alt-Down": lambda: self._step(1), "space": lambda: self._act(self.acts.switch),
            "Delete": lambda: self._act(self.acts.remove), "Return": lambda: self._act(self.acts.open),
            "KP_Enter": lambda: self._act(self.acts.open), "Escape": self._let_go,
        }  # fmt: skip
        for key, act in keys.items():
            self.bind(f"<{key}>", lambda _, act=act: "break" if act() is not False else None)
        for sequence in MENU_KEYS:
            self.bind(sequence, lambda _: self._act(self._menu))
        leave_to_window(self)

    # What is shown ----------------------------------------------------------------------------------------------------

    def show(self, items: Sequence[ListHead | ListRow]) -> None:
        """These, from where it is scrolled to; the row that has the keys keeps them as long as it is there."""
        if list(items) == self.items:
            return
        place = self._place(self.marked)
        self.items = list(items)
        if self._place(self.marked) < 0:
            rows = [n for n, item in enumerate(self.items) if isinstance(item, ListRow)]
            near = min(rows, key=lambda n: abs(n - max(place, 0)), default=-1)
            self.marked = self._key(near)
        if self._drag is not None:
            self._let_go()
        self._soon()

    @property
    def rows(self) -> list[ListRow]:
        return [item for item in self.items if isinstance(item, ListRow)]

    def mark(self, key: Any) -> None:
        """Give a row the keys, and bring it into view."""
        if self._place(key) >= 0:
            self.marked = key
            self.see(key)
            self._soon()

    def see(self, key: Any) -> None:
        """Scroll no more than needed to show a row."""
        place = self._place(key)
        if place < 0 or self.winfo_height() <= 1:
            return
        top = self._tops()[place]
        self._scroll_to(max(min(self._top, top - px(HEAD)), top + px(PITCH) - self.winfo_height()))

    def wheel(self, steps: float, sideways: bool) -> bool:
        if sideways or self._high <= self.winfo_height():
            return False
        self._scroll_to(self._top + round(steps * px(NOTCH)))
        return True

    def paint(self) -> None:
        behind = theme.colour(self.surface)
        self.configure(bg=behind, highlightbackground=behind, highlightcolor=behind)
        self._anchor.configure(bg=behind)
        self._soon()

    def _soon(self) -> None:
        if not self._pending:
            self._pending = self.after_idle(self._draw)

    def _draw(self) -> None:
        self._pending = ""
        self._top = max(0, min(self._top, self._high - self.winfo_height()))
        self._drawing.begin()
        carried, high = self._drag if self._drag and self._drag.lifted else None, self.winfo_height()
        ring = events.by_keyboard and self.focus_get() is self
        for place, (item, top) in enumerate(zip(self.items, self._tops(), strict=True)):
            if top - self._top > high or top - self._top + px(PITCH) < 0:
                continue
            link = self._over[1] if self._over[0] == place else ""
            if isinstance(item, ListHead):
                self._drawing.head(item, top - self._top, link)
            elif carried is None or carried.place != place:
                self._drawing.row(
                    item, top - self._top, link, over=self._over[0] == place, ring=ring and item.key == self.marked
                )
        if carried is not None:
            self._draw_carried(carried)
        self._bar.set(self._top / max(self._high, 1), min(1.0, (self._top + high) / max(self._high, 1)))

    def _draw_carried(self, drag: Drag) -> None:
        """The insertion line, and over it the row that is carried."""
        tops = [*self._tops(), self._high]
        self._drawing.line(tops[drag.before] - self._top)
        item = self.items[drag.place]
        assert isinstance(item, ListRow)
        self._drawing.row(item, drag.y - px(PITCH) // 2, "", lifted=True)

    # Places -----------------------------------------------------------------------------------------------------------

    def _tops(self) -> list[int]:
        """Where each item begins, in pixels from the top of the list."""
        tops, at = list[int](), 0
        for item in self.items:
            tops.append(at)
            at += px(HEAD if isinstance(item, ListHead) else PITCH)
        return tops

    @property
    def _high(self) -> int:
        return sum(px(HEAD if isinstance(item, ListHead) else PITCH) for item in self.items)

    def _place(self, key: Any) -> int:
        found = (n for n, item in enumerate(self.items) if isinstance(item, ListRow) and item.key == key)
        return next(found, -1)

    def _key(self, place: int) -> Any:
        item = self.items[place] if 0 <= place < len(self.items) else None
        return item.key if isinstance(item, ListRow) else None

    def _place_at(self, y: int) -> int:
        tops = self._tops()
        inside = (n for n in range(len(tops) - 1, -1, -1) if tops[n] <= y + self._top)
        place = next(inside, -1)
        return place if y >= 0 and y + self._top < self._high else -1

    def _scroll_to(self, top: int) -> None:
        top = max(0, min(top, self._high - self.winfo_height()))
        if top != self._top:
            self._top = top
            self._soon()

    # What a person does -----------------------------------------------------------------------------------------------

    def _focused(self) -> None:
        if self.marked is None and self.rows:
            self.marked = self.rows[0].key
        self.paint()

    def _act(self, act: Callable[[Any], object]) -> str:
        if self.marked is not None:
            act(self.marked)
        return "break"

    def _at(self, y: int, act: Callable[[Any], object]) -> None:
        if self._over[1] in ("", "grip") and (key := self._key(self._place_at(y))) is not None:
            act(key)

    def _walk(self, steps: int) -> None:
        rows = self.rows
        if rows:
            now = next((n for n, row in enumerate(rows) if row.key == self.marked), -1)
            self.mark(rows[min(max(now + steps, 0), len(rows) - 1)].key)

    def _step(self, steps: int) -> None:
        """Alt+Up, Alt+Down: past the next row that can be moved."""
        keys = [row.key for row in self.rows if row.moves]
        if self.marked not in keys:
            return
        now = keys.index(self.marked)
        to = now + steps
        if 0 <= to < len(keys):
            after = keys[to + 1] if steps > 0 and to + 1 < len(keys) else None
            self.acts.move(self.marked, keys[to] if steps < 0 else after)
            self.see(self.marked)

    def _point(self, x: int, y: int) -> None:
        place = self._place_at(y) if x >= 0 else -1
        link = self._drawing.link_at(x, y) if place >= 0 else ""
        if (place, link) != self._over:
            self._over = (place, link)
            self.configure(cursor="hand2" if link and link != "grip" else "fleur" if link == "grip" else "")
            self._soon()
            if place >= 0:
                the_tip.soon(self)

    def _tip_text(self) -> str:
        item = self.items[self._over[0]] if 0 <= self._over[0] < len(self.items) else None
        return self._drawing.cut(item) if isinstance(item, ListRow) else ""

    def _press(self, event: tk.Event[Any]) -> None:
        self._point(event.x, event.y)  # a finger on a screen comes without a motion before
        self.focus_set()
        place, link = self._over
        item = self.items[place] if place >= 0 else None
        if isinstance(item, ListRow):
            self.marked = item.key
            if item.moves and link in ("", "grip"):
                self._drag = Drag(place, event.x, event.y)
        self._soon()

    def _carry(self, event: tk.Event[Any]) -> None:
        drag = self._drag
        if drag is None or (not drag.lifted and abs(event.y - drag.y) < px(DRAGS_FROM)):
            return
        drag.lifted, drag.y = True, event.y
        drag.before = self._target(event.y)
        if event.y < px(HEAD) or event.y > self.winfo_height() - px(HEAD):
            self._scroll_to(self._top + px(8 if event.y > px(HEAD) else -8))
        self._soon()

    def _target(self, y: int) -> int:
        """The place before which a row would come that is let go here: among those that can be moved."""
        movable = [n for n, item in enumerate(self.items) if isinstance(item, ListRow) and item.moves]
        tops = self._tops()
        return next((n for n in movable if y + self._top < tops[n] + px(PITCH) // 2), movable[-1] + 1)

    def _release(self, event: tk.Event[Any]) -> None:
        drag, self._drag = self._drag, None
        if drag is not None and drag.lifted:
            self._soon()
            if drag.before not in (drag.place, drag.place + 1):
                before = self.items[drag.before] if drag.before < len(self.items) else None
                moves = isinstance(before, ListRow) and before.moves
                self.acts.move(self._key(drag.place), before.key if moves else None)  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
            return
        place, link = self._over
        if place < 0 or link in ("", "grip") or self._drawing.link_at(event.x, event.y) != link:
            return
        item = self.items[place]
        if isinstance(item, ListHead):
            self.acts.link(item.key, link)
        elif link == "menu":
            self._menu(item.key)
        else:
            self.acts.link(item.key, link)

    def _let_go(self) -> bool:
        """Escape: a row that is carried stays where it was."""
        carried, self._drag = self._drag is not None and self._drag.lifted, None
        self._soon()
        return carried

    def _menu_at(self, event: tk.Event[Any]) -> None:
        self.focus_set()
        if (key := self._key(self._place_at(event.y))) is not None:
            self.marked = key
            self.after_idle(self._menu, key, event.x)  # this click would close it again

    def _menu(self, key: Any, x: int = -1) -> None:
        top = self._tops()[self._place(key)] - self._top
        left = x if x >= 0 else self.winfo_width() - px(60)
        self._anchor.place(x=left, y=top + px(PITCH) // 2 + px(8))
        self.update_idletasks()
        self.acts.menu(key, self._anchor)
        self._soon()
