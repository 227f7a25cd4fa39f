"""Captions of a table, found by the names of the images: "123.webp" has those of the row whose id is 123."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np

from modules.data.source.entries import CaptionColumn, Entries
from modules.data.source.lists import column_of
from modules.data.source.source import Listing, Source
from modules.data.source.table_file import READERS
from modules.data.source.tables.joined_table import JoinedTable, joined_table
from modules.errors import UserError, system_error
from modules.preset.sections.concept import Concept
from modules.preset.text.caption_sources import CaptionSource
from modules.system.stamps import NO_STAMP, Stamp, stamp_of


@dataclass(frozen=True)
class TableSource:
    """Another source, with captions of a table wherever an image has no caption file of its own."""

    images: Source
    table: Path
    sources: tuple[CaptionSource, ...]

    def __hash__(self) -> int:
        return hash((self.images, self.table))

    @property
    def title(self) -> str:
        return self.images.title

    @property
    def place(self) -> str:
        return self.images.place

    @property
    def folder(self) -> Path | None:
        return self.images.folder

    def open(self, key: str) -> BinaryIO:
        return self.images.open(key)

    def head(self, key: str, count: int) -> bytes:
        return self.images.head(key, count)

    def length(self, key: str) -> int:
        return self.images.length(key)

    def stamp(self, key: str) -> Stamp:
        return self.images.stamp(key)

    def archives(self) -> Sequence[Stamp]:
        return self.images.archives()

    def caption_keys(self, key: str) -> tuple[str, ...]:
        return self.images.caption_keys(key)

    def address(self, key: str) -> str:
        return self.images.address(key)

    def path(self, key: str) -> Path | None:
        return self.images.path(key)

    def state(self) -> str:
        """As `Source.state`."""
        images, table = self.images.state(), stamp_of(self.table.stat())
        return f"{images} {table} {self.sources}" if images and not table.is_fresh() else ""

    def listing(self) -> Listing:
        listing = self.images.listing()
        if self.table.suffix.lower() not in READERS:
            raise UserError("list.kind", file=self.table.name, kinds=list(READERS))
        columns = tuple(map(column_of, self.sources))
        try:
            table = joined_table(self.table, stamp_of(self.table.stat()), columns)
        except FileNotFoundError as error:
            raise UserError("list.missing", file=self.table) from error
        except OSError as error:
            raise system_error(error) or error from error
        entries = Entries.of(listing.entries[0].file.source, listing.entries)
        rows = table.rows_of([PurePosixPath(key).stem for key in entries.keys])
        captions = [_with_rows(*each, rows, table) for each in zip(entries.captions, columns, strict=True)]
        told = Entries(
            entries.source, entries.keys, entries.stamps, captions, entries.masks, entries.conditions, entries.sizes
        )
        return listing._replace(entries=told)


def _with_rows(texts: CaptionColumn, column: str, rows: np.ndarray, table: JoinedTable) -> CaptionColumn:
    """The captions, with those of the table where an image has none."""
    missing = (texts.stamps == np.array(NO_STAMP)).all(axis=1) & (rows >= 0)
    missing[[place for place, lines in texts.lines.items() if lines]] = False
    places = np.flatnonzero(missing)
    found = zip(places.tolist(), table.captions(rows[places], column), strict=True)
    return replace(texts, lines={**texts.lines, **{place: lines for place, lines in found if lines}})


def with_table(source: Source, concept: Concept) -> Source:
    """The source with the captions of the concept's table; itself where it has none. It is not opened yet."""
    if not concept.caption_table.strip() or not concept.caption_files:
        return source
    return TableSource(source, Path(concept.caption_table).expanduser(), concept.caption_files)
