"""Which images show the same picture, by their fingerprints: without comparing each with every other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from modules.data.scan.perceptual_hash import PixelInfo

MAX_HASH_DISTANCE = 8  # of the 64 bits of two hashes: what a smaller copy or stronger compression changes
# Levels of 255 by which any of 8 x 8 places may differ. Copies of half the size at JPEG quality 75 differ by up to 15,
# the starter's robots, which are drawn alike, by 28 and more.
MAX_COLOUR_DISTANCE = 20
BANDS = MAX_HASH_DISTANCE + 1  # two hashes that differ in 8 bits are equal in at least one of 9 parts
NEIGHBOURS = 256  # of equal parts, sorted by brightness, this many are compared with each: time stays linear

Numbers = np.ndarray


def near_duplicates(fingerprints: Sequence[PixelInfo]) -> list[list[int]]:
    """Rows that show nearly the same picture, in groups of two and more; pictures without shapes are in none."""
    rows = np.array([row for row, one in enumerate(fingerprints) if one.hash], dtype=np.int64)
    if len(rows) < 2:
        return []
    # What is equal is compared once: a folder of ten thousand copies is as quick as one of ten thousand pictures.
    looks = np.array([fingerprints[row].hash.to_bytes(8, "little") + fingerprints[row].thumb for row in rows])
    looks, kinds = np.unique(looks.astype(f"V{looks.dtype.itemsize}"), return_inverse=True)
    bytes_ = looks.view(np.uint8).reshape(len(looks), -1)
    hashes, thumbs = np.ascontiguousarray(bytes_[:, :8]).view("<u8").ravel(), bytes_[:, 8:]
    roots = np.arange(len(looks))
    for ones, others in _candidates(hashes, thumbs):
        roots = _united(roots, *_confirmed(thumbs, ones, others))
    return _groups(rows, roots[kinds.ravel()])


def _candidates(hashes: Numbers, thumbs: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
    """Pairs whose hashes are near, (N,) and (N,), each maybe several times: found where a part of both is equal."""
    edges = np.linspace(0, 64, BANDS + 1).astype(np.uint64)
    brightness = thumbs.mean(axis=1)
    for low, high in pairwise(edges):
        part = (hashes >> low) & ((np.uint64(1) << (high - low)) - np.uint64(1))
        order = np.lexsort((brightness, part))
        parts = part[order]
        for step in range(1, min(NEIGHBOURS, len(order) - 1) + 1):
            same = np.flatnonzero(parts[step:] == parts[:-step])
            if not len(same):
                break
            ones, others = order[same], order[same + step]
            near = np.bitwise_count(hashes[ones] ^ hashes[others]) <= MAX_HASH_DISTANCE
            yield ones[near], others[near]


def _confirmed(thumbs: Numbers, ones: Numbers, others: Numbers) -> tuple[Numbers, Numbers]:
    apart = np.abs(thumbs[ones].astype(np.int16) - thumbs[others].astype(np.int16)).max(axis=1, initial=0)
    alike = apart <= MAX_COLOUR_DISTANCE
    return ones[alike], others[alike]


def _united(roots: Numbers, ones: Numbers, others: Numbers) -> Numbers:
    """Give all that pairs connect the same head, the least of them."""
    while (roots[ones] != roots[others]).any():
        first, second = roots[ones], roots[others]
        least = np.minimum(first, second)
        np.minimum.at(roots, first, least)
        np.minimum.at(roots, second, least)
        while (roots != roots[roots]).any():
            roots = roots[roots]
    return roots


def _groups(rows: Numbers, roots: Numbers) -> list[list[int]]:
    order = np.argsort(roots, kind="stable")
    _, starts, counts = np.unique(roots[order], return_index=True, return_counts=True)
    groups = [rows[order[s : s + c]].tolist() for s, c in zip(starts, counts, strict=True) if c > 1]
    return sorted(groups, key=lambda group: (-len(group), group))
