"""What each image of an index holds: 32 bytes a row, and more only of those that have masks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from modules.data.columns import Columns
from modules.data.image.variants import Content

DIGEST, MASK, BOX = "digest", "mask", "box"
BYTES = 32

Numbers = np.ndarray


class Contents:
    """`contents[row]`. Immutable."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._masked = MASK in columns.names

    @classmethod
    def of(cls, digests: Numbers) -> Contents:
        """`digests`: (N, 32) uint8, zeros where an image could not be read."""
        data = pa.py_buffer(np.ascontiguousarray(digests))
        column = pa.FixedSizeBinaryArray.from_buffers(pa.binary(BYTES), len(digests), [None, data])
        return cls(Columns(pa.table({DIGEST: column})))

    def with_masks(self, masked: Mapping[int, Content]) -> Contents:
        """The same with the masks of some rows."""
        if not masked:
            return self
        found = [masked.get(row) for row in range(len(self))]
        masks = pa.array([one.mask if one else "" for one in found], pa.large_string())
        boxes = pa.array([one.box if one else None for one in found], pa.list_(pa.float64()))
        return Contents(Columns(self.table.append_column(MASK, masks).append_column(BOX, boxes)))

    def __len__(self) -> int:
        return len(self._columns)

    def __getitem__(self, row: int) -> Content:
        held: bytes = self._columns.value(DIGEST, row)
        digest = held.hex() if any(held) else ""
        if not self._masked:
            return Content(digest)
        box: list[float] | None = self._columns.value(BOX, row)
        return Content(digest, self._columns.value(MASK, row), (box[0], box[1], box[2], box[3]) if box else None)

    def keeping(self, keep: Numbers) -> Contents:
        """Those of the rows where `keep`, one bool a row, says so."""
        return Contents(self._columns.keeping(keep))

    @property
    def table(self) -> pa.Table:
        """All of it, to be kept."""
        return self._columns.table
