"""Connected regions of a mask, with numpy alone: by the runs of each row, which are few where pixels are many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]


class Regions:
    """The parts of `flags` (H, W) that hang together by their sides."""

    def __init__(self, flags: Flags) -> None:
        self.shape = flags.shape
        height, width = flags.shape
        edges = np.zeros((height, width + 2), dtype=np.int8)
        edges[:, 1:-1] = flags
        change = np.diff(edges, axis=1).ravel()  # (H * (W + 1)): a run never reaches into the next row
        self.starts, self.ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
        self._row = width + 1
        self.labels = self._joined()

    def _joined(self) -> NDArray[np.int64]:
        """The region of each run, named by its first run."""
        first = np.searchsorted(self.ends, self.starts + self._row, side="right")
        last = np.searchsorted(self.starts, self.ends + self._row, side="left")
        counts = np.maximum(last - first, 0)  # runs of the row below that touch each
        above = np.repeat(np.arange(len(counts)), counts)
        below = np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        labels = np.arange(len(self.starts))
        while np.any(labels[above] != labels[below]):
            least = np.minimum(labels[above], labels[below])
            for side in (above, below):
                np.minimum.at(labels, labels[side], least)
            while np.any(labels != labels[labels]):
                labels = labels[labels]
        return labels

    def sizes(self) -> NDArray[np.int64]:
        """Pixels of each region, at the number of its first run."""
        lengths = (self.ends - self.starts).astype(np.float64)
        return np.bincount(self.labels, lengths, minlength=len(self.labels)).astype(np.int64)

    def at_border(self) -> NDArray[np.bool_]:
        """Whether each region touches the border, at the number of its first run."""
        height, width = self.shape
        rows = self.starts // self._row
        touching = (rows == 0) | (rows == height - 1)
        touching |= (self.starts % self._row == 0) | (self.ends % self._row == width)
        found = np.zeros(len(self.labels), dtype=bool)
        np.logical_or.at(found, self.labels, touching)
        return found

    def pixels_of(self, wanted: NDArray[np.bool_]) -> Flags:
        """(H, W): where those regions are that are true at the number of their first run."""
        chosen = wanted[self.labels]
        change = np.zeros((self.shape[0], self._row), dtype=np.int8)
        change.ravel()[self.starts[chosen]] = 1
        change.ravel()[self.ends[chosen]] = -1
        return np.cumsum(change, axis=1, dtype=np.int8)[:, :-1].astype(bool)
