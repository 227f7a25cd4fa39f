"""Files dropped onto a widget, where tkinterdnd2 can be had. Without it everything works but the dropping."""

from __future__ import annotations

import importlib
import importlib.util
import tkinter as tk
from collections.abc import Callable, Sequence
from pathlib import Path

FILES = "DND_Files"
_loaded: dict[str, bool] = {}  # by the root's interpreter


def can_drop(root: tk.Misc) -> bool:
    """Whether files can be dropped here. The first call loads tkdnd."""
    key = str(root.tk.interpaddr())
    if key not in _loaded:
        _loaded[key] = _load(root)
    return _loaded[key]


def _load(root: tk.Misc) -> bool:
    if importlib.util.find_spec("tkinterdnd2") is None:
        return False
    module = importlib.import_module("tkinterdnd2.TkinterDnD")
    try:
        module.require(root.nametowidget("."))
    except RuntimeError:  # no library for this platform
        return False
    return True


def accept_files(widget: tk.Misc, on_drop: Callable[[Sequence[Path]], object]) -> bool:
    """Call `on_drop` with the paths of files and folders dropped onto `widget`; False where that cannot be had."""
    if not can_drop(widget):
        return False

    def dropped(data: str) -> str:
        paths = [Path(text) for text in widget.tk.splitlist(data)]
        if paths:
            # The drag ends first: a dialog opened inside it would hang both programs.
            widget.after_idle(on_drop, paths)
        return "copy"

    widget.tk.call("tkdnd::drop_target", "register", str(widget), FILES)
    widget.tk.call("bind", str(widget), f"<<Drop:{FILES}>>", f"{widget.register(dropped)} %D")
    return True
