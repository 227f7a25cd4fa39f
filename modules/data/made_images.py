"""Images that the tool "Make a training set" has made: their names say so, wherever they were kept."""

from __future__ import annotations

import numpy as np

from modules.data.index import Index
from modules.data.scan.facts import matching

MADE_NAME = r"(^|/)\d{5,}-[0-9a-f]{12}\.png$"  # a number, and the mark of what made it


def made_rows(index: Index) -> np.ndarray:
    """Of each row, whether a model has made its image, as far as its name tells: (N,) bool."""
    names = index.values("path", np.arange(len(index)))
    return matching(names, MADE_NAME).to_numpy(zero_copy_only=False).astype(bool)
