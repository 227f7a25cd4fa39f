"""What is wrong or odd with the images, and what the buckets do to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modules.check.context import CheckContext
from modules.check.images import augmentation, balance, buckets, left_out, masks
from modules.check.wording import MAX_ITEMS, first_items, part_of
from modules.data.image.pixels import KINDS
from modules.data.index import Index
from modules.data.scan.duplicates import near_duplicates
from modules.data.scan.perceptual_hash import PixelInfo, read_pixel_info
from modules.data.source.file_hashes import FileHashes
from modules.data.source.source import DataFile
from modules.messages import Finding, Severity, Stage
from modules.sentences.problem import Problem, problem

MOST_LOOKED_AT = 20_000  # images of a concept: each is decoded once in its life, which takes 20 seconds of one core
MUCH = 0.1  # of the images
CLEAR = 0.01  # of the pixels: less is a soft edge
GREY_TOLERANCE = 3  # levels of 255 between red, green and blue


@dataclass(frozen=True)
class ReadImages:
    """An index, and what was seen of those of its images that can be read."""

    index: Index
    rows: list[int]
    prints: list[PixelInfo]

    def file(self, place: int) -> DataFile:
        return self.index.file(self.rows[place])

    def where(self, odd: Callable[[PixelInfo], bool]) -> list[int]:
        return [place for place, one in enumerate(self.prints) if odd(one)]


def findings(context: CheckContext) -> Iterator[Finding]:
    """Yield what there is to say."""
    if context.index is None:
        return
    every = context.index.one_row_per_image()
    yield from left_out.findings(every)
    index = every.sample_of_each(MOST_LOOKED_AT)
    if index is not every:
        yield Finding("images.sampled", "info", "concepts", {"count": len(index), "total": len(every)})
    scanned = _scan(context, [index.file(row) for row in range(len(index))])
    seen_masks = masks.seen_masks(index, lambda files: _scan(context, files))
    yield from _unreadable(index, scanned, masks.torn(seen_masks))
    good = [row for row, one in enumerate(scanned) if not one.reason]
    if not good:
        return
    yield from buckets.findings(context, context.index)
    yield from balance.findings(every)
    seen = ReadImages(index, good, [scanned[row] for row in good])
    yield from masks.findings(index, balance.shares_of(index), seen_masks, dict(zip(good, seen.prints, strict=True)))
    yield from augmentation.findings(context, every)
    yield from _copies(seen, Path(context.preset.general.cache))
    for trait in TRAITS:
        yield from trait.finding(seen)
    yield from _colourless(seen)


def _scan(context: CheckContext, files: Sequence[DataFile]) -> list[PixelInfo]:
    """Raises Interrupted where the user wants that; what was seen by then is kept for the next time."""
    found = read_pixel_info(
        files,
        Path(context.preset.general.cache),
        lambda done, total: context.tell(Stage("stage.check-images", done, total)),
        context.control.stop_requested,
    )
    context.control.check()
    return found


def _unreadable(index: Index, scanned: Sequence[PixelInfo], torn_masks: Mapping[int, Problem]) -> Iterator[Finding]:
    reasons = {**torn_masks} | {row: one.reason for row, one in enumerate(scanned) if one.reason}
    torn = [problem("item.reason", file=str(index.file(row)), reason=reasons[row]) for row in sorted(reasons)]
    bad = [problem("item.reason", file=bad.place, reason=bad.reason) for bad in index.bad if not bad.caption] + torn
    if not bad:
        return
    total = len(index) + len(index.bad)
    everything = len(bad) == total
    yield Finding(
        "images.unreadable:all" if everything else "images.unreadable",
        "error" if everything else "warning",
        "concepts",
        part_of(len(bad), total),
        items=[*bad[:MAX_ITEMS]],
    )


# Copies ---------------------------------------------------------------------------------------------------------------


def _copies(seen: ReadImages, cache: Path) -> Iterator[Finding]:
    groups = near_duplicates(seen.prints)
    exact = _exact(seen, groups, cache)
    yield from _copies_finding(seen, exact, "images.copies")
    # Of exact copies, one stands for all: the rest was said.
    spare = {place for group in exact for place in group[1:]}
    near = [rest for group in groups if len(rest := [place for place in group if place not in spare]) > 1]
    yield from _copies_finding(seen, near, "images.alike")


def _exact(seen: ReadImages, groups: Sequence[Sequence[int]], cache: Path) -> list[list[int]]:
    """Groups of files with the same bytes. Only those are read whole that look alike and are of one size."""
    by_bytes: dict[tuple[int, str], list[int]] = {}
    flat = seen.where(lambda one: not one.hash)  # pictures without shapes are in no group
    with FileHashes(cache) as digests:
        for group in (*groups, flat):
            sizes: dict[int, list[int]] = {}
            for place in group:
                sizes.setdefault(seen.file(place).stamp().size, []).append(place)
            for size, places in sizes.items():
                for place in places if len(places) > 1 and size > 0 else ():
                    by_bytes.setdefault((size, _digest(digests, seen.file(place))), []).append(place)
    return [places for (_, digest), places in by_bytes.items() if digest and len(places) > 1]


def _digest(digests: FileHashes, file: DataFile) -> str:
    try:
        return digests.of(file)
    except OSError:
        return ""


def _copies_finding(seen: ReadImages, groups: Sequence[Sequence[int]], code: str) -> Iterator[Finding]:
    if not groups:
        return
    spare = sum(len(group) - 1 for group in groups)
    concepts = seen.index.concept_numbers
    across = sum(len({int(concepts[seen.rows[place]]) for place in group}) > 1 for group in groups)
    yield Finding(
        code,
        "warning" if spare >= MUCH * len(seen.rows) else "info",
        "concepts",
        {
            **part_of(spare, len(seen.rows)),
            "across": [problem("copies.in-several-concepts", count=across)] if across else [],
        },
        items=first_items(" = ".join(str(seen.file(place)) for place in group[:4]) for group in groups),
    )


# Oddities that are taken care of, and worth knowing -------------------------------------------------------------------


@dataclass(frozen=True)
class Trait:
    """Something that some images are; the catalogue says what is done about it."""

    code: str
    is_so: Callable[[PixelInfo], bool]
    severity: Severity = "info"

    def finding(self, seen: ReadImages) -> Iterator[Finding]:
        odd = seen.where(self.is_so)
        if odd:
            items = first_items(seen.file(place) for place in odd)
            yield Finding(self.code, self.severity, "concepts", part_of(len(odd), len(seen.rows)), items=items)


TRAITS = (
    Trait("images.transparent", lambda one: one.transparent_share > CLEAR),
    Trait("images.turned", lambda one: one.orientation > 1),
    Trait("images.animated", lambda one: one.is_animated),
    Trait("images.cmyk", lambda one: one.mode == "CMYK"),
    Trait("images.16-bit", lambda one: one.mode in KINDS),
)


def _colourless(seen: ReadImages) -> Iterator[Finding]:
    """Black and white among colours; a set that is all of it means it so."""
    thumbs = np.frombuffer(b"".join(one.thumb for one in seen.prints), dtype=np.uint8).reshape(len(seen.prints), -1, 3)
    grey = np.flatnonzero(np.ptp(thumbs, axis=2).max(axis=1) <= GREY_TOLERANCE)
    if not len(grey) or len(grey) == len(seen.rows):
        return
    items = first_items(seen.file(int(place)) for place in grey)
    yield Finding("images.colourless", "info", "concepts", part_of(len(grey), len(seen.rows)), items=items)
