"""Whether the machine went down since: by its number of this start, or the time of it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil

from modules.system.reading import read_text

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
CLOCK_CHANGES_S = 300.0  # by so much two looks at the time of a start may differ: clocks are set


def start_of_machine() -> str:
    """As Linux numbers it; elsewhere its time, in seconds since 1970."""
    with suppress(OSError):
        return read_text(BOOT_ID).strip()
    return f"at {psutil.boot_time():.0f}"


def same_start(one: str, other: str) -> bool:
    """Whether these are the same start."""
    if one.startswith("at ") and other.startswith("at "):
        return abs(float(one[3:]) - float(other[3:])) < CLOCK_CHANGES_S
    return one == other
