"""The window itself: title, icon, place on the screen, timers, clipboard and file dialogs."""

from __future__ import annotations

import re
import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from app.gui.kit.base import file_dialogs, screen
from app.gui.kit.base.events import events
from app.gui.kit.base.file_dialogs import FileKinds
from app.gui.kit.base.icons import mark_file
from app.gui.kit.base.image_cleanup import sweep
from app.gui.kit.base.theme import Mode, px, theme, within
from app.gui.kit.base.toolkit import customtkinter
from modules.errors import UserError

SMALLEST = (960, 620)
EDGES = 96  # pixels of the screen's height that the title bar and the task bar may take
MAXIMISED = " maximised"
SWEEP_MS = 500
Failed = Callable[[type[BaseException], BaseException, TracebackType | None], None]
OWN = "OwnEvents"  # a tag of events that only the window has


class NoDisplay(UserError):
    """There is no screen to open a window on."""


class App(customtkinter.CTk):
    """The one window of the process; make it before any widget.

    Args:
        title: what the title bar says.
        on_error: called with what a callback raised; Tk would only print it.

    Raises:
        NoDisplay: there is no screen.
    """

    surface = "window"

    def __init__(self, title: str = "Seachange", *, mode: Mode = "dark", percent: int = 100) -> None:
        screen.prepare()
        try:
            super().__init__(className="Seachange")
        except tk.TclError as error:
            raise NoDisplay("window.no-display", reason=str(error)) from error
        self.withdraw()
        self.bindtags((*self.bindtags(), OWN))
        self._listeners: dict[str, list[Callable[[Any], object]]] = {}
        self.unbind("<Configure>")  # customtkinter's, which would be called for all that is in the window, too
        self.on_size(self._update_dimensions_event)
        self.on_error: Failed | None = None
        theme.mode = mode
        theme.percent = within(percent)
        theme.attach(self, screen.face(self), screen.face(self, screen.MONO), screen.density(self))
        events.attach(self)
        self.title(title)
        self._marks = [tk.PhotoImage(master=self, file=mark_file(size)) for size in (256, 128, 48, 32, 16)]
        self.iconphoto(True, *self._marks)
        self.paint()
        theme.painted[id(self)] = str(self), self.paint
        width, height = self.winfo_screenwidth(), self.winfo_screenheight()
        self.every(SWEEP_MS, sweep)
        self.minsize(min(px(SMALLEST[0]), width), min(px(SMALLEST[1]), height - EDGES))

    def on_size(self, act: Callable[[Any], object]) -> Callable[[], None]:
        """Call `act` with every new size of the window. Returns the function that ends it."""
        return self._listen("<Configure>", act)

    def on_focus(self, act: Callable[[Any], object]) -> Callable[[], None]:
        """Call `act` when a person comes back to the window from elsewhere. Returns the function that ends it."""
        return self._listen("<FocusIn>", act)

    def _listen(self, sequence: str, act: Callable[[Any], object]) -> Callable[[], None]:
        """What is bound to a window plainly hears of all that is in it, too; this hears only of the window."""
        acts = self._listeners.get(sequence)
        if acts is None:
            acts = self._listeners[sequence] = []
            self.bind_class(OWN, sequence, lambda event: [each(event) for each in tuple(acts)] and None)
        acts.append(act)
        return lambda: acts.remove(act)

    def paint(self) -> None:
        customtkinter.set_appearance_mode(theme.mode)  # the title bar on Windows
        self.configure(fg_color=theme.colour("window"))

    def destroy(self) -> None:
        theme.painted.pop(id(self), None)
        for timer in self.tk.splitlist(self.tk.call("after", "info")):
            self.tk.call("after", "cancel", timer)  # Tk would call what is gone, and say so on the terminal
        super().destroy()

    def report_callback_exception(  # Tk's name for it
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if self.on_error is None:
            raise error
        self.on_error(kind, error, trace)

    def show(self, geometry: str = "") -> None:
        """Put the window where it was (`geometry_now`), as far as that lies on the screen, and show it."""
        width, height = self.winfo_screenwidth(), self.winfo_screenheight() - EDGES
        found = re.fullmatch(rf"(\d+)x(\d+)\+(-?\d+)\+(-?\d+)({MAXIMISED})?", geometry)
        if found:
            wide, high, left, top = (int(part) for part in found.groups()[:4])
            wide, high = min(wide, width), min(high, height)
            left, top = min(max(left, 0), width - wide), min(max(top, 0), height - high)
        else:
            wide, high = min(px(1280), width), min(px(800), height)
            left, top = (width - wide) // 2, (height - high) // 3
        self.geometry(f"{wide}x{high}+{left}+{top}")
        self.deiconify()
        self._maximise(bool(found[5]) if found else high < px(800))

    def _maximise(self, on: bool) -> None:
        """Fill the screen as far as the window manager allows, or not."""
        if self.tk.call("tk", "windowingsystem") == "x11":
            self.attributes("-zoomed", on)
        elif on or self.state() == "zoomed":
            self.state("zoomed" if on else "normal")

    @property
    def maximised(self) -> bool:
        if self.tk.call("tk", "windowingsystem") == "x11":
            return bool(self.attributes("-zoomed"))
        return self.state() == "zoomed"

    def vanish(self) -> None:
        """Off the screen at once; what is left to do is done unseen."""
        self.withdraw()
        self.update_idletasks()

    def geometry_now(self) -> str:
        return f"{self.geometry()}{MAXIMISED if self.maximised else ''}"

    def every(self, milliseconds: int, act: Callable[[], object]) -> Callable[[], None]:
        """Call `act` again and again; an error in it is reported and the next call comes all the same.

        Returns the function that ends it.
        """
        pending = ""

        def turn() -> None:
            nonlocal pending
            pending = self.after(milliseconds, turn)
            act()

        def end() -> None:
            self.after_cancel(pending)

        pending = self.after(milliseconds, turn)
        return end

    def copy(self, text: str) -> None:
        """Put `text` on the clipboard."""
        self.clipboard_clear()
        self.clipboard_append(text)

    def pasted(self) -> str:
        """The text on the clipboard; empty if there is none."""
        try:
            return str(self.clipboard_get())
        except tk.TclError:
            return ""

    def ask_open_file(self, title: str, kinds: FileKinds = (), folder: Path | None = None) -> Path | None:
        """A file that exists, or None if the person thought better of it."""
        return file_dialogs.ask_open_file(self._parent(), title, kinds, folder)

    def ask_folder(self, title: str, folder: Path | None = None) -> Path | None:
        return file_dialogs.ask_folder(self._parent(), title, folder)

    def ask_save_file(
        self, title: str, name: str = "", kinds: FileKinds = (), folder: Path | None = None
    ) -> Path | None:
        """A place to write to; the dialog has asked before an existing file is chosen."""
        return file_dialogs.ask_save_file(self._parent(), title, name, kinds, folder)

    def _parent(self) -> tk.Misc:
        """A dialog belongs to the window that has the focus."""
        return self.focus_displayof() or self
