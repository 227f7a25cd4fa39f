"""The captions of a subject, read once for everything that looks at them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from modules.check.context import CheckContext
from modules.data.index import Index
from modules.data.source.source import DataFile
from modules.data.text.captions import CaptionTexts, caption_texts_of, plain_captions, undrawn_caption
from modules.data.text.tags import every_tag
from modules.preset.sections.concept import Concept

MAX_IMAGES = 100_000  # images whose captions are all read; of more, some in even steps stand for all:
SAMPLED = 20_000
TAGS, WORDS = 4, 4  # captions are lists of tags if they have so many parts on average, each of at most so many words


@dataclass(frozen=True)
class ImageCaptions:
    """What the captions of one image may be: alternatives, without prefix and suffix."""

    row: int
    concept: int
    lines: tuple[str, ...]  # (""): nothing at all
    caption_texts: CaptionTexts  # what each source of captions says


class Captions:
    """The captions of all images, or of an even sample of very many."""

    def __init__(self, index: Index) -> None:
        self.index = index = index.one_row_per_image()
        step = -(-len(index) // SAMPLED) if len(index) > MAX_IMAGES else 1
        rows = np.arange(0, len(index), step)
        columns = [index.values(name, rows).to_pylist() for name in ("concept", "path", "lines")]
        self.images = [self._image(int(row), *about) for row, *about in zip(rows, *columns, strict=True)]

    def _image(self, row: int, number: int, inside: str, lines: list[list[str]]) -> ImageCaptions:
        concept = self.index.concepts[number]
        caption_texts = caption_texts_of(concept, inside, lines)
        return ImageCaptions(row, number, plain_captions(caption_texts, concept), caption_texts)

    def concept_of(self, image: ImageCaptions) -> Concept:
        return self.index.concepts[image.concept]

    def name_of(self, image: ImageCaptions) -> str:
        """The file of the image, as a person would look for it."""
        return self.index.file(image.row).key

    def file_of(self, image: ImageCaptions) -> DataFile:
        return self.index.file(image.row)

    @cached_property
    def times(self) -> Counter[tuple[int, str]]:
        """How many images each (concept, caption) stands beside."""
        return Counter((image.concept, line) for image in self.images for line in image.lines)

    @cached_property
    def whole(self) -> Counter[str]:
        """How many images each caption stands beside as the encoder gets it: between prefix and suffix."""
        found = Counter[str]()
        for (number, line), times in self.times.items():
            concept = self.index.concepts[number]
            if concept.caption_dropout < 1:
                found[undrawn_caption(line, concept)] += times
        return found

    @cached_property
    def tags(self) -> Counter[str]:
        """How many captions each tag stands in; empty where captions are sentences."""
        lists = [(every_tag(line, self.index.concepts[n]), times) for (n, line), times in self.times.items() if line]
        count = sum(times for _, times in lists)
        parts = sum(len(tags) * times for tags, times in lists)
        words = sum(len(tag.split()) * times for tags, times in lists for tag in tags)
        found = Counter[str]()
        if parts < TAGS * count or words > WORDS * parts:
            return found
        for tags, times in lists:
            for tag in dict.fromkeys(tags):
                found[tag] += times
        return found


def captions_of(context: CheckContext) -> Captions | None:
    return Captions(context.index) if context.index is not None and len(context.index) else None


# Signs ----------------------------------------------------------------------------------------------------------------

# Controls, soft hyphens, zero-width spaces, marks of direction, byte order marks, and what stands for a broken letter.
# Joiners (200c, 200d) belong into emoji and several scripts: there their neighbours are no ASCII.
INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffd]"
    "|(?<=[\x00-\x7f])[\u200c\u200d]|^[\u200c\u200d]"
)


def invisible_characters(text: str) -> Iterator[str]:
    """Signs that nobody sees and the encoder reads all the same, each once."""
    yield from dict.fromkeys(INVISIBLE.findall(text))
