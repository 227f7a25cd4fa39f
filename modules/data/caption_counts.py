"""How many captions each image has, counted in columns instead of image by image: a concept may hold a million."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from modules.data.index import Index
from modules.data.text.captions import CAPTION_KINDS, MOST_JOINED
from modules.preset.sections.concept import Concept

Numbers = np.ndarray


def caption_counts(index: Index) -> Numbers:
    """Of each row, how many of `Item.captions` say something: (N,) int64."""
    found = np.zeros(len(index), dtype=np.int64)
    for number, concept in enumerate(index.concepts):
        rows = np.flatnonzero(index.concept_numbers == number)
        if len(rows):
            found[rows] = _combined(_of_sources(index, concept, rows), concept.several)
    return found


def _combined(counts: Numbers, several: str) -> Numbers:
    """The counts of each source, (sources, N), as one."""
    if several == "first" and len(counts):
        first = (counts > 0).argmax(axis=0)
        return np.take_along_axis(counts, first[None], axis=0)[0]
    if several == "join" and len(counts):
        ways = np.where(counts > 0, counts, 1).prod(axis=0, dtype=np.float64)  # which has room for any product
        several_say = (counts > 0).sum(axis=0) > 1
        return np.where(several_say, np.minimum(ways, MOST_JOINED), counts.sum(axis=0)).astype(np.int64)
    return counts.sum(axis=0, dtype=np.int64)


def _of_sources(index: Index, concept: Concept, rows: Numbers) -> Numbers:
    """How many captions each source has of each row: (sources, N)."""
    lines = iter(_line_counts(index.values("lines", rows), len(concept.caption_files)))
    found: list[Numbers] = [np.empty((0, len(rows)), dtype=np.int64)]
    for source in concept.caption_sources:
        if source.kind == "file":
            own = np.minimum(next(lines), 1) if concept.wrapped else next(lines)
        else:
            own = _counted(source.kind, concept, index, rows)
        found.append(own[None])
    return np.concatenate(found)


def _line_counts(lines: pa.LargeListArray, files: int) -> Numbers:
    """(files, N)."""
    starts = lines.flatten().offsets.to_numpy()
    return np.diff(starts).reshape(len(lines), files).T


def _counted(kind: str, concept: Concept, index: Index, rows: Numbers) -> Numbers:
    """What names or a prompt say. Folders are few, and all images of one say the same."""
    say = CAPTION_KINDS[kind]
    if kind == "prompt":
        return np.full(len(rows), len(say(concept, "")), dtype=np.int64)
    keys: Sequence[str] = index.values("path", rows).to_pylist()
    if kind == "filename":
        return np.array([len(say(concept, key)) for key in keys], dtype=np.int64)
    folders = [key.rpartition("/")[0] for key in keys]
    known = {folder: len(say(concept, f"{folder}/image" if folder else "image")) for folder in set(folders)}
    return np.array([known[folder] for folder in folders], dtype=np.int64)
