"""What is wrong or odd with the images, and what the buckets do to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modules.check.context import CheckContext
from modules.check.images import augmentation, balance, buckets
from modules.check.wording import counted, first_items, share_of
from modules.data.image.pixels import KINDS
from modules.data.index import Index
from modules.data.source.duplicates import near_duplicates
from modules.data.source.file_hashes import FileHashes
from modules.data.source.perceptual_hash import PixelInfo, read_pixel_info
from modules.data.source.source import DataFile
from modules.messages import Finding, Phase, Severity

MUCH = 0.1  # of the images
CLEAR = 0.01  # of the pixels: less is a soft edge
GREY_TOLERANCE = 3  # levels of 255 between red, green and blue
TITLE = "Looking into the images"


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
    index = context.index.one_row_per_image()
    scanned = _scan(context, index) if len(index) else []
    yield from _unreadable(index, scanned)
    good = [row for row, one in enumerate(scanned) if not one.reason]
    if not good:
        return
    yield from buckets.findings(context, context.index)
    yield from balance.findings(index)
    seen = ReadImages(index, good, [scanned[row] for row in good])
    yield from augmentation.findings(context, index, seen.rows, seen.prints)
    yield from _copies(seen, Path(context.preset.general.cache))
    for trait in TRAITS:
        yield from trait.finding(seen)
    yield from _colourless(seen)


def _scan(context: CheckContext, index: Index) -> list[PixelInfo]:
    """Raises Interrupted where the user wants that; what was seen by then is kept for the next time."""
    found = read_pixel_info(
        index,
        Path(context.preset.general.cache),
        lambda done, total: context.tell(Phase(TITLE, done, total)),
        context.control.stop_requested,
    )
    context.control.check()
    return found


def _unreadable(index: Index, scanned: Sequence[PixelInfo]) -> Iterator[Finding]:
    torn = [f"{index.file(row)}: {one.reason}" for row, one in enumerate(scanned) if one.reason]
    bad = [f"{bad.place}: {bad.reason}" for bad in index.bad] + torn
    if not bad:
        return
    total = len(index) + len(index.bad)
    everything = len(bad) == total
    one = len(bad) == 1
    yield Finding(
        "images.unreadable",
        "stop" if everything else "hurt",
        f"{share_of(len(bad), total, 'image')} cannot be read{'' if everything else ' and will be left out'}.",
        f"Copy {'it' if one else 'them'} again, save {'it' if one else 'them'} anew with an image editor, or take "
        f"{'it' if one else 'them'} out of the folder.",
        "concepts",
        items=first_items(bad),
    )


# Copies ---------------------------------------------------------------------------------------------------------------


def _copies(seen: ReadImages, cache: Path) -> Iterator[Finding]:
    groups = near_duplicates(seen.prints)
    exact = _exact(seen, groups, cache)
    yield from _copies_finding(
        seen,
        exact,
        "images.copies",
        "the same file as another",
        "What is there twice is learnt twice as much. Delete the copies, unless you want it so.",
    )
    # Of exact copies, one stands for all: the rest was said.
    spare = {place for group in exact for place in group[1:]}
    near = [rest for group in groups if len(rest := [place for place in group if place not in spare]) > 1]
    yield from _copies_finding(
        seen,
        near,
        "images.alike",
        "nearly the same picture as another",
        "Smaller or compressed copies, or pictures of one series: together they count for more than the others, and "
        "the model learns them by heart. Keep the best of each.",
    )


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


def _copies_finding(
    seen: ReadImages, groups: Sequence[Sequence[int]], name: str, what: str, text: str
) -> Iterator[Finding]:
    if not groups:
        return
    spare = sum(len(group) - 1 for group in groups)
    concepts = seen.index.concept_numbers
    across = sum(len({int(concepts[seen.rows[place]]) for place in group}) > 1 for group in groups)
    apart = f" {counted(across, 'picture')} stand{'s' if across == 1 else ''} in several concepts." if across else ""
    verb = "is" if spare == 1 else "are"
    yield Finding(
        name,
        "hurt" if spare >= MUCH * len(seen.rows) else "know",
        f"{share_of(spare, len(seen.rows), 'image')} {verb} {what}.{apart}",
        text,
        "concepts",
        items=first_items(" = ".join(str(seen.file(place)) for place in group[:4]) for group in groups),
    )


# Oddities that are taken care of, and worth knowing -------------------------------------------------------------------


@dataclass(frozen=True)
class Trait:
    """Something that some images are, and what is done about it."""

    name: str
    is_so: Callable[[PixelInfo], bool]
    one: str
    many: str
    text: str
    severity: Severity = "know"

    def finding(self, seen: ReadImages) -> Iterator[Finding]:
        odd = seen.where(self.is_so)
        if odd:
            yield Finding(
                self.name,
                self.severity,
                f"{share_of(len(odd), len(seen.rows), 'image')} {self.one if len(odd) == 1 else self.many}.",
                self.text,
                "concepts",
                items=first_items(seen.file(place) for place in odd),
            )


TRAITS = (
    Trait(
        "images.transparent",
        lambda one: one.transparent_share > CLEAR,
        "is partly transparent",
        "are partly transparent",
        "What is transparent is laid on white, and the model learns the white. Put another background behind it "
        "yourself if you want one.",
    ),
    Trait(
        "images.turned",
        lambda one: one.orientation > 1,
        "is turned by a mark of the camera (EXIF)",
        "are turned by a mark of the camera (EXIF)",
        "Seachange turns them as image viewers do. Nothing needs to be done.",
    ),
    Trait(
        "images.animated",
        lambda one: one.is_animated,
        "holds more than one picture",
        "hold more than one picture",
        "Only the first picture of an animation is trained on. Save the others as files of their own if you want them.",
    ),
    Trait(
        "images.cmyk",
        lambda one: one.mode == "CMYK",
        "has colours for print (CMYK)",
        "have colours for print (CMYK)",
        "They are turned into the colours of a screen, by their profile where they have one. Look at them once in the "
        "tab concepts: without a profile colours may come out differently than you know them.",
    ),
    Trait(
        "images.16-bit",
        lambda one: one.mode in KINDS,
        "has 16 bits a pixel",
        "have 16 bits a pixel",
        "They are scaled to 8 bits, as every model wants them. Nothing needs to be done.",
    ),
)


def _colourless(seen: ReadImages) -> Iterator[Finding]:
    """Black and white among colours; a set that is all of it means it so."""
    thumbs = np.frombuffer(b"".join(one.thumb for one in seen.prints), dtype=np.uint8).reshape(len(seen.prints), -1, 3)
    grey = np.flatnonzero(np.ptp(thumbs, axis=2).max(axis=1) <= GREY_TOLERANCE)
    if not len(grey) or len(grey) == len(seen.rows):
        return
    verb = "has" if len(grey) == 1 else "have"
    yield Finding(
        "images.colourless",
        "know",
        f"{share_of(len(grey), len(seen.rows), 'image')} {verb} no colour.",
        "The model learns black and white along with what they show, unless their captions say it, for example with "
        '"black and white photo".',
        "concepts",
        items=first_items(seen.file(int(place)) for place in grey),
    )
