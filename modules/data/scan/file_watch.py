"""Notices that files change while a run is on: their stamps are compared when they come up.

What was encoded of a file before it changed is used to the end of the run: it is what was asked for at the start. What
is read as it comes up is read as it is now, or another image of the same bucket takes its place.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import numpy as np

from modules.data.index import Index
from modules.data.source.source import CaptionFile, DataFile
from modules.errors import UserError
from modules.preset.sections.concept import Concept
from modules.sentences.problem import Problem, problem
from modules.system.stamps import NO_STAMP, TICK_NS, Stamp

# What can change, each with its rows "watch.…" (one file) and "watched.…" (several, at the end)
KINDS = ("image-gone", "image", "image-live", "caption-gone", "caption", "caption-new", "lost")
NOTHING = 0

Numbers = np.ndarray


class FileWatch:
    """The stamps of an index's files when the run began, and what has changed since. Any thread may ask."""

    def __init__(self, index: Index, note: Callable[[Problem], None], *, encoded: bool) -> None:
        """`encoded`: images are read once, before training, and not as they come up."""
        self._note, self._encoded = note, encoded
        self._guard = threading.Lock()
        self._changed: dict[str, set[str]] = {kind: set() for kind in KINDS}
        self.missing: set[int] = set()  # rows whose image is needed and cannot be read
        used = [index.sources[number] for number in np.flatnonzero(np.bincount(index.concept_numbers)).tolist()]
        self._sources = index.sources  # which keeps their ids
        self._whole = {id(source): whole for source in used if (whole := _numbers(source.archives()))}
        self._spelt_otherwise: dict[str, list[DataFile]] = {}
        # 16 bytes a row of those that have files of their own
        self._images, self._captions = (np.empty(0, dtype=np.int64) for _ in range(2))
        self.loose = hashlib.sha256()  # changes with any of these; of nothing where there are none
        self.is_fresh = False  # whether one of them may yet change without changing this
        self._take(index)

    def _take(self, index: Index) -> None:
        loose = np.array([id(source) not in self._whole for source in index.sources], dtype=bool)
        rows = np.flatnonzero(loose[index.concept_numbers])
        if not len(rows):
            return
        began = time.time_ns()
        # Where captions are follows from where images are, or was found by another spelling.
        files = [index.file(row) for row in rows.tolist()]
        self._spelt_otherwise = _spelt_otherwise(files)
        self._images, self._captions = (np.zeros(len(index), dtype=np.int64) for _ in range(2))
        latest = 0
        for row, file in zip(rows.tolist(), files, strict=True):
            stamps = [each.stamp() for each in (file, *self._captions_of(file))]
            self._images[row], self._captions[row] = _number(stamps[0]), _number_of_all(stamps[1:])
            self.loose.update(repr(stamps).encode())
            latest = max(latest, *(max(stamp.mtime_ns, stamp.ctime_ns) for stamp in stamps))
        self.is_fresh = began - latest < TICK_NS

    def without(self, rows: Numbers) -> None:
        """Go on without some rows of the index; the others move up."""
        if len(self._images):
            self._images, self._captions = np.delete(self._images, rows), np.delete(self._captions, rows)

    def is_unchanged(self, row: int, file: DataFile) -> bool:
        """Whether an image is as it was."""
        return self._is_as_it_was(row, file, _number(file.stamp()))

    def _is_as_it_was(self, row: int, file: DataFile, now: int) -> bool:
        whole = self._whole.get(id(file.source))
        return bool(now == self._images[row]) if whole is None else now in whole

    def check(self, row: int, file: DataFile, concept: Concept) -> None:
        """Compare an item's files with what they were, and report what is found, once for each kind."""
        encoded = self._encoded and not concept.live
        now = _number(file.stamp())
        if not self._is_as_it_was(row, file, now) and (
            encoded or now != NOTHING
        ):  # else it is missing, which is said then
            self._report("image-live" if not encoded else "image-gone" if now == NOTHING else "image", file)
        captions = self._captions_of(file)
        if captions and (of_all := _number_of_all([each.stamp() for each in captions])) != self._captions[row]:
            new = self._captions[row] == NOTHING
            there = next((caption for caption in captions if _number(caption.stamp())), captions[0])
            self._report("caption-new" if new else "caption-gone" if of_all == NOTHING else "caption", there)

    def _captions_of(self, file: DataFile) -> list[DataFile]:
        return self._spelt_otherwise.get(str(file)) or captions_of(file)

    def mark_missing(self, row: int, file: DataFile) -> None:
        """An image that is needed cannot be read: nobody shows it again in this run."""
        with self._guard:
            self.missing.add(row)
        self._report("lost", file)

    def _report(self, kind: str, file: DataFile) -> None:
        with self._guard:
            first = not self._changed[kind]
            self._changed[kind].add(str(file))
        if first:
            self._note(problem(f"watch.{kind}", file=str(file)))

    def summary(self) -> list[Problem]:
        """What changed, for each kind that several files are of."""
        return [problem(f"watched.{kind}", count=len(seen)) for kind, seen in self._changed.items() if len(seen) > 1]


def captions_of(file: DataFile) -> list[DataFile]:
    """The caption files of an image, whether they are there or not."""
    return [DataFile(file.source, key) for key in file.source.caption_keys(file.key)]


def _spelt_otherwise(files: Iterable[DataFile]) -> dict[str, list[DataFile]]:
    """By image, the captions of those that belong to it in another Unicode form or letter case of its name."""
    bare = [file for file in files if not all(_number(each.stamp()) for each in captions_of(file))]
    found: dict[str, list[DataFile]] = {}
    for source in dict.fromkeys(file.source for file in bare):
        with suppress(UserError):  # it has just gone
            for entry in source.listing().entries:
                captions = [text.file for text in entry.captions if isinstance(text, CaptionFile)]
                if captions != captions_of(entry.file):
                    found[str(entry.file)] = captions
    return found


def _numbers(stamps: Iterable[Stamp]) -> frozenset[int]:
    return frozenset(map(_number, stamps))


def _number_of_all(stamps: list[Stamp]) -> int:
    """One number for several files; 0 if none is there."""
    numbers = [_number(stamp) for stamp in stamps]
    return numbers[0] if len(numbers) == 1 else hash(tuple(numbers)) if any(numbers) else NOTHING


def _number(stamp: Stamp) -> int:
    """A number that changes whenever a file is written; 0 if it is not there."""
    if stamp == NO_STAMP:
        return NOTHING
    # Not the time of the last change of its rights or links: a program that links files changes nothing here.
    return hash((stamp.size, stamp.mtime_ns)) or 1
