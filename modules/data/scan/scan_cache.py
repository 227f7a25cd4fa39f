"""What is known of images and captions: told by their source, read by an earlier scan, or read now.

It stays in columns: only what must be read becomes an object.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modules.data.scan.stamped_table import StampedTable
from modules.data.source.entries import CaptionColumn, Entries, Stamps
from modules.data.source.file_info import CaptionInfo, FileInfo, ReadJob
from modules.sentences.problem import Problem, reason_from
from modules.system.stamps import NO_STAMP, TICK_NS

FOLDER = "scan"
IMAGE = [pa.field("width", pa.int32()), pa.field("height", pa.int32()), pa.field("reason", pa.large_string())]
LINES = pa.large_list(pa.large_string())

Numbers = np.ndarray


class KnownFiles:
    """The images of a source, and what is known of each. Rows are the places of its entries."""

    def __init__(self, entries: Entries, cache: Path | None, which: str, began_ns: int) -> None:
        """`cache`: the folder that remembers. `which`: what else than its place makes another list of the source.

        `began_ns`: when the listing began. What was written just before may change without another stamp.
        """
        self.entries = entries
        source = entries.source
        base = f"{source.place}\n{source.address('')}\n{which}"
        self._images = StampedTable(_folder(cache, base), IMAGE)
        self.captions = [
            Captions(column, _folder(cache, f"{base}\n{number}\n{column.field}\n{_ending(column)}"), began_ns)
            for number, column in enumerate(entries.captions)
        ]
        self.sizes, self.reasons = entries.sizes.copy(), dict[int, Problem]()
        self._kept = _settled(entries.stamps, began_ns)
        self._recall()
        self._new: list[int] = []

    def _recall(self) -> None:
        unknown = np.flatnonzero(self.sizes[:, 0] == 0)
        keys = self.entries.keys if len(unknown) == len(self.entries) else [self.entries.keys[i] for i in unknown]
        places = self._images.places(keys, self.entries.stamps[unknown])
        rows, places = unknown[places >= 0], places[places >= 0]
        for side, name in enumerate(("width", "height")):
            self.sizes[rows, side] = self._images.column(name).to_numpy()[places]
        said = self._images.column("reason")
        bad = pc.call_function("binary_length", [said]).to_numpy() > 0
        for row, place in zip(rows[bad[places]].tolist(), places[bad[places]].tolist(), strict=True):
            self.reasons[row] = _reason(said[place].as_py())
        self._unread = np.ones(len(self.entries), dtype=bool)
        self._unread[rows] = False
        self._unread[self.entries.sizes[:, 0] > 0] = False

    @property
    def unread(self) -> Numbers:
        """Of each image, whether it or a caption of it must still be read."""
        return np.logical_or.reduce([self._unread, *(captions.unread for captions in self.captions)])

    @property
    def notes(self) -> list[Problem]:
        return [note for table in (self._images, *(each.table for each in self.captions)) for note in table.notes]

    def job(self, rows: Numbers) -> ReadJob:
        """What must still be read of some images."""
        images = [self.entries.keys[row] for row in rows[self._unread[rows]].tolist()]
        captions = [text for each in self.captions for text in each.wanted(rows)]
        return ReadJob(self.entries.source, images, captions)

    def take_in(self, rows: Numbers, info: FileInfo) -> None:
        """What the job of these rows has read."""
        unread = rows[self._unread[rows]].tolist()
        for row, image in zip(unread, info.images, strict=True):
            self.sizes[row] = image.width, image.height
            if image.reason:
                self.reasons[row] = image.reason
        self._unread[rows] = False
        self._new += unread
        waiting = iter(info.captions)
        for captions in self.captions:
            captions.take_in(rows, waiting)

    def keep(self) -> None:
        """Write what was read since the last time."""
        rows = [row for row in self._new if self._kept[row]]
        self._new = []
        sizes = self.sizes[rows].astype(np.int32)
        reasons = pa.array([_written(self.reasons.get(row)) for row in rows], pa.large_string())
        values = {"width": pa.array(sizes[:, 0]), "height": pa.array(sizes[:, 1]), "reason": reasons}
        self._images.add([self.entries.keys[row] for row in rows], self.entries.stamps[rows], values)
        for captions in self.captions:
            captions.keep()

    def tidy(self) -> None:
        """Forget what is no longer there."""
        self._images.tidy(self.entries.keys, self.entries.stamps)
        for captions in self.captions:
            captions.table.tidy(captions.column.keys, captions.column.stamps)


class Captions:
    """One caption of each image, as `KnownFiles` has them."""

    def __init__(self, column: CaptionColumn, folder: Path | None, began_ns: int) -> None:
        self.column, self.table = column, StampedTable(folder, [pa.field("lines", LINES)])
        self._kept = _settled(column.stamps, began_ns)
        self._places = self.table.places(column.keys, column.stamps)
        self._read: dict[int, Sequence[str]] = dict(column.lines)
        self.unread = (self._places < 0) & (column.stamps[:, 0] != NO_STAMP.size)
        self.unread[list(column.lines)] = False
        self.problems: dict[int, Problem] = {}
        self.legacy: set[int] = set()  # read as Windows-1252
        self._new: list[int] = []

    def wanted(self, rows: Numbers) -> list[tuple[str, str]]:
        return [(self.column.keys[row], self.column.field) for row in rows[self.unread[rows]].tolist()]

    def take_in(self, rows: Numbers, infos: Iterator[CaptionInfo]) -> None:
        for row in rows[self.unread[rows]].tolist():
            info = next(infos)
            self._read[row] = info.lines
            if info.problem:
                self.problems[row] = info.problem
            elif info.legacy:
                self.legacy.add(row)
            elif self._kept[row]:  # one that is to be mended is read again
                self._new.append(row)
        self.unread[rows] = False

    def keep(self) -> None:
        rows, self._new = self._new, []
        lines = pa.array([self._read[row] for row in rows], LINES)
        self.table.add([self.column.keys[row] for row in rows], self.column.stamps[rows], {"lines": lines})

    def lines(self, rows: Numbers) -> pa.LargeListArray:
        """What the files of some rows say, nothing of one that is not there."""
        known, new = self.table.column("lines"), pa.array(list(self._read.values()), LINES)
        places = np.where(self._places < 0, len(known), self._places)
        places[list(self._read)] = len(known) + 1 + np.arange(len(new))
        if known.num_chunks == 1 and np.array_equal(places[rows], np.arange(len(known))):
            return known.chunk(0)  # where it lies in its file
        found = pa.chunked_array([*known.chunks, pa.array([[]], LINES), new], LINES).take(pa.array(places[rows]))
        return found.combine_chunks() if found.num_chunks != 1 else found.chunk(0)


def _folder(cache: Path | None, name: str) -> Path | None:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return cache / FOLDER / digest[:32] if cache else None


def _ending(column: CaptionColumn) -> str:
    return f".{column.keys[0].rpartition('.')[2]}" if column.keys else ""


def _settled(stamps: Stamps, now_ns: int) -> Numbers:
    """Which files were not written a moment ago."""
    return now_ns - stamps[:, 1:3].max(axis=1, initial=0) >= TICK_NS


def _reason(text: str) -> Problem:
    reason = reason_from(json.loads(text))
    assert reason
    return reason


def _written(reason: Problem | None) -> str:
    return json.dumps(asdict(reason)) if reason else ""
