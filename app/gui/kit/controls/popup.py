"""A list that opens under a widget, with a search line where it is long. It lives inside the window.

A window of its own (a Tk menu) looks foreign on Linux, is slow with more than 50 lines and quarrels with window
managers about the focus. Only the visible lines are drawn, so that ten thousand cost no more than ten.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.gui.kit.base.events import events
from app.gui.kit.base.frame import Frame
from app.gui.kit.base.theme import px, theme
from app.gui.kit.controls.entry import Entry
from app.gui.kit.controls.option_list import LINE, Option, OptionList
from modules.language import tr

WIDEST = 480
MOST_LINES = 9  # where there is no room for more
AROUND = 150  # pixels of a search line and a footer
GROUPS = 12  # titles between the options, at most
LONG = 10  # from so many options there is a search line
Build = Callable[[Frame, Callable[[], None]], object]

__all__ = ["Option", "Popup", "popup"]


@dataclass(frozen=True)
class Opened:
    """What a popup was asked for."""

    options: Sequence[Option]
    on_pick: Callable[[Any], object]
    current: Any = None
    search: str | None = None
    width: float = 0
    footer: Build | None = None
    on_close: Callable[[], object] | None = None


class Popup(tk.Frame):
    """An open list under `under`. `popup(...)` opens one; at most one is open.

    A pick closes it and then calls `on_pick` with the value. Escape, a click elsewhere and leaving by Tab close it.
    """

    surface = "panel"
    open_now: Popup | None = None

    def __init__(self, under: tk.Misc, asked: Opened) -> None:
        if Popup.open_now is not None:
            Popup.open_now.close()
        top = under.winfo_toplevel()
        super().__init__(top, bg=theme.colour("border"), bd=0)
        Popup.open_now = self
        self.under, self._asked = under, asked
        self._focus_before = top.focus_get()
        body = Frame(self, "panel")
        body.pack(fill="both", expand=True, padx=1, pady=1)
        searching = asked.search if asked.search is not None else (tr("Search") if len(asked.options) > LONG else "")
        self.entry: Entry | None = None
        if searching:
            self.entry = Entry(body, placeholder=searching, on_change=self._narrow, rest_ms=0)
            self.entry.pack(fill="x", padx=px(8), pady=(px(8), px(2)))
        room = top.winfo_rooty() + top.winfo_height() - under.winfo_rooty() - under.winfo_height() - px(AROUND)
        lines = min(max(room // px(LINE), MOST_LINES), len(asked.options) + GROUPS)
        self.list = OptionList(body, asked.options, self._picked, current=asked.current, lines=lines)
        self.list.pack(fill="both", expand=True, padx=px(5), pady=px(5))
        if asked.footer is not None:
            footer = Frame(body)
            footer.pack(fill="x", padx=px(10), pady=(px(2), px(10)))
            asked.footer(footer, self.close)
        self._end_clicks = events.on_click(self._clicked)
        self._place(top)
        keyed = self.entry.inner if self.entry is not None else self.list
        self._bind_keys(keyed)
        keyed.focus_set()

    def close(self) -> None:
        """Put it away; the focus goes back to where it was."""
        if Popup.open_now is self:
            Popup.open_now = None
        self._end_clicks()
        before = self._focus_before
        if not self.winfo_exists():
            return
        inside = self.focus_get()
        if before is not None and before.winfo_exists() and (inside is None or str(inside).startswith(str(self))):
            before.focus_set()
        self.destroy()
        if self._asked.on_close is not None:
            self._asked.on_close()

    def _bind_keys(self, keyed: tk.Misc) -> None:
        def stop(act: Callable[[], object]) -> Callable[[Any], str]:
            def pressed(_: Any) -> str:
                act()
                return "break"

            return pressed

        for sequence, act in (
            ("<Escape>", self.close),
            ("<Return>", self.list.pick_marked),
            ("<KP_Enter>", self.list.pick_marked),
            ("<Up>", lambda: self.list.step(-1)),
            ("<Down>", lambda: self.list.step(1)),
            ("<Prior>", lambda: self.list.step(-MOST_LINES)),
            ("<Next>", lambda: self.list.step(MOST_LINES)),
        ):
            keyed.bind(sequence, stop(act))
        if keyed is self.list:
            keyed.bind("<space>", stop(self.list.pick_marked))
            keyed.bind("<Home>", stop(lambda: self.list.step(-len(self._asked.options))))
            keyed.bind("<End>", stop(lambda: self.list.step(len(self._asked.options))))
            keyed.bind("<Key>", lambda event: self.list.jump(event.char))
        self.bind("<Escape>", stop(self.close))

    def _narrow(self, text: str) -> None:
        self.list.narrow(text)

    def _picked(self, value: Any) -> None:
        self.close()
        self._asked.on_pick(value)

    def _clicked(self, widget: tk.Misc) -> None:
        path, mine, opener = str(widget), str(self), str(self.under)
        if not any(f"{path}.".startswith(f"{kept}.") for kept in (mine, opener)):
            self.close()

    def _place(self, top: tk.Misc) -> None:
        self.update_idletasks()
        room_wide, room_high = top.winfo_width(), top.winfo_height()
        wanted = px(self._asked.width) or max(self.under.winfo_width(), min(self.list.wanted, px(WIDEST)))
        wide = max(wanted, px(140))
        wide = min(wide, room_wide - px(8))
        left = self.under.winfo_rootx() - top.winfo_rootx()
        above = self.under.winfo_rooty() - top.winfo_rooty()
        below = above + self.under.winfo_height() + px(3)
        high = self.winfo_reqheight()
        if below + high > room_high - px(4):
            # Above if there is more room, else as high as fits.
            below = max(above - high - px(3), px(4)) if above > room_high - below else below
            high = min(high, room_high - below - px(4))
        self.place(x=max(px(4), min(left, room_wide - wide - px(4))), y=below, width=wide, height=high)
        self.lift()


def popup(
    under: tk.Misc,
    options: Sequence[Option],
    on_pick: Callable[[Any], object],
    *,
    current: Any = None,
    search: str | None = None,
    width: float = 0,
    footer: Build | None = None,
    on_close: Callable[[], object] | None = None,
) -> Popup | None:
    """Open a list under `under`, or close the one that is open there.

    Args:
        search: words in the empty search line; "" for none, None for one where the list is long.
        width: pixels at 100 %; 0 for as wide as `under`, or wider if words would be cut.
        footer: fills a row under the list; gets its frame and the function that closes.
    """
    if Popup.open_now is not None and Popup.open_now.under is under:
        Popup.open_now.close()
        return None
    return Popup(under, Opened(options, on_pick, current, search, width, footer, on_close))
