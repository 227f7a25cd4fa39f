"""What was read of files, in Arrow files that are mapped: a row is believed while its file has the stamp that it had.

A table is a folder of parts, each of which is written once, whole, and holds what was read anew. A kill loses only
what was not yet written. Many parts, or many rows that nobody asks for, become one part. Several processes may add to a
table at once. It only saves time: what is damaged is put aside, and read from the files once more.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modules.data.source.entries import Stamps
from modules.sentences.problem import Problem, problem

ENDING, DRAFT, MAGIC = ".arrow", ".draft", b"SEACHTB1"
AN_HOUR_NS = 3600 * 10**9
MOST_PARTS = 8
FEW = 1000  # rows that nobody asks for may stay
STAMP = pa.list_(pa.int64(), 4)

Numbers = np.ndarray


class StampedTable:
    """Values by name and stamp. `fields` are the columns of the values."""

    def __init__(self, folder: Path | None, fields: Sequence[pa.Field]) -> None:
        """`folder` is made when something is added. None: nothing is known, and nothing is kept."""
        self._folder, self._fields = folder, fields
        self._schema = pa.schema([("name", pa.large_string()), ("stamp", STAMP), *fields])
        self.notes: list[Problem] = []  # what went wrong with it, for the user
        self._load()

    def _load(self) -> None:
        paths = sorted(self._folder.glob(f"*{ENDING}"), reverse=True) if self._folder else []  # the newest first
        read = [(path, table) for path in paths if (table := self._read(path)) is not None]
        self._paths = [path for path, _ in read]
        self._table = pa.concat_tables([table for _, table in read]) if read else self._schema.empty_table()

    def _read(self, path: Path) -> pa.Table | None:
        table, note = read_table(path)
        self.notes += [note] if note else []
        return table if table is not None and table.schema.equals(self._schema) else None

    def __len__(self) -> int:
        return self._table.num_rows

    def column(self, name: str) -> pa.ChunkedArray:
        return self._table.column(name)

    def places(self, names: Sequence[str], stamps: Stamps) -> Numbers:
        """The row of each name with this stamp, -1 where there is none: (N,) int64."""
        if not len(self) or not names:
            return np.full(len(names), -1, dtype=np.int64)
        wanted, known = pa.array(names, pa.large_string()), self._table.column("name").combine_chunks()
        if wanted.equals(known):
            found = np.arange(len(names))
        else:
            places = pc.call_function("index_in", [wanted], pc.SetLookupOptions(known))
            found = places.fill_null(-1).to_numpy().astype(np.int64)
        same = (self._stamps()[found] == stamps).all(axis=1) & (found >= 0)
        return np.where(same, found, -1)

    def _stamps(self) -> Stamps:
        return self._table.column("stamp").combine_chunks().flatten().to_numpy().reshape(-1, 4)

    def add(self, names: Sequence[str], stamps: Stamps, values: Mapping[str, pa.Array]) -> None:
        """Keep rows, if that can be done. They are found when the table is opened anew."""
        if names:
            stamp = pa.FixedSizeListArray.from_arrays(pa.array(stamps.ravel()), 4)
            self._write(pa.table([pa.array(names, pa.large_string()), stamp, *values.values()], schema=self._schema))

    def tidy(self, names: Sequence[str], stamps: Stamps) -> None:
        """Make one part of many, or of those that hold mostly other rows than these. Rows already found stay valid."""
        now = StampedTable(self._folder, self._fields)
        places = now.places(names, stamps)
        wanted = places[places >= 0]
        few = len(now) <= 2 * len(wanted) + FEW
        if (len(now._paths) <= MOST_PARTS and few) or not now._write(now._table.take(pa.array(wanted))):
            return
        for path in [*now._paths, *self._left_drafts()]:
            with suppress(OSError):  # mapped by another process, on Windows
                path.unlink()

    def _left_drafts(self) -> list[Path]:
        """What killed processes have begun to write."""
        drafts = self._folder.glob(f"*{DRAFT}") if self._folder else ()
        return [path for path in drafts if time.time_ns() - int(path.name[:20]) > AN_HOUR_NS]

    def _write(self, table: pa.Table) -> bool:
        """Whether the disk took it."""
        if self._folder is None:
            return False
        return write_table(self._folder / f"{time.time_ns():020d}-{uuid4().hex[:8]}{ENDING}", table)


def read_table(path: Path) -> tuple[pa.Table | None, Problem | None]:
    """What `write_table` wrote, mapped; what is damaged is put aside, which the user is told."""
    try:
        data = pa.memory_map(str(path)).read_buffer()
        table = pa.ipc.open_stream(data).read_all() if _is_sound(data) else None
    except FileNotFoundError:
        return None, None
    except (OSError, pa.ArrowException):
        table = None
    if table is None:
        aside = path.with_name(f"{path.name}.damaged")
        with suppress(OSError):
            path.replace(aside)
            return None, problem("cache.aside", file=str(path), aside=aside.name)
    return table, None


def write_table(path: Path, table: pa.Table) -> bool:
    """Whether the disk took it. It is there whole, or not at all."""
    draft = path.with_name(f"{time.time_ns():020d}-{uuid4().hex[:8]}{DRAFT}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb+") as file:
            with pa.ipc.new_stream(file, table.schema) as writer:
                writer.write_table(table)
            file.flush()
            with pa.memory_map(str(draft)) as whole:
                check = _check(np.frombuffer(whole.read_buffer(), dtype="<u8"))
            file.write(check)
        os.replace(draft, path)  # noqa: PTH105
    except OSError:
        return False
    return True


def _is_sound(data: pa.Buffer) -> bool:
    """Whether a part is as it was written: it is as fast as the memory, where a checksum of zlib takes seconds."""
    words = np.frombuffer(data, dtype="<u8") if data.size % 8 == 0 else np.empty(0, dtype="<u8")
    return len(words) > 3 and words[-3:].tobytes() == _check(words[:-3])


def _check(words: Numbers) -> bytes:
    return MAGIC + np.array([words.sum(dtype=np.uint64), np.bitwise_xor.reduce(words)], dtype="<u8").tobytes()
