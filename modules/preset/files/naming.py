"""The name of a run, from which its folder gets its own: the window looks for it without torch."""

from __future__ import annotations

import re

from modules.preset.preset import Preset
from modules.sentences.printable import CONTROL_CHARACTERS

MAX_BYTES = 200  # of 255 that file systems allow: a number, an ending and a temporary name come on top
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


def run_name(preset: Preset) -> str:
    """A name that every system allows for a folder: the run's, or the preset's title."""
    return folder_name(preset.general.name or preset.title)


def folder_name(text: str) -> str:
    """The same of any text."""
    words = re.sub(r'[<>:"/\\|?*\x00-\x1f]+', " ", CONTROL_CHARACTERS.sub(" ", text or "run"))
    words = re.sub(r"\s+", " ", words).strip(" .")[:80].encode()[:MAX_BYTES].decode("utf-8", "ignore").strip(" .")
    if not words or words.lower() in RESERVED:
        return f"{words} run".strip()
    return f"run {words}" if words.partition(".")[0].strip().lower() in RESERVED else words  # "con.txt" is a device too
