"""The name of a run, from which its folder gets its own: the window looks for it without torch."""

from __future__ import annotations

import re

from modules.preset.preset import Preset

RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


def run_name(preset: Preset) -> str:
    """A name that every system allows for a folder: the run's, or the preset's title."""
    words = re.sub(r'[<>:"/\\|?*\x00-\x1f]+', " ", preset.general.name or preset.title or "run")
    name = re.sub(r"\s+", " ", words).strip(" .")[:80].strip(" .")
    return name if name and name.lower() not in RESERVED else f"{name} run".strip()
