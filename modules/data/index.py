"""What there is to train on: one row an image, in columns. Everything after it is a pure function of it.

The columns live in an Arrow table, so that ten million images cost about 200 bytes each.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from modules.data.captions import alternatives_of
from modules.preset.concepts import Concept

# Large types count with 64 bits: ten million captions are more than 2 GiB of text.
SCHEMA = pa.schema(
    [
        ("concept", pa.int32()),
        ("path", pa.large_string()),  # inside the concept's folder, with "/"
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("bucket", pa.int32()),
        ("lines", pa.large_list(pa.large_string())),  # of the caption file
    ]
)

Bucket = tuple[int, int]  # height, width


@dataclass(frozen=True, slots=True)
class Item:
    """An image with its captions and the bucket that it will be resized to."""

    row: int
    concept: int  # its number in the preset, counted from 0
    path: Path
    key: str  # "<concept>/<path in its folder>": the address of its random draws, the same on every machine
    width: int  # as a viewer shows it: after the rotation that EXIF asks for
    height: int
    bucket: Bucket
    captions: tuple[str, ...]  # alternatives, at least one; prefix and suffix are not yet on them


@dataclass(frozen=True, slots=True)
class Bad:
    """An image that cannot be trained on, and why, in words."""

    path: Path
    reason: str


class Index:
    """All images of a preset. Immutable; `len`, `index[row]`, iteration, and columns for what must be fast."""

    def __init__(
        self,
        table: pa.Table,
        concepts: Sequence[Concept],
        folders: Sequence[Path],
        buckets: Sequence[Bucket],
        *,
        bad: Sequence[Bad] = (),
        notes: Sequence[str] = (),
    ) -> None:
        """`concepts` and `folders` are those of the preset, in its order; disabled ones have no rows."""
        self.table = table.cast(SCHEMA).combine_chunks()
        self.concepts, self.folders = tuple(concepts), tuple(folders)
        self.buckets = tuple(buckets)
        self.bad, self.notes = tuple(bad), tuple(notes)
        self.concept_numbers = self._numbers("concept")
        self.bucket_numbers = self._numbers("bucket")
        self.widths, self.heights = self._numbers("width"), self._numbers("height")

    def _numbers(self, column: str) -> np.ndarray:
        return self.table.column(column).to_numpy()

    def __len__(self) -> int:
        return self.table.num_rows

    def __iter__(self) -> Iterator[Item]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, row: int) -> Item:
        if not 0 <= row < len(self):
            raise IndexError(row)
        number = int(self.concept_numbers[row])
        inside: str = self.table.column("path")[row].as_py()
        lines: list[str] = self.table.column("lines")[row].as_py()
        return Item(
            row=row,
            concept=number,
            path=self.folders[number] / inside,
            key=f"{number}/{unicodedata.normalize('NFC', inside)}",  # macOS spells the same name differently
            width=int(self.widths[row]),
            height=int(self.heights[row]),
            bucket=self.buckets[self.bucket_numbers[row]],
            captions=alternatives_of(self.concepts[number], inside, lines),
        )

    def path(self, row: int) -> Path:
        """Where the image of a row is; cheaper than the whole item."""
        return self.folders[int(self.concept_numbers[row])] / self.table.column("path")[row].as_py()

    def bucket_rows(self) -> dict[Bucket, np.ndarray]:
        """The rows of each bucket that has any, in the order of the buckets."""
        order = np.argsort(self.bucket_numbers, kind="stable")
        numbers, starts = np.unique(self.bucket_numbers[order], return_index=True)
        parts = np.split(order, starts[1:])
        return {self.buckets[number]: rows for number, rows in zip(numbers, parts, strict=True)}

    def without(self, bad: Sequence[tuple[int, str]]) -> Index:
        """The same without some rows, each with the reason why. Rows are numbered anew; keys stay."""
        if not bad:
            return self
        keep = np.ones(len(self), dtype=bool)
        keep[[row for row, _ in bad]] = False
        named = [Bad(self.path(row), reason) for row, reason in bad]
        return Index(
            self.table.filter(pa.array(keep)), self.concepts, self.folders, self.buckets,
            bad=[*self.bad, *named], notes=self.notes,
        )  # fmt: skip
