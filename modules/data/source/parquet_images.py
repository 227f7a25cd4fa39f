"""Parquet files that hold the images themselves, as Hugging Face's image datasets do: one, or a folder of them.

An image costs the decoding of its row group, of a hundred rows or more: the last one is kept, so that reading in order
is cheap. Training reads them once where it caches latents.
"""

from __future__ import annotations

import errno
import io
from functools import lru_cache
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modules.data.source.lists import column_of
from modules.data.source.packed import PackedSource, files_below, is_packed
from modules.data.source.source import DataFile, Entry
from modules.data.source.table_file import IMAGES, captions_of, rows_of
from modules.preset.sections.concept import Concept
from modules.sentences.printable import printable
from modules.sentences.problem import Problem
from modules.system.sorting import natural_key
from modules.system.stamps import NO_STAMP, Stamp, stamp_of

ENDING = ".parquet"
FORMATS = ("jpg", "jpeg", "png", "webp")  # img2dataset calls the column of the bytes so
NAMES = ("key", "id")  # where it has their names
BROKEN = (pa.ArrowException, ValueError)  # damage, as pyarrow says it: names may be no text
KEPT = 256  # files whose places are remembered


class Places(NamedTuple):
    """Where the images of a Parquet file are."""

    column: str  # with the bytes: "image.bytes"
    names: str  # with the images' names; "" where there is none
    starts: tuple[int, ...]  # the first row of each row group, and the number of rows


class ParquetSource(PackedSource):
    """Keys are `<file>/<row>`, the row counted from 0, with the image's name behind it where that is told."""

    ENDING = ENDING

    def open(self, key: str) -> BinaryIO:
        file, row = _split(key)
        path = self.folder / file
        try:
            places = _places(path, stamp_of(path.stat()))
        except BROKEN as error:
            raise OSError(errno.EIO, printable(error, line=True), self.address(key)) from error
        if places is None or not 0 <= row < places.starts[-1]:
            raise FileNotFoundError(errno.ENOENT, "it is not in the file", self.address(key))
        group = int(np.searchsorted(places.starts, row, side="right")) - 1
        try:
            data = _group(path, stamp_of(path.stat()), group, places.column)[row - places.starts[group]].as_py()
        except BROKEN as error:
            raise OSError(errno.EIO, printable(error, line=True), self.address(key)) from error
        return io.BytesIO(data if isinstance(data, bytes) else b"")

    def stamp(self, key: str) -> Stamp:
        try:
            return stamp_of((self.folder / _split(key)[0]).stat())
        except (OSError, ValueError):
            return NO_STAMP

    def _entries(self, name: str) -> tuple[list[Entry], Problem | None]:
        path = self.folder / name
        stamp = stamp_of(path.stat())
        places = _places(path, stamp)
        if places is None:
            return [], Problem("reason.no-images-inside")
        names = _names(path, places)
        columns = [column_of(source) for source in self.concept.caption_files]
        found: list[Entry] = []
        for (number, row), called in zip(rows_of(path).rows, names, strict=True):
            last = PurePosixPath(called.replace("\\", "/")).name
            key = f"{name}/{number - 1}{f'/{last}' if last else ''}"
            texts = tuple(captions_of(row, column) for column in columns)
            found.append(Entry(DataFile(self, key), stamp, texts))
        return found, None


def _split(key: str) -> tuple[str, int]:
    """The file and the row of a key."""
    file, slash, rest = key.rpartition(f"{ENDING}/") if ENDING in key else ("", "", "")
    row = rest.partition("/")[0]
    return (f"{file}{ENDING}", int(row)) if slash and row.isdecimal() else (key, -1)


@lru_cache(KEPT)
def _places(path: Path, stamp: Stamp) -> Places | None:
    """Where the images are; None in a table without any. `stamp`: what is remembered is true of that file.

    Raises:
        OSError, pa.ArrowException: it cannot be read.
    """
    with pq.ParquetFile(path) as file:
        schema: pa.Schema = file.schema_arrow
        groups = [file.metadata.row_group(number).num_rows for number in range(file.metadata.num_row_groups)]
    starts = tuple(accumulate(groups, initial=0))
    named = next((name for name in NAMES if name in schema.names and pa.types.is_string(schema.field(name).type)), "")
    for field in sorted(schema, key=lambda field: field.name.lower() not in IMAGES):
        if pa.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0:
            names = f"{field.name}.path" if field.type.get_field_index("path") >= 0 else ""
            return Places(f"{field.name}.bytes", names, starts)
        is_bytes = pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type)
        if is_bytes and field.name.lower() in (*IMAGES, *FORMATS):
            return Places(field.name, named if field.name.lower() in FORMATS else "", starts)
    return None


@lru_cache(1)
def _group(path: Path, stamp: Stamp, group: int, column: str) -> pa.ChunkedArray:
    """The bytes of a row group's images."""
    with pq.ParquetFile(path) as file:
        return _leaf(file.read_row_group(group, columns=[column]), column)


def _names(path: Path, places: Places) -> list[str]:
    if not places.names:
        return [""] * places.starts[-1]
    with pq.ParquetFile(path) as file:
        return [
            name if isinstance(name, str) else ""
            for name in _leaf(file.read(columns=[places.names]), places.names).to_pylist()
        ]


def _leaf(table: pa.Table, column: str) -> pa.ChunkedArray:
    """A column, or a field of one: "image.bytes"."""
    name, _, inside = column.partition(".")
    found = table.column(name)
    if not inside:
        return found
    at = found.type.get_field_index(inside)
    fields = [chunk.flatten()[at] for chunk in found.chunks]
    return pa.chunked_array(fields, found.type.field(at).type)


def parquet_at(path: Path, concept: Concept, number: int) -> ParquetSource | None:
    """The source of a Parquet file with images in it, or of a folder that has such files and no images beside them."""
    single = path.name if path.name.lower().endswith(ENDING) else ""
    if not single and not is_packed(path, ENDING):
        return None
    folder = path.parent if single else path
    first = single or min(files_below(folder, ENDING), key=natural_key)
    try:
        held = _places(folder / first, stamp_of((folder / first).stat()))
    except (OSError, *BROKEN):
        held = None
    return ParquetSource(folder, concept, number, single) if held else None
