"""customtkinter, imported so that it harms nobody.

Its import copies two fonts over the files in ~/.fonts in place: any running process that has them mapped (another
window of ours) dies of a bus error. The kit draws with pictures and needs neither font, so nothing is copied at all.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _import() -> Any:
    real: Callable[..., Any] = shutil.copy
    fonts = Path("~/.fonts").expanduser()

    def copy(source: Any, target: Any, **options: Any) -> Any:
        if sys.platform.startswith("linux") and Path(target) == fonts:
            return target
        return real(source, target, **options)

    shutil.copy = copy
    try:
        import customtkinter  # noqa: PLC0415  the import is what has to be fenced
    finally:
        shutil.copy = real
    tracker = customtkinter.AppearanceModeTracker
    # "system" starts a process every 30 ms on Linux to ask for the theme. Said outright, the timer is not needed.
    customtkinter.set_appearance_mode("dark")
    tracker.update_loop_running = True
    # A window that changes its monitor would be laid out anew; we scale once, at the start.
    customtkinter.deactivate_automatic_dpi_awareness()
    return customtkinter


customtkinter = _import()
