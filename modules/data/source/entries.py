"""The images of a source in columns: a million of them as objects would take gigabytes, and a minute to make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from modules.data.source.source import CaptionFile, DataFile, Entry, Source
from modules.system.stamps import NO_STAMP, Stamp

Stamps = np.ndarray  # (N, 4) int64, each row a `Stamp`
Lines = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaptionColumn:
    """One caption of each image: a file that may not be there, or what the source itself says."""

    keys: list[str]
    stamps: Stamps
    field: str
    lines: dict[int, Lines]  # by the place of the image

    def at(self, source: Source, place: int) -> CaptionFile | Lines:
        told = self.lines.get(place)
        if told is not None:
            return told
        return CaptionFile(DataFile(source, self.keys[place]), _stamp(self.stamps, place), self.field)


class Entries(Sequence[Entry]):
    """The images that a source lists, each an `Entry` when it is asked for."""

    def __init__(
        self,
        source: Source,
        keys: list[str],
        stamps: Stamps,
        captions: Sequence[CaptionColumn],
        masks: list[str],
        conditions: list[str],
        sizes: np.ndarray | None = None,
    ) -> None:
        """`sizes`: (N, 2), width and height, 0 where the source does not know them."""
        self.source, self.keys, self.stamps = source, keys, stamps
        self.captions, self.masks, self.conditions = tuple(captions), masks, conditions
        self.sizes = np.zeros((len(keys), 2), dtype=np.int32) if sizes is None else sizes

    @classmethod
    def of(cls, source: Source, entries: Sequence[Entry]) -> Entries:
        """Columns of what a source lists one by one."""
        if isinstance(entries, Entries):
            return entries
        count = len(entries[0].captions) if entries else 0
        return cls(
            source,
            [entry.file.key for entry in entries],
            stamps_of(entry.stamp for entry in entries),
            [_column([entry.captions[number] for entry in entries]) for number in range(count)],
            [entry.mask for entry in entries],
            [entry.condition for entry in entries],
            np.array([entry.size or (0, 0) for entry in entries], dtype=np.int32).reshape(-1, 2),
        )

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, place: int) -> Entry: ...
    @overload
    def __getitem__(self, place: slice) -> list[Entry]: ...
    def __getitem__(self, place: int | slice) -> Entry | list[Entry]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        width, height = self.sizes[place].tolist()
        return Entry(
            DataFile(self.source, self.keys[place]),
            _stamp(self.stamps, place),
            tuple(column.at(self.source, place) for column in self.captions),
            self.masks[place],
            self.conditions[place],
            (width, height) if width else None,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entries) and len(self) == len(other) and all(map(Entry.__eq__, self, other))

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    @property
    def masked(self) -> int:
        """How many images have a mask beside them."""
        return len(self.masks) - self.masks.count("")

    def address(self, place: int) -> str:
        """What a person finds an image by."""
        return self.source.address(self.keys[place])

    def without(self, places: Sequence[int]) -> Entries:
        """The same without some images."""
        left = np.delete(np.arange(len(self)), np.array(places, dtype=np.int64)).tolist() if places else ()
        return Entries.of(self.source, [self[place] for place in left]) if places else self


def stamps_of(stamps: Iterable[Stamp]) -> Stamps:
    return np.array(list(stamps), dtype=np.int64).reshape(-1, 4)


def absent(count: int) -> Stamps:
    """The stamps of so many files that are not there."""
    return np.tile(np.array(NO_STAMP, dtype=np.int64), (count, 1))


def _stamp(stamps: Stamps, place: int) -> Stamp:
    return Stamp(*stamps[place].tolist())


def _column(texts: Sequence[CaptionFile | Lines]) -> CaptionColumn:
    files = [text if isinstance(text, CaptionFile) else None for text in texts]
    field = next((text.field for text in files if text), "")
    return CaptionColumn(
        [text.file.key if text else "" for text in files],
        stamps_of(text.stamp if text else NO_STAMP for text in files),
        field,
        {place: text for place, text in enumerate(texts) if not isinstance(text, CaptionFile)},
    )
