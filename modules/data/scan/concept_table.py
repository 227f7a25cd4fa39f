"""The good images of a concept as a table, and where nothing can have changed, the table of an earlier scan.

Archives and Parquet files tell by their stamps that nothing in them changed: ten million images are then mapped, and
none of them is gone through.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from modules.data.index import SCHEMA, WEIGHT, BadImage
from modules.data.scan.scan_cache import FOLDER, LINES
from modules.data.scan.stamped_table import read_table, write_table
from modules.data.source.source import Remarks, Source
from modules.errors import UserError
from modules.sentences.problem import Problem, reason_from

OWN = pa.schema([SCHEMA.field(name) for name in ("path", "width", "height", "mask", "condition", "lines")])
STATE, BAD = b"state", b"bad"

Numbers = np.ndarray


class ConceptTable(NamedTuple):
    """What a scan has found of a concept."""

    table: pa.Table  # a row for each good image, as OWN
    bad: list[BadImage]
    remarks: Remarks
    notes: list[Problem]

    def __len__(self) -> int:
        return self.table.num_rows

    @property
    def shown(self) -> float:
        """As how many images they count: fewer or more than there are, where they have weights."""
        weights = self.table.column(WEIGHT).to_numpy() if WEIGHT in self.table.column_names else None
        return len(self) if weights is None else float(weights.sum(dtype=np.float64))

    def silent(self, files: int) -> Numbers:
        """Of each of so many caption files and each image, whether it says nothing: (files, images)."""
        chunks = [chunk.flatten().offsets.to_numpy() for chunk in self.table.column("lines").chunks]
        silent = np.concatenate([np.empty(0, dtype=bool), *(ends[1:] == ends[:-1] for ends in chunks)])
        return silent.reshape(len(self), files).T


def together(columns: list[pa.LargeListArray], count: int) -> pa.LargeListArray:
    """The lines of each caption file in one column: of each image a list of them."""
    inner = columns[0] if len(columns) == 1 else pa.concat_arrays([pa.array([], LINES), *columns])
    if len(columns) > 1:
        inner = inner.take(pa.array(np.arange(len(columns) * count).reshape(-1, count).T.ravel()))
    return pa.LargeListArray.from_arrays(pa.array(np.arange(count + 1) * len(columns), pa.int64()), inner)


def texts(values: list[str], count: int) -> pa.Array:
    """A column of texts; of none, of as many empty ones."""
    return pa.array(values, pa.large_string()) if values else pa.repeat(pa.scalar("", pa.large_string()), count)


def is_empty(column: pa.ChunkedArray) -> bool:
    """Whether a column of texts says nothing in any row."""
    parts = [np.frombuffer(part.buffers()[1], np.int64, len(part) + 1, 8 * part.offset) for part in column.chunks]
    return all(ends[0] == ends[-1] for ends in parts)


def state_of(source: Source) -> bytes:
    """A digest of the source's state; nothing where it has none."""
    with suppress(OSError, UserError):
        state = source.state()
        return hashlib.sha256(state.encode("utf-8", "surrogatepass")).hexdigest().encode() if state else b""
    return b""


def recalled(source: Source, cache: Path | None) -> ConceptTable | None:
    """What an earlier scan has found, if nothing can have changed since."""
    state = state_of(source) if cache else b""
    table, _ = read_table(_file(source, cache)) if cache and state else (None, None)
    about = table.schema.metadata or {} if table is not None else {}
    if table is None or about.get(STATE) != state or not table.schema.equals(OWN):
        return None
    bad: list[BadImage] = []
    for place, reason, caption in json.loads(about[BAD]):
        why = reason_from(reason)
        assert why
        bad.append(BadImage(place, why, caption))
    return ConceptTable(table, bad, Remarks(), [])


def remember(found: ConceptTable, source: Source, cache: Path | None, state: bytes) -> None:
    """Keep what was found, if that is all there is to say. `state`: that of the source before it was listed."""
    if cache and state and state == state_of(source) and found.remarks == Remarks() and not found.notes:
        bad = json.dumps([[each.place, asdict(each.reason), each.caption] for each in found.bad])
        about = {STATE: state, BAD: bad.encode()}
        write_table(_file(source, cache), found.table.combine_chunks().replace_schema_metadata(about))


def _file(source: Source, cache: Path) -> Path:
    name = f"{type(source).__name__}\n{source.place}".encode("utf-8", "surrogatepass")
    return cache / FOLDER / f"{hashlib.sha256(name).hexdigest()[:32]}.arrow"
