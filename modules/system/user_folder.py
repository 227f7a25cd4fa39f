"""Where what is the user's is kept: the folder that each system has for settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def settings_folder(
    environment: Mapping[str, str] = os.environ, platform: str = sys.platform, home: Path | None = None
) -> Path:
    """`XDG_CONFIG_HOME`, `APPDATA` or `~/Library/Application Support`, and in it our own folder."""
    home = home or Path.home()
    if platform == "win32":
        above = Path(environment.get("APPDATA") or home / "AppData" / "Roaming")
    elif platform == "darwin":
        above = home / "Library" / "Application Support"
    else:
        named = environment.get("XDG_CONFIG_HOME", "")
        above = Path(named) if Path(named).is_absolute() else home / ".config"  # a relative one is to be ignored
    return above / ("Seachange" if platform in ("win32", "darwin") else "seachange")
