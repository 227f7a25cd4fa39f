"""What concerns the whole window: one handler each for wheel, clicks, keys and focus, for as long as the window lives.

Tk's `bind_all` is never undone by the widgets of customtkinter that use it (50 scroll frames leave 50 wheel handlers),
and tkinter's `unbind` takes away the handlers of others too. So there is one set of handlers and plain Python lists.
"""

from __future__ import annotations

import sys
import tkinter as tk
from collections.abc import Callable
from typing import Any

Handler = Callable[[tk.Misc], None]


class Events:
    """The dispatcher of the window. `by_keyboard` says what was used last: rings are shown for the keyboard only."""

    def __init__(self) -> None:
        self.by_keyboard = False
        self._clicks: list[Handler] = []

    def attach(self, root: tk.Misc) -> None:
        for sequence, steps in (("<Button-4>", -1), ("<Button-5>", 1)):
            root.bind_all(sequence, lambda event, steps=steps: self._wheel(event, steps, False))
        for sequence, steps in (("<Shift-Button-4>", -1), ("<Shift-Button-5>", 1)):
            root.bind_all(sequence, lambda event, steps=steps: self._wheel(event, steps, True))
        root.bind_all("<MouseWheel>", lambda event: self._wheel(event, _steps(event), False))
        root.bind_all("<Shift-MouseWheel>", lambda event: self._wheel(event, _steps(event), True))
        for sequence in ("<Control-Return>", "<Command-Return>" if sys.platform == "darwin" else "<Control-KP_Enter>"):
            root.bind_class("Text", sequence, lambda _: None)  # these start something; Tk would begin a new line, too
        root.bind_all("<Button-1>", self._click, add=True)
        root.bind_all("<Button-3>", self._click, add=True)
        root.bind_all("<Key>", self._key, add=True)
        root.bind_all("<FocusIn>", self._focus, add=True)

    def on_click(self, handle: Handler) -> Callable[[], None]:
        """Call `handle` with the widget of every click; returns the function that ends it."""
        self._clicks.append(handle)
        return lambda: self._clicks.remove(handle) if handle in self._clicks else None

    def _click(self, event: tk.Event[Any]) -> None:
        self.by_keyboard = False
        if isinstance(event.widget, tk.Misc):
            for handle in list(self._clicks):
                handle(event.widget)

    def _key(self, event: tk.Event[Any]) -> None:
        self.by_keyboard = True

    def _focus(self, event: tk.Event[Any]) -> None:
        """A widget reached by the keyboard is scrolled into view."""
        if self.by_keyboard and isinstance(event.widget, tk.Misc):
            area = _ancestor_with(event.widget, "keep_visible")
            if area is not None:
                area.keep_visible(event.widget)

    def _wheel(self, event: tk.Event[Any], steps: float, sideways: bool) -> None:
        """The wheel scrolls what lies under the pointer; it never changes a setting."""
        if isinstance(event.widget, tk.Misc) and steps:
            under = event.widget.winfo_containing(event.x_root, event.y_root) or event.widget
            if isinstance(under, tk.Text) and not hasattr(under, "wheel"):
                return  # Tk scrolls a text by itself
            target = _ancestor_with(under, "wheel")
            while target is not None and target.wheel(steps, sideways) is False:
                target = _ancestor_with(target.master, "wheel")  # what cannot scroll lets its surroundings scroll


def _ancestor_with(widget: tk.Misc | None, method: str) -> Any:
    while widget is not None and not hasattr(widget, method):
        widget = widget.master
    return widget


def _steps(event: tk.Event[Any]) -> float:
    # Windows and X11 (Tk 9) count in 120ths of a notch, macOS in pixels of a track pad.
    return -event.delta / 120 if abs(event.delta) >= 40 else -event.delta / 8


events = Events()


def keyboard(widget: tk.Misc, act: Callable[[], object]) -> None:
    """Space and Return on `widget` call `act`; the widget can be reached by Tab."""

    def pressed(_: tk.Event[Any]) -> str:
        act()
        return "break"

    widget.configure(takefocus=1)  # pyright: ignore[reportCallIssue]
    for sequence in ("<space>", "<Return>", "<KP_Enter>"):
        widget.bind(sequence, pressed)
    leave_to_window(widget)


def leave_to_window(widget: tk.Misc) -> None:
    """Keys with Control are the window's wherever the focus is: Tk would call what <Return> or <Up> does here."""
    for sequence in ("<Control-Return>", "<Control-Up>", "<Control-Down>"):
        widget.bind(sequence, lambda _: None)
