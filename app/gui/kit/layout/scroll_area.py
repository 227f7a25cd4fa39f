"""A page that scrolls: the wheel anywhere over it, the slim bar, and the focused widget always in view."""

from __future__ import annotations

import tkinter as tk
from typing import Any

from app.gui.kit.base.frame import Frame
from app.gui.kit.base.scroll_bar import WIDTH, SlimBar
from app.gui.kit.base.theme import Painted, px, surface_of, theme

NOTCH = 60  # pixels a notch of the wheel moves


class ScrollArea(Painted, tk.Canvas):
    """Build into `area.body`; it is as wide as the area and as high as it needs."""

    def __init__(self, master: tk.Misc, role: str = "") -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=0, width=1, height=1)
        self.surface = role or surface_of(master)
        self.body = Frame(self, self.surface)
        self._window = self.create_window(0, 0, anchor="nw", window=self.body)
        self._bar = SlimBar(self, self.yview_moveto)
        self._bar.place(relx=1.0, rely=0, anchor="ne", relheight=1.0)
        self._pending = ""
        self.configure(yscrollcommand=self._moved)
        self.bind("<Configure>", self._resized)
        self.body.bind("<Configure>", lambda _: self._soon())
        self.follow_theme()

    def paint(self) -> None:
        self.configure(bg=theme.colour(self.surface))

    def wheel(self, steps: float, sideways: bool) -> bool:
        if sideways or not self._bar.needed:
            return False
        high = max(self.body.winfo_reqheight(), 1)
        self.yview_moveto(max(0.0, self.yview()[0] + steps * px(NOTCH) / high))
        return True

    def to_top(self) -> None:
        self.yview_moveto(0.0)

    def keep_visible(self, widget: tk.Misc) -> None:
        """Scroll no more than needed to show `widget`."""
        if not str(widget).startswith(str(self.body)):
            return
        self.update_idletasks()
        if not widget.winfo_exists():  # what was left to do took it away
            return
        top = widget.winfo_rooty() - self.body.winfo_rooty()
        bottom = top + widget.winfo_height()
        high, whole = self.winfo_height(), max(self.body.winfo_height(), 1)
        shown = self.canvasy(0)
        if top - px(24) < shown:
            self.yview_moveto(max(0, top - px(24)) / whole)
        elif bottom + px(24) > shown + high:
            self.yview_moveto((bottom + px(24) - high) / whole)

    def _resized(self, event: tk.Event[Any]) -> None:
        self.itemconfigure(self._window, width=event.width - px(WIDTH))
        self._soon()

    def _soon(self) -> None:
        """One look at the sizes for a burst of changes."""
        if not self._pending:
            self._pending = self.after_idle(self._measure)

    def _measure(self) -> None:
        self._pending = ""
        if self.winfo_exists():
            high = max(self.body.winfo_reqheight(), self.winfo_height())
            self.configure(scrollregion=(0, 0, 1, high))

    def _moved(self, first: float, last: float) -> None:
        self._bar.set(float(first), float(last))  # Tk hands over text
