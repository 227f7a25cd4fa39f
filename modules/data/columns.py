"""Columns of a table, or of some of its rows without copying them: ten million captions would take gigabytes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

Numbers = np.ndarray
AT_ONCE = 1 << 20  # rows


class Columns:
    """Immutable. `chosen` are the rows of the table that are meant, where it is not all of them."""

    def __init__(self, table: pa.Table, chosen: Numbers | None = None) -> None:
        chunks = max(column.num_chunks for column in table.columns)
        self._whole = table.combine_chunks() if chunks > 1 else table  # which may lie in a mapped file
        self._chosen = chosen

    def __len__(self) -> int:
        return self._whole.num_rows if self._chosen is None else len(self._chosen)

    @property
    def names(self) -> list[str]:
        return self._whole.column_names

    @cached_property
    def table(self) -> pa.Table:
        """All of it; of some rows of a table a copy."""
        return self._whole if self._chosen is None else self._whole.take(pa.array(self._chosen))

    def numbers(self, column: str) -> Numbers:
        """A column of numbers."""
        numbers = self._whole.column(column).to_numpy()
        return numbers if self._chosen is None else numbers[self._chosen]

    def values(self, column: str, rows: Numbers) -> pa.Array:
        """What some rows have in a column."""
        places = rows if self._chosen is None else self._chosen[rows]
        return self._whole.column(column).take(pa.array(places)).combine_chunks()

    def value(self, column: str, row: int) -> Any:
        """What a row has in a column."""
        return self._whole.column(column)[row if self._chosen is None else int(self._chosen[row])].as_py()

    def parts(self, column: str) -> Iterator[pa.Array]:
        """A column, a million rows at a time."""
        for start in range(0, len(self), AT_ONCE):
            rows = min(AT_ONCE, len(self) - start)
            if self._chosen is None:
                yield self._whole.column(column).slice(start, rows).combine_chunks()
            else:
                yield self.values(column, np.arange(start, start + rows))

    def keeping(self, keep: Numbers) -> Columns:
        """The rows where `keep`, one bool a row, says so."""
        rows = np.flatnonzero(keep).astype(np.uint32) if self._chosen is None else self._chosen[keep]
        return Columns(self._whole, rows)
