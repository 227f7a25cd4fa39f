"""Every file of a folder with its stamp, as fast as Python lists them, and each ending's files without asking all."""

from __future__ import annotations

import errno
import os
import stat
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from operator import attrgetter, itemgetter
from pathlib import Path

import numpy as np

from modules.sentences.problem import Problem, problem

Found = os.DirEntry[str]
Stamps = np.ndarray  # (N, 4) int64, each row a `Stamp`

AT_ONCE = 2048  # files whose stamps are asked for at once: the answers are large objects, and are not all kept
OF_STAMP = attrgetter("st_size", "st_mtime_ns", "st_ctime_ns", "st_ino")
MODE = itemgetter(stat.ST_MODE)
NAME = attrgetter("name")
AFTER_DOT = chr(ord(".") + 1)


class FilesBelow:
    """The files of a folder. One that links lead to twice is taken once."""

    def __init__(self, endings: tuple[str, ...], *, deep: bool) -> None:
        """`endings`: of captions, in small letters. `deep`: with the folders in it."""
        self.keys: list[str] = []
        self.folders: list[Found] = []  # that were not gone into
        self.unreadable: list[tuple[str, Problem]] = []  # what is neither: reading a pipe may never end
        self._endings, self._deep = endings, deep
        self._seen: set[tuple[int, int]] = set()
        self._stamps: list[Stamps] = []

    def walk(self, folder: Path | str, above: str = "") -> None:
        """Take in a folder, and those in it.

        Raises:
            PermissionError: one of them may not be read.
        """
        about = os.stat(folder)  # noqa: PTH116
        if (about.st_dev, about.st_ino) in self._seen:
            return
        self._seen.add((about.st_dev, about.st_ino))
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=NAME)
        del listed[bisect_left(listed, ".", key=NAME) : bisect_left(listed, AFTER_DOT, key=NAME)]  # what is hidden
        for start in range(0, len(listed), AT_ONCE):
            self._take(listed[start : start + AT_ONCE], above)

    def _take(self, entries: Sequence[Found], above: str) -> None:
        """Some entries of a folder: all at once if they are files, as nearly always; else one by one."""
        try:
            stats = [entry.stat() for entry in entries]
        except OSError:
            stats = []
        if not stats or not all(map(stat.S_ISREG, map(MODE, stats))):
            for entry in entries:
                self._take_one(entry, above)
            return
        self._add(map(above.__add__, map(NAME, entries)) if above else map(NAME, entries), stats)

    def _take_one(self, entry: Found, above: str) -> None:
        key = f"{above}{entry.name}"
        try:
            about = entry.stat()
        except OSError as error:
            self.unreadable.append((key, _why_no_stat(error)))
            return
        is_folder = stat.S_ISDIR(about.st_mode)
        if stat.S_ISREG(about.st_mode):
            self._add([key], [about])
        elif not is_folder or key.lower().endswith(self._endings):
            self.unreadable.append((key, Problem("reason.folder" if is_folder else "reason.device")))
        elif self._deep:
            self.walk(entry.path, f"{key}/")
        else:
            self.folders.append(entry)

    def _add(self, keys: Iterable[str], stats: Sequence[os.stat_result]) -> None:
        self.keys.extend(keys)
        self._stamps.append(_stamps(stats))

    def stamps(self) -> Stamps:
        """(N, 4), in the order of the keys."""
        return np.concatenate(self._stamps) if self._stamps else np.empty((0, 4), dtype=np.int64)

    @cached_property
    def endings(self) -> dict[str, list[int]]:
        """The places of the keys by what follows the last dot, with the dot, in small letters; each in their order."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for place, key in enumerate(self.keys):
            found[key[key.rfind(".") :]].append(place)
        merged: defaultdict[str, list[int]] = defaultdict(list)
        for ending, places in found.items():
            merged[ending.lower()] += places
        return {ending: sorted(places) for ending, places in merged.items()}

    def ending_in(self, ending: str) -> list[int]:
        """The places of the keys that end so, in capitals or not."""
        low = ending.lower()
        last = low[low.rfind(".") :] if "." in low else ""
        places = self.endings.get(last, []) if last else range(len(self.keys))
        return [*places] if last == low else [place for place in places if self.keys[place].lower().endswith(low)]


def _stamps(stats: Sequence[os.stat_result]) -> Stamps:
    numbers = chain.from_iterable(map(OF_STAMP, stats))
    try:
        return np.fromiter(numbers, np.int64, 4 * len(stats)).reshape(-1, 4)
    except OverflowError:  # an inode of more than 63 bits is another number, and always the same
        rows = [(*OF_STAMP(each)[:3], OF_STAMP(each)[3] - (OF_STAMP(each)[3] >> 63 << 64)) for each in stats]
        return np.array(rows, dtype=np.int64)


def _why_no_stat(error: OSError) -> Problem:
    if isinstance(error, FileNotFoundError):
        return Problem("reason.link")
    if error.errno == errno.ELOOP:
        return Problem("reason.circle")
    return problem("reason.unreadable", error=error.strerror)
