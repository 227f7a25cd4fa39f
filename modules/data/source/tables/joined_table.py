"""A table found by the names of images: millions of rows, of which only the columns are read that are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from modules.data.source.table_file import CAPTIONS, IMAGES, Row, captions_of, image_of, plain_row, rows_of, unusable
from modules.sentences.printable import printable
from modules.sentences.problem import problem
from modules.system.stamps import Stamp

IDS = ("id", "key", "md5")
AT_ONCE = 65_536  # rows that are Python's for a moment

Numbers = np.ndarray
Lines = tuple[str, ...]


class _Told(Protocol):
    """Rows, as a file tells them."""

    def names(self) -> pa.Array: ...
    def rows(self, numbers: Numbers) -> Iterator[Row]: ...


class JoinedTable:
    """Rows by the names of images without their endings; of several rows of a name the last."""

    def __init__(self, told: _Told) -> None:
        self._told = told
        names = told.names()
        self._count = len(names)
        self._names = names.take(pa.array(np.arange(self._count)[::-1]))  # the first is found

    def rows_of(self, names: Sequence[str]) -> Numbers:
        """The row of each name, -1 where there is none."""
        wanted = pa.array(names, pa.large_string())
        found = pc.call_function("index_in", [wanted], pc.SetLookupOptions(self._names)).to_numpy(zero_copy_only=False)
        return np.where(np.isnan(found), -1, self._count - 1 - np.nan_to_num(found)).astype(np.int64)

    def captions(self, rows: Numbers, column: str) -> list[Lines]:
        """What a column says in some rows, as `captions_of`."""
        return [captions_of(row, column) for row in self._told.rows(rows)]


class _Rows:
    """Of a file that is read as a whole: JSON, CSV."""

    def __init__(self, rows: list[Row]) -> None:
        named = [(_name(row), row) for row in rows]
        self._rows = [(name, row) for name, row in named if name]

    def names(self) -> pa.Array:
        return pa.array([name for name, _ in self._rows], pa.large_string())

    def rows(self, numbers: Numbers) -> Iterator[Row]:
        return (self._rows[number][1] for number in numbers.tolist())


class _Columns:
    """Of a Parquet file."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table.rename_columns([name.strip().lower() for name in table.column_names])

    def names(self) -> pa.Array:
        """As `_name`, of all rows at once."""
        here = {field.name: field.type for field in self._table.schema}
        images = [_stems(self._texts(name)) for name in IMAGES if name in here and _is_text(here[name])]
        found = [*images, *(self._texts(name) for name in IDS if name in here)]
        if not found:
            return pa.nulls(len(self._table), pa.large_string())
        return pc.call_function("coalesce", found)

    def _texts(self, name: str) -> pa.Array:
        texts = pa.concat_arrays(self._table.column(name).cast(pa.large_string()).chunks or [_NONE])
        said = pc.call_function("match_substring_regex", [texts], pc.MatchSubstringOptions(r"\S"))
        return pc.call_function("if_else", [said, texts, pa.scalar(None, pa.large_string())])

    def rows(self, numbers: Numbers) -> Iterator[Row]:
        for start in range(0, len(numbers), AT_ONCE):
            part = self._table.take(pa.array(numbers[start : start + AT_ONCE]))
            yield from (plain_row(row) for row in part.to_pylist())


_NONE = pa.array([], pa.large_string())


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _stems(paths: pa.Array) -> pa.Array:
    """Names without folders and endings."""
    for pattern, kept in ((r"^\s*(.*[/\\])?", ""), (r"\s+$", ""), (r"(.)\.[^.]+$", r"\1")):
        options = pc.ReplaceSubstringOptions(pattern, kept)
        paths = pc.call_function("replace_substring_regex", [paths], options)
    return paths


def _name(row: Row) -> str:
    if name := image_of(row):
        return PurePosixPath(name.replace("\\", "/")).stem
    return next((str(row[key]) for key in IDS if key in row), "")


@lru_cache(4)
def joined_table(path: Path, stamp: Stamp, columns: tuple[str, ...]) -> JoinedTable:
    """A table with these columns of captions ("": the usual ones). `stamp`: what is remembered is true of that file.

    Raises:
        UserError: it is no table, or damaged.
        OSError: it cannot be read.
    """
    if path.suffix.lower() != ".parquet":
        return JoinedTable(_Rows([row for _, row in rows_of(path).rows]))
    wanted = {*IDS, *IMAGES, *(name.lower() for column in columns for name in ((column,) if column else CAPTIONS))}
    try:
        with pq.ParquetFile(path) as file:
            names = [field.name for field in file.schema_arrow if field.name.strip().lower() in wanted]
            return JoinedTable(_Columns(file.read(columns=names)))
    except (pa.ArrowException, ValueError) as error:
        raise unusable(path, problem("reason.damaged", error=printable(error, line=True))) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise unusable(path, problem("reason.damaged", error=printable(error, line=True))) from error
