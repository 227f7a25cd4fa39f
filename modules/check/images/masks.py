"""What is said of masks: images that have none, masks that teach nothing or change nothing, or are of another form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from modules.check.images.balance import ConceptShare
from modules.check.wording import first_items, part_of
from modules.data.index import Index
from modules.data.scan.perceptual_hash import PixelInfo
from modules.data.source.file_info import read_image_info
from modules.data.source.parallel_read import map_in_threads
from modules.data.source.source import DataFile
from modules.messages import Finding
from modules.sentences.problem import Problem, problem
from modules.sentences.render import fix

MAX_OPAQUE = 0.001  # of the pixels: an image that has less that is transparent has no mask
BLACK, WHITE = 2, 253  # levels of 255 of a thumb, up to and from which a mask is so all over
OTHER_FORM = 0.02  # by how much proportions may differ: a pixel more or less is rounding

Scan = Callable[[Sequence[DataFile]], Sequence[PixelInfo]]


class SeenMask(NamedTuple):
    """A file with a mask, and what its pixels say."""

    file: DataFile
    pixels: PixelInfo


def seen_masks(index: Index, scan: Scan) -> dict[int, SeenMask]:
    """The masks that are files, by row."""
    files = {row: mask for row in range(len(index)) if (mask := index.mask(row))}
    scanned = scan(list(files.values())) if files else []
    return {row: SeenMask(file, one) for (row, file), one in zip(files.items(), scanned, strict=True)}


def torn(masks: Mapping[int, SeenMask]) -> dict[int, Problem]:
    """What is wrong with files of masks, by row: their images are not trained."""
    return {row: problem("reason.mask", reason=reason) for row, one in masks.items() if (reason := one.pixels.reason)}


def findings(
    index: Index, shares: Sequence[ConceptShare], masks: Mapping[int, SeenMask], images: Mapping[int, PixelInfo]
) -> Iterator[Finding]:
    """Yield what there is to say of the masks of each concept that wants some; `images` by row, as far as seen."""
    for share in shares:
        own = [int(row) for row in np.flatnonzero(index.concept_numbers == share.number)]
        if share.concept.masks == "none":
            continue
        yield from _missing(index, share, own, images)
        readable = {row: masks[row] for row in own if row in masks and not masks[row].pixels.reason}
        if readable:
            yield from _flat(share, readable)
            yield from _other_form(index, share, readable)


def _missing(
    index: Index, share: ConceptShare, own: Sequence[int], images: Mapping[int, PixelInfo]
) -> Iterator[Finding]:
    path, kind = f"concepts.{share.number}.masks", share.concept.masks
    if kind == "file":
        bare = [row for row in own if index.mask(row) is None]
    else:
        bare = [row for row in own if row in images and images[row].transparent_share <= MAX_OPAQUE]
    if not bare:
        return
    everything = len(bare) == len(own)
    how = Problem("masks.file" if kind == "file" else "masks.alpha")
    yield Finding(
        "images.masks",
        "warning" if everything else "info",
        path,
        {**part_of(len(bare), len(own)), "concept": share.title, "how": how},
        [fix("fix.no-masks", {path: "none"})] if everything else [],
        items=first_items(index.file(row) for row in bare),
    )


def _flat(share: ConceptShare, masks: Mapping[int, SeenMask]) -> Iterator[Finding]:
    """Masks that are black all over, and all of them white."""
    path, whole = f"concepts.{share.number}.masks", len(masks)
    # What is transparent is black in a mask, and white in a thumb: of such files nothing is said.
    plain = [one for one in masks.values() if not one.pixels.transparent_share]
    black = [one for one in plain if max(one.pixels.thumb) <= BLACK]
    white = [one for one in plain if min(one.pixels.thumb) >= WHITE]
    if black:
        values, files = {**part_of(len(black), whole), "concept": share.title}, (one.file for one in black)
        yield Finding("images.black-masks", "warning", path, values, items=first_items(files))
    if len(white) == whole:
        yield Finding("images.white-masks", "warning", path, {"count": whole, "concept": share.title})


def _other_form(index: Index, share: ConceptShare, masks: Mapping[int, SeenMask]) -> Iterator[Finding]:
    """A mask of another size is resized to the image's; one of other proportions is squeezed."""
    other: list[DataFile] = []
    headers = map_in_threads(read_image_info, (one.file for one in masks.values()), lambda: False)
    for (row, one), found in zip(masks.items(), headers, strict=True):
        image, mask = index.widths[row] / index.heights[row], found.width / max(1, found.height)
        slack = OTHER_FORM + 1 / max(1, min(found.width, found.height))  # a small mask rounds more
        if found.reason is None and abs(mask / image - 1) > slack:
            other.append(one.file)
    if other:
        values = {**part_of(len(other), len(masks)), "concept": share.title}
        yield Finding(
            "images.other-masks", "warning", f"concepts.{share.number}.masks", values, items=first_items(other)
        )
