"""What images are compared with: those that a run was trained on, or a folder. No torch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modules.data.source.source import DataFile
from modules.data.text.captions import has_trigger
from modules.scores.image_set import ImageSet, Scanning, images_in, markers_of, preset_with


@dataclass(frozen=True)
class References:
    """Reference images. Those of one concept are asked for by its trigger word."""

    title: str  # the folder or the run
    files: tuple[DataFile, ...]
    hashes: tuple[str, ...]  # of their bytes
    concepts: np.ndarray  # of each file: the number of its concept
    sides: np.ndarray  # of each file: its shorter side, in pixels
    markers: tuple[tuple[str, ...], ...]  # of each concept: its trigger word, if it has one
    total: int  # images that there are

    @property
    def mark(self) -> str:
        """What changes when they do."""
        lines = [f"{number} {digest}" for number, digest in zip(self.concepts, self.hashes, strict=True)]
        return hashlib.sha256("\n".join([*lines, repr(self.markers)]).encode()).hexdigest()[:16]

    def asked_by(self, prompt: str) -> np.ndarray:
        """Which of them an image of this prompt is compared with: the concepts that it names, or else all."""
        named = [number for number, words in enumerate(self.markers) if any(has_trigger(prompt, w) for w in words)]
        return np.isin(self.concepts, named) if named else np.ones(len(self.files), dtype=bool)


def references_of(
    images: ImageSet, folder: str, most: int, hash_of: Callable[[DataFile], str], scanning: Scanning
) -> References | None:
    """The images of a folder, or else of the run's concepts; None where there is neither. `most`: 0 for all.

    Raises:
        UserError: the images cannot be found.
    """
    if not folder and images.run is None:
        return None
    place = Path(folder).expanduser().absolute() if folder else images.run
    preset = preset_with(place) if folder else images.preset
    index = images_in(preset, scanning)
    rows = spread(len(index), most)
    files = tuple(index.file(int(row)) for row in rows)
    sides = np.minimum(index.widths, index.heights)[rows]
    return References(
        str(place), files, tuple(map(hash_of, files)), index.concept_numbers[rows], sides,
        tuple(tuple(markers_of(concept)) for concept in index.concepts), len(index),
    )  # fmt: skip


def spread(count: int, most: int) -> Sequence[int] | np.ndarray:
    """So many of `count` rows, evenly over all of them."""
    return np.linspace(0, count - 1, min(count, most) if most else count).astype(int)
