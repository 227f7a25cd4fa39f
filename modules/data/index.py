"""What there is to train on: one row an image, in columns. Everything after it is a pure function of it.

The columns live in an Arrow table, so that ten million images cost about 200 bytes each.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from modules.data.columns import Columns
from modules.data.grouping import rows_by_number
from modules.data.source.source import DataFile, Remarks, Source
from modules.data.text.captions import CaptionTexts, caption_texts_of, plain_captions, undrawn_caption
from modules.preset.sections.concept import Concept
from modules.sentences.problem import Problem

# Large types count with 64 bits: ten million captions are more than 2 GiB of text.
SCHEMA = pa.schema(
    [
        ("concept", pa.int32()),
        ("path", pa.large_string()),  # the key in the concept's source: of a folder, the path inside it, with "/"
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("bucket", pa.int32()),
        ("image", pa.int32()),  # rows of one number are the same image in several resolutions; they follow one another
        ("mask", pa.large_string()),  # its key, beside the image; "" where there is none
        ("condition", pa.large_string()),  # likewise: what an inpainting model sees instead of the image
        ("lines", pa.large_list(pa.large_list(pa.large_string()))),  # of each caption file, in their order
    ]
)

WEIGHT = "weight"  # how often a row is shown against others of its concept; a column only where one asks for it
WEIGHTED = SCHEMA.append(pa.field(WEIGHT, pa.float32()))

Bucket = tuple[int, int]  # height, width


@dataclass(frozen=True, slots=True)
class Item:
    """An image with its captions and the bucket that it will be resized to."""

    row: int
    concept: int  # its number in the preset, counted from 0
    file: DataFile
    key: str  # "<concept>/<key in its source>": what its random draws hang on, the same on every machine; with
    # " @<bucket>" behind it in every resolution but the first
    width: int  # as a viewer shows it: after the rotation that EXIF asks for
    height: int
    bucket: Bucket
    captions: tuple[str, ...]  # alternatives, at least one, as they are written: nothing is done with them yet
    caption_texts: CaptionTexts  # what each source of captions says: what the caption of a showing is made of
    mask: DataFile | None = None
    condition: DataFile | None = None


@dataclass(frozen=True, slots=True)
class BadImage:
    """An image that cannot be trained on, and why."""

    place: str  # what a person finds it by
    reason: Problem
    caption: str = ""  # the caption file that is to blame, if it is not the image itself

    @property
    def name(self) -> str:
        """The last part of the place."""
        return re.split(r"[/\\]", self.place)[-1]


class Index:
    """All images of a preset. Immutable; `len`, `index[row]`, iteration, and columns for what must be fast."""

    def __init__(
        self,
        table: pa.Table | Columns,
        concepts: Sequence[Concept],
        sources: Sequence[Source],
        buckets: Sequence[Bucket],
        *,
        bad: Sequence[BadImage] = (),
        notes: Sequence[Problem] = (),
        remarks: Mapping[int, Remarks] | None = None,
        held_out: Collection[int] = (),
    ) -> None:
        """`concepts` and `sources` are those of the preset, in its order; disabled ones have no rows.

        `held_out`: image numbers that are not learnt from, though their concepts are.
        """
        if not isinstance(table, Columns):
            table = Columns(table.cast(WEIGHTED if WEIGHT in table.column_names else SCHEMA))
        self._columns = table
        # What is only measured is always shown in the same way.
        self.concepts = tuple(concept.plain() if concept.kind == "validation" else concept for concept in concepts)
        self.sources = tuple(sources)
        self.buckets = tuple(buckets)
        self.bad, self.notes = tuple(bad), tuple(notes)
        self.remarks = dict(remarks or {})  # of each concept that was looked at
        self.concept_numbers = self._numbers("concept")
        self.bucket_numbers = self._numbers("bucket")
        self.widths, self.heights = self._numbers("width"), self._numbers("height")
        self.image_numbers = self._numbers("image")
        self.weights = self._numbers(WEIGHT) if WEIGHT in table.names else None
        kinds = np.array([concept.kind != "validation" for concept in self.concepts], dtype=bool)
        self.held_out = frozenset(held_out)
        # of each row: whether it is learnt from
        self.trained = np.ones(len(self), dtype=bool) if kinds.all() else kinds[self.concept_numbers]
        if held_out:
            self.trained &= ~np.isin(self.image_numbers, list(self.held_out))

    @property
    def table(self) -> pa.Table:
        """All columns of all rows, as SCHEMA. Of some of many rows it is a copy: ask for values where they will do."""
        return self._columns.table

    def _numbers(self, column: str) -> np.ndarray:
        return self._columns.numbers(column)

    def values(self, column: str, rows: np.ndarray) -> pa.Array:
        """What some rows have in a column."""
        return self._columns.values(column, rows)

    def parts(self, column: str) -> Iterator[pa.Array]:
        """A column, a million rows at a time."""
        return self._columns.parts(column)

    def __len__(self) -> int:
        return len(self._columns)

    def __iter__(self) -> Iterator[Item]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, row: int) -> Item:
        if not 0 <= row < len(self):
            raise IndexError(row)
        number = int(self.concept_numbers[row])
        inside: str = self._columns.value("path", row)
        lines: list[list[str]] = self._columns.value("lines", row)
        caption_texts = caption_texts_of(self.concepts[number], inside, lines)
        return Item(
            row=row,
            concept=number,
            file=DataFile(self.sources[number], inside),
            key=self.key(row),
            width=int(self.widths[row]),
            height=int(self.heights[row]),
            bucket=self.buckets[self.bucket_numbers[row]],
            captions=plain_captions(caption_texts, self.concepts[number]),
            caption_texts=caption_texts,
            mask=self.mask(row),
            condition=self._beside(row, "condition"),
        )

    def key(self, row: int) -> str:
        """The address of a row's random draws; cheaper than the whole item."""
        inside: str = self._columns.value("path", row)
        height, width = self.buckets[self.bucket_numbers[row]]
        again = row > 0 and self.image_numbers[row - 1] == self.image_numbers[row]
        size = f" @{width}x{height}" if again else ""
        # macOS spells the same name differently
        return f"{self.concept_numbers[row]}/{unicodedata.normalize('NFC', inside)}{size}"

    def file(self, row: int) -> DataFile:
        """The image of a row; cheaper than the whole item."""
        return DataFile(self._source(row), self._columns.value("path", row))

    def mask(self, row: int) -> DataFile | None:
        """The mask of a row, if its concept wants masks from files and there is one."""
        return self._beside(row, "mask")

    def mask_file(self, row: int) -> tuple[DataFile, bool]:
        """The file that holds the mask of a row, and whether that is its transparency."""
        mask = self.mask(row)
        return (mask, False) if mask else (self.file(row), True)

    def _beside(self, row: int, column: str) -> DataFile | None:
        key: str = self._columns.value(column, row)
        return DataFile(self._source(row), key) if key else None

    def _source(self, row: int) -> Source:
        return self.sources[int(self.concept_numbers[row])]

    def bucket_rows(self) -> dict[Bucket, np.ndarray]:
        """The rows of each bucket that has any, in the order of the buckets."""
        parts = rows_by_number(self.bucket_numbers, len(self.buckets))
        return {bucket: rows for bucket, rows in zip(self.buckets, parts, strict=True) if len(rows)}

    @property
    def images(self) -> int:
        """How many images there are: less than rows, where images have several resolutions."""
        return int(self._first.sum())

    def images_of(self) -> np.ndarray:
        """How many images each concept has, by its number."""
        return np.bincount(self.concept_numbers[self._first], minlength=len(self.concepts))

    def shown_concepts(self) -> list[Concept]:
        """The concepts that have rows."""
        return [self.concepts[n] for n in np.flatnonzero(np.bincount(self.concept_numbers)).tolist()]

    def shown_of(self) -> np.ndarray:
        """As how many images each concept counts: as `images_of`, where they have no weights."""
        images, first = self.images_of(), self._first
        if self.weights is None:
            return images
        numbers = self.concept_numbers[first]
        sums = np.bincount(numbers, self.weights[first].astype(np.float64), minlength=len(self.concepts))
        return np.where([bool(concept.weight_column) for concept in self.concepts], sums, images)

    def one_row_per_image(self) -> Index:
        """The same with one row for each image, in its first resolution."""
        first = self._first
        return self if first.all() else self._keeping_rows(first)

    def largest(self) -> Index:
        """The same with one row for each image, in its largest resolution."""
        areas = np.array([height * width for height, width in self.buckets])[self.bucket_numbers]
        order = np.lexsort((-areas, self.image_numbers))
        keep = np.zeros(len(self), dtype=bool)
        keep[order[np.diff(self.image_numbers[order], prepend=-1) != 0]] = True
        return self if keep.all() else self._keeping_rows(keep)

    def of_kind(self, *kinds: str) -> Index:
        """The rows whose concepts are of these kinds. Concepts keep their numbers, and items their keys."""
        wanted = np.array([concept.kind in kinds for concept in self.concepts], dtype=bool)
        return self._keeping_rows(wanted[self.concept_numbers])

    def plain(self) -> Index:
        """The same without any chance in its pictures."""
        concepts = [concept.plain() for concept in self.concepts]
        return self._copy(concepts)

    def with_held_out(self, images: Collection[int]) -> Index:
        """The same, not to be learnt from the images of these numbers."""
        return self._copy(self.concepts, held_out=images)

    def training_rows(self) -> Index:
        """The rows that are learnt from."""
        return self if self.trained.all() else self._keeping_rows(self.trained)

    def validation_images(self) -> Index:
        """The images that are not learnt from, once each, with nothing left to be drawn by chance.

        They have their first captions, and are cut in the middle.
        """
        return self._keeping_rows(~self.trained).one_row_per_image()._undrawn()

    def practised_images(self, most: int) -> Index:
        """Up to so many of the images that are learnt from, spread over all of them, as `validation_images` has them.

        Not those that are there to keep what the model knows.
        """
        rows = self.of_kind("train").training_rows().one_row_per_image()
        chosen = np.zeros(len(rows), dtype=bool)
        if len(rows):
            chosen[_spread(len(rows), most)] = True
        return rows._keeping_rows(chosen)._undrawn()

    def sample_of_each(self, most: int) -> Index:
        """Up to so many rows of each concept, spread over all of them."""
        counts = np.bincount(self.concept_numbers, minlength=len(self.concepts))
        if counts.max(initial=0) <= most:
            return self
        own = [rows for rows in rows_by_number(self.concept_numbers, len(self.concepts)) if len(rows)]
        chosen = np.zeros(len(self), dtype=bool)
        chosen[np.concatenate([rows[_spread(len(rows), most)] for rows in own])] = True
        return self._keeping_rows(chosen)

    def _undrawn(self) -> Index:
        """The same with first captions as they stand there, and images cut in the middle."""
        captions = [undrawn_caption(item.captions[0], self.concepts[item.concept]) for item in self]
        lines = pa.array([[[caption] if caption else []] for caption in captions], SCHEMA.field("lines").type)
        table = self.table.set_column(SCHEMA.get_field_index("lines"), SCHEMA.field("lines"), lines)
        return self._copy([_without_randomness(concept) for concept in self.concepts], columns=Columns(table))

    def first_rows(self) -> np.ndarray:
        """The first row of each image."""
        return np.flatnonzero(self._first)

    @cached_property
    def _first(self) -> np.ndarray:
        first = np.ones(len(self), dtype=bool)
        np.not_equal(self.image_numbers[1:], self.image_numbers[:-1], out=first[1:])
        return first

    def rows_of_images(self, rows: Sequence[int]) -> np.ndarray:
        """Of each row whether its image is that of one of these rows."""
        return np.isin(self.image_numbers, self.image_numbers[list(rows)]) if rows else np.zeros(len(self), dtype=bool)

    def without(self, bad: Sequence[tuple[int, Problem]]) -> Index:
        """The same without the images of some rows, each with the reason why. Rows are numbered anew; keys stay."""
        if not bad:
            return self
        named = {int(self.image_numbers[row]): BadImage(str(self.file(row)), reason) for row, reason in bad}
        return self._keeping_rows(~np.isin(self.image_numbers, list(named)), bad=[*self.bad, *named.values()])

    def _keeping_rows(self, keep: np.ndarray, *, bad: Sequence[BadImage] | None = None) -> Index:
        return self._copy(self.concepts, columns=self._columns.keeping(keep), bad=bad)

    def _copy(
        self,
        concepts: Sequence[Concept],
        *,
        columns: Columns | None = None,
        bad: Sequence[BadImage] | None = None,
        held_out: Collection[int] | None = None,
    ) -> Index:
        """The same with other concepts, or other rows."""
        return Index(
            self._columns if columns is None else columns,
            concepts,
            self.sources,
            self.buckets,
            bad=self.bad if bad is None else bad,
            notes=self.notes,
            remarks=self.remarks,
            held_out=self.held_out if held_out is None else held_out,
        )


def _spread(count: int, most: int) -> np.ndarray:
    """Up to `most` of `count` places, even from the first to the last."""
    return np.linspace(0, count - 1, min(most, count)).astype(int)


def _without_randomness(concept: Concept) -> Concept:
    """What is left of a concept whose captions are written out: where it is, and its masks."""
    held = {name: getattr(concept, name) for name in ("path", "name", "masks", "mask_crop", "mask_margin")}
    return Concept(**held, kind="validation", tags="none")
