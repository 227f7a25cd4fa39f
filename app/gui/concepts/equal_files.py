"""Files of a concept with the same bytes: only those of equal size are read, and only they become objects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from app.gui.session.worker import Report, Stop
from modules.data.index import Index
from modules.data.source.source import DataFile
from modules.errors import UserError

AT_ONCE = 1000  # files between two looks at whether it is to stop
GONE = -1  # instead of a length

Numbers = np.ndarray


def equal_files(index: Index, report: Report, stop: Stop) -> list[list[DataFile]]:
    """Groups of files with the same bytes, in the order of the index. `report` counts from half to all.

    Raises:
        UserError: one cannot be read.
    """
    rows = _suspects(index, stop)
    by_digest: defaultdict[str, list[DataFile]] = defaultdict(list)
    for done, row in enumerate(rows.tolist()):
        if stop():
            break
        report(len(rows) + done, 2 * len(rows))
        file = index.file(row)
        try:
            by_digest[file.sha256()].append(file)
        except OSError as error:
            raise unreadable(file, error) from error
    return [files for files in by_digest.values() if len(files) > 1]


def unreadable(file: DataFile, error: OSError) -> UserError:
    """Why a file cannot be read, for the user."""
    return UserError("file.unreadable", file=str(file), reason=error.strerror or str(error))


def _suspects(index: Index, stop: Stop) -> Numbers:
    """The rows whose images are as wide, as high and as long as another's: those of one length after another."""
    areas = index.widths.astype(np.int64) << 32 | index.heights
    rows = np.flatnonzero(_shared(areas))
    lengths = np.fromiter(_lengths(index, rows, stop), np.int64)
    rows = rows[: len(lengths)]
    same = _shared(np.stack([areas[rows], lengths], axis=1)) if len(rows) else np.empty(0, dtype=bool)
    return rows[same]


def _shared(values: Numbers) -> Numbers:
    """Of each value, whether another is equal."""
    _, kinds, counts = np.unique(values, axis=0, return_inverse=True, return_counts=True)
    return counts[kinds.ravel()] > 1


def _lengths(index: Index, rows: Numbers, stop: Stop) -> Iterator[int]:
    """How long the files of some rows are; of fewer of them when `stop` says so."""
    for start in range(0, len(rows), AT_ONCE):
        if stop():
            return
        part = rows[start : start + AT_ONCE]
        sources = [index.sources[number] for number in index.concept_numbers[part].tolist()]
        for source, key in zip(sources, index.values("path", part).to_pylist(), strict=True):
            try:
                yield source.length(key)
            except OSError:
                yield GONE
