"""Show a folder, a file or an address with the program that this system has for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from modules.language import tr


def open_external(place: Path | str) -> str:
    """Open it. Returns what went wrong, in words; "" if nothing did."""
    if isinstance(place, Path) and not place.exists():
        return tr("{place} does not exist yet.", place=place)
    if sys.platform == "win32":
        os.startfile(str(place))
        return ""
    opener = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if opener is None:
        return tr("No program on this system can open it. It is here: {place}", place=place)
    # Its own session: closing the window must not close what it opened.
    subprocess.Popen(
        [opener, str(place)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return ""
