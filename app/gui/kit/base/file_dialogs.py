"""The system's dialogs for files and folders. On X11, where Tk draws them itself, they are dressed like the window."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from pathlib import Path
from tkinter import filedialog, ttk
from typing import Any

from app.gui.kit.base.theme import px, theme
from modules.language import tr

FileKinds = Sequence[tuple[str, str]]
# ttk's style: options by role of colour. "." is what all widgets of ttk begin with.
STYLES: dict[str, dict[str, str]] = {
    ".": {"background": "card", "foreground": "text", "bordercolor": "border", "focuscolor": "accent"},
    "TButton": {"background": "raised", "bordercolor": "border", "lightcolor": "raised", "darkcolor": "raised"},
    "TMenubutton": {"background": "raised", "bordercolor": "border", "arrowcolor": "text2", "lightcolor": "raised",
                    "darkcolor": "raised"},
    "TEntry": {"fieldbackground": "input", "bordercolor": "border", "lightcolor": "input", "insertcolor": "text",
               "selectbackground": "button", "selectforeground": "on_button"},
    "TCheckbutton": {"indicatorbackground": "input", "indicatorforeground": "text"},
    "TScrollbar": {"background": "track", "troughcolor": "card", "bordercolor": "card", "arrowcolor": "text"},
}  # fmt: skip


def ask_open_file(parent: tk.Misc, title: str, kinds: FileKinds = (), folder: Path | None = None) -> Path | None:
    """A file that exists, or None if the person thought better of it."""
    return _chosen(filedialog.askopenfilename(**_asked(parent, title, folder), filetypes=_kinds(kinds)))


def ask_folder(parent: tk.Misc, title: str, folder: Path | None = None) -> Path | None:
    return _chosen(filedialog.askdirectory(**_asked(parent, title, folder), mustexist=False))


def ask_save_file(
    parent: tk.Misc, title: str, name: str = "", kinds: FileKinds = (), folder: Path | None = None
) -> Path | None:
    """A place to write to; the dialog has asked before an existing file is chosen."""
    return _chosen(
        filedialog.asksaveasfilename(
            **_asked(parent, title, folder),
            initialfile=name,
            defaultextension=Path(name).suffix,
            filetypes=_kinds(kinds),
        )
    )


def _kinds(kinds: FileKinds) -> list[tuple[str, str]]:
    return [*((tr(title), patterns) for title, patterns in kinds), (tr("All files"), "*")]


def _asked(parent: tk.Misc, title: str, folder: Path | None) -> dict[str, Any]:
    """What every dialog is told. Without a folder to start in it is the person's own, and not the program's."""
    if parent.tk.call("tk", "windowingsystem") == "x11":
        _hide_hidden(parent)
        _dress(parent)
    start = folder if folder and folder.is_dir() else Path.home()
    return {"parent": parent.winfo_toplevel(), "title": title, "initialdir": str(start)}


def _hide_hidden(parent: tk.Misc) -> None:
    """Tk's own dialog lists every hidden file unless told not to."""
    parent.tk.call("catch", "tk_getOpenFile -nonsense")  # loads the code that holds the next two
    parent.tk.call("set", "::tk::dialog::file::showHiddenBtn", "1")
    parent.tk.call("set", "::tk::dialog::file::showHiddenVar", "0")


def _dress(parent: tk.Misc) -> None:
    """Colours and fonts of now. The list of files stays white: Tk paints it so, and its letters black."""
    style = ttk.Style(parent)
    style.theme_use("clam")
    for name, options in STYLES.items():
        style.configure(name, **{option: theme.colour(role) for option, role in options.items()})
        style.configure(name, font=theme.font("body"))
    style.configure("TButton", padding=(px(12), px(5)))
    style.configure("TMenubutton", padding=(px(8), px(4)))
    style.configure("TEntry", padding=px(5))
    hover, grey = theme.colour("hover"), theme.colour("text3")
    for name in ("TButton", "TMenubutton"):
        style.map(name, background=[("active", hover)], foreground=[("disabled", grey)])
    style.map("TScrollbar", background=[("disabled", theme.colour("card"))])
    style.map("TCheckbutton", background=[("active", theme.colour("card"))])
    style.map("TEntry", bordercolor=[("focus", theme.colour("accent"))])
    for dialog in ("TkFDialog", "TkChooseDir"):
        parent.option_add(f"*{dialog}*Menu.background", theme.colour("raised"))
        parent.option_add(f"*{dialog}*Menu.foreground", theme.colour("text"))
        parent.option_add(f"*{dialog}*Menu.font", str(theme.font("body")))
        parent.tk.call("bind", dialog, "<Map>", f"wm geometry %W {px(640)}x{px(420)}")  # Tk shows five lines
    parent.tk.call("bind", "TEntry", "<Control-a>", "%W selection range 0 end; break")  # Tk's goes to the beginning
    font = parent.tk.splitlist(parent.tk.call("font", "actual", str(theme.font("body"))))
    for name in ("TkIconFont", "TkTextFont"):
        parent.tk.call("font", "configure", name, *font)


def _chosen(answer: str | tuple[()]) -> Path | None:
    return Path(answer) if answer else None
