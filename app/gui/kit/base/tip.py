"""One tooltip window for all widgets: shown on hover, and on F1 for the widget that has the focus."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import Any

from app.gui.kit.base.theme import px, theme

DELAY_MS = 450
WIDTH = 340
Words = str | Callable[[], str]


class Tip:
    """The tooltip. `tip(widget, text)` is what pages call."""

    def __init__(self) -> None:
        self._window: tk.Toplevel | None = None
        self._label: tk.Label | None = None
        self._pending = ""
        self._owner: tk.Misc | None = None

    def soon(self, widget: tk.Misc) -> None:
        self.hide()
        self._owner = widget
        self._pending = widget.after(DELAY_MS, self._show)

    def hide(self) -> None:
        if self._pending and self._owner is not None and self._owner.winfo_exists():
            self._owner.after_cancel(self._pending)
        self._pending, self._owner = "", None
        if self._window is not None and self._window.winfo_exists():
            self._window.withdraw()

    @property
    def shown(self) -> str:
        """The words on the screen now; empty if there is no tip."""
        if self._window is None or self._label is None or not self._window.winfo_exists():
            return ""
        return str(self._label.cget("text")) if self._window.winfo_viewable() else ""

    def _show(self) -> None:
        self._pending = ""
        owner = self._owner
        if owner is None or not owner.winfo_exists() or not owner.winfo_viewable():
            return
        text = tip_text(owner)
        if not text:
            return
        window, label = self._made(owner)
        label.configure(text=text, bg=theme.colour("raised"), fg=theme.colour("text"), font=theme.font("small"))
        label.configure(wraplength=px(WIDTH))
        window.configure(bg=theme.colour("border"))
        window.update_idletasks()
        wide, high = window.winfo_reqwidth(), window.winfo_reqheight()
        left = min(owner.winfo_rootx(), owner.winfo_screenwidth() - wide - 4)
        top = owner.winfo_rooty() + owner.winfo_height() + px(6)
        if top + high > owner.winfo_screenheight():
            top = owner.winfo_rooty() - high - px(6)
        window.geometry(f"+{max(left, 0)}+{max(top, 0)}")
        window.deiconify()
        window.lift()

    def _made(self, owner: tk.Misc) -> tuple[tk.Toplevel, tk.Label]:
        if self._window is None or self._label is None or not self._window.winfo_exists():
            root = owner.nametowidget(".")
            self._window = tk.Toplevel(root, bd=0)
            self._window.withdraw()
            self._window.overrideredirect(True)
            self._label = tk.Label(self._window, justify="left", padx=px(8), pady=px(5), bd=0)
            self._label.pack(padx=1, pady=1)
        return self._window, self._label


the_tip = Tip()


def tip(widget: tk.Misc, words: Words, over: tk.Misc | None = None) -> None:
    """Show `words` (text, or a function asked each time; empty for none) near `widget`.

    `over` is where the pointer and the focus are watched, if that is another widget (an entry inside its frame).
    """
    watched = over or widget
    known = hasattr(widget, "kit_tip")
    widget.kit_tip = words  # pyright: ignore[reportAttributeAccessIssue]
    if known:
        return

    def entered(_: tk.Event[Any]) -> None:
        the_tip.soon(widget)

    def left(_: tk.Event[Any]) -> None:
        the_tip.hide()

    watched.bind("<Enter>", entered, add=True)
    watched.bind("<F1>", entered, add=True)
    # Of two bindings Tk calls the narrower one only: where a widget has its own <Button-1>, <Button> is not heard.
    for sequence in ("<Leave>", "<FocusOut>", "<Button>", "<Button-1>", "<Destroy>"):
        watched.bind(sequence, left, add=True)


def show_reason(widget: tk.Misc, over: tk.Misc | None = None) -> None:
    """A control that can be disabled tells its `reason`, even if it had no tip before."""
    if not hasattr(widget, "kit_tip"):
        tip(widget, "", over=over)


def tip_text(widget: tk.Misc) -> str:
    """What the tip of `widget` says now: why it is disabled, else its words."""
    words: Words = getattr(widget, "kit_tip", "")
    return getattr(widget, "reason", "") or (words() if callable(words) else words)
