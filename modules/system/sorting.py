"""Names in the order in which people count."""

from __future__ import annotations

import re
import unicodedata


def natural_key(path: str) -> tuple[object, ...]:
    """A key that sorts names as people count, folder by folder; the exact name breaks ties."""
    folders = unicodedata.normalize("NFC", path).casefold().split("/")
    # Splitting at digits makes every second piece a number, so that numbers only ever meet numbers.
    pieces = [[int(p) if i % 2 else p for i, p in enumerate(re.split(r"([0-9]+)", name))] for name in folders]
    return pieces, path
