"""Captions of a table, found by the names of the images: "123.webp" has those of the row whose id is 123."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from modules.data.source.lists import column_of
from modules.data.source.source import CaptionFile, Entry, Listing, Source
from modules.data.source.table_file import READERS, Row, captions_of, image_of, rows_of
from modules.errors import UserError, system_error
from modules.preset.sections.concept import Concept
from modules.preset.text.caption_sources import CaptionSource
from modules.system.stamps import NO_STAMP, Stamp, stamp_of

IDS = ("id", "key", "md5")


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
        try:
            rows = _rows(self.table, stamp_of(self.table.stat()))
        except FileNotFoundError as error:
            raise UserError("list.missing", file=self.table) from error
        except OSError as error:
            raise system_error(error) or error from error
        return listing._replace(entries=[self._told(entry, rows) for entry in listing.entries])

    def _told(self, entry: Entry, rows: dict[str, Row]) -> Entry:
        row = rows.get(PurePosixPath(entry.file.key).stem)
        if row is None:
            return entry
        pairs = zip(entry.captions, self.sources, strict=True)
        return replace(entry, captions=tuple(_with_row(text, source, row) for text, source in pairs))


def _with_row(text: CaptionFile | tuple[str, ...], source: CaptionSource, row: Row) -> CaptionFile | tuple[str, ...]:
    missing = text.stamp == NO_STAMP if isinstance(text, CaptionFile) else not text
    return (captions_of(row, column_of(source)) or text) if missing else text


@lru_cache(4)
def _rows(table: Path, stamp: Stamp) -> dict[str, Row]:
    return dict(_by_name(rows_of(table).rows))


def _by_name(rows: list[tuple[int, Row]]) -> Iterator[tuple[str, Row]]:
    for _, row in rows:
        if name := image_of(row):
            yield PurePosixPath(name.replace("\\", "/")).stem, row
        elif called := next((str(row[key]) for key in IDS if key in row), ""):
            yield called, row


def with_table(source: Source, concept: Concept) -> Source:
    """The source with the captions of the concept's table; itself where it has none. It is not opened yet."""
    if not concept.caption_table.strip() or not concept.caption_files:
        return source
    return TableSource(source, Path(concept.caption_table).expanduser(), concept.caption_files)
