"""What lies in the folder of a concept, counted beside the window; and what training will see of an image.

The numbers come from the functions that training itself uses, so that they cannot disagree with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from PIL import Image

from app.gui.concepts.equal_files import equal_files, unreadable
from app.gui.session.worker import Report, Stop, Worker
from modules.data.caption_counts import caption_counts
from modules.data.image.masks import Box, box_of, open_mask
from modules.data.image.variants import Variant, content_of, is_masked, load_masks, load_pixels, variant_of
from modules.data.image_errors import UnusableImage
from modules.data.index import BadImage, Bucket, Index
from modules.data.made_images import made_rows
from modules.data.order import due_examples, epoch_length
from modules.data.scan.scan import scan
from modules.data.source.source import DataFile, Kinds
from modules.data.text.captions import caption_for
from modules.preset.preset import Preset

Numbers = np.ndarray

MOST_MASKS = 200  # that are opened to say how much of them is black


@dataclass(frozen=True, slots=True)
class Statistics:
    """What is said about one concept. Sizes are of the images as a viewer shows them."""

    images: int
    captioned: int
    alternatives: int  # captions in all: an image may have several
    buckets: dict[tuple[int, int], int]  # images by (height, width), most first
    pixels: int
    smallest: tuple[DataFile, int, int] | None  # with its width and height
    enlarged: int  # images with fewer pixels than their bucket: they would be blown up
    duplicates: list[list[DataFile]]  # groups of files with the same bytes
    bad: list[BadImage]
    not_taken: Kinds = ()  # as `Remarks.not_taken`
    masks: int = 0  # images that have one, if the concept wants them
    masked_out: float = 0.0  # which share of such an image is black, on average
    made: int = 0  # images that the tool "Make a training set" has made

    @property
    def missing(self) -> int:
        return self.images - self.captioned


def count(preset: Preset, number: int) -> Worker[Statistics]:
    """Count a concept of the preset beside the window. The files are all read once, to find equal ones."""
    return Worker(lambda report, stop: statistics(preset, number, report, stop))


def statistics(preset: Preset, number: int, report: Report, stop: Stop) -> Statistics:
    """The numbers of one concept; meaningless if it was stopped on the way.

    Raises:
        UserError: the folder is missing, empty, or cannot be read.
    """
    sizes = index_of(preset, number, lambda done, total: report(done, 2 * total), stop)
    index = sizes.one_row_per_image()
    captions = caption_counts(index)
    areas = index.widths.astype(np.int64) * index.heights
    wanted = np.array([height * width for height, width in index.buckets])[index.bucket_numbers]
    masks, masked_out = _masks(index, stop)
    row = int(areas.argmin()) if len(index) else -1
    smallest = (index.file(row), int(index.widths[row]), int(index.heights[row])) if len(index) else None
    return Statistics(
        images=len(index),
        captioned=int((captions > 0).sum()),
        alternatives=int(captions.sum()),
        buckets=_filled_buckets(sizes),
        pixels=int(areas.sum()),
        smallest=smallest,
        enlarged=int((areas < wanted).sum()),
        duplicates=equal_files(index, report, stop),
        bad=list(index.bad),
        not_taken=sizes.remarks[number].not_taken if number in sizes.remarks else (),
        masks=masks,
        masked_out=masked_out,
        made=int(made_rows(index).sum()),
    )


def index_of(preset: Preset, number: int, report: Report = lambda *_: None, stop: Stop = lambda: False) -> Index:
    """The index of one concept alone, switched on, with the number it has in the preset.

    Raises:
        UserError: as `scan`.
    """
    concepts = [concept.model_copy(update={"enabled": here == number}) for here, concept in enumerate(preset.concepts)]
    return scan(preset.model_copy(update={"concepts": tuple(concepts)}), cache=None, report=report, stop=stop)


def _masks(index: Index, stop: Stop) -> tuple[int, float]:
    """How many images have a mask, and which share of them is black: the mean over some, evenly over all."""
    rows = _masked_rows(index)
    shares: list[float] = []
    for place in np.linspace(0, len(rows) - 1, min(len(rows), MOST_MASKS)).astype(int).tolist():
        if stop():
            break
        file, alpha = index.mask_file(int(rows[place]))
        try:
            shares.append(1 - float(np.asarray(open_mask(file, alpha=alpha)).mean()) / 255)
        except UnusableImage:
            continue  # the check names it
    return len(rows), float(np.mean(shares)) if shares else 0.0


def _filled_buckets(index: Index) -> dict[Bucket, int]:
    """How many rows each bucket has that has any, most first."""
    counts = np.bincount(index.bucket_numbers, minlength=len(index.buckets))
    order = np.argsort(-counts, kind="stable")
    return {index.buckets[bucket]: int(counts[bucket]) for bucket in order.tolist() if counts[bucket]}


def _masked_rows(index: Index) -> Numbers:
    """The rows that have a mask, in a file or in their transparency."""
    wanted = np.array([concept.masks for concept in index.concepts])[index.concept_numbers]
    rows = np.flatnonzero(wanted != "none")
    lengths = pc.call_function("binary_length", [index.values("mask", rows)]).to_numpy(zero_copy_only=False)
    return rows[(wanted[rows] == "alpha") | (lengths > 0)]


def _box(file: DataFile, alpha: bool, _digest: str) -> Box | None:
    return box_of(open_mask(file, alpha=alpha))


# What training will see -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Preview:
    """One image as one epoch shows it."""

    caption: str
    variant: Variant
    image: Image.Image  # of the bucket's size: cut, turned, flipped and coloured
    mask: Image.Image | None  # likewise, 8-bit grey; None where the whole image counts

    @property
    def dropped(self) -> bool:
        """Whether the caption was left out on purpose, by caption dropout or for want of any."""
        return not self.caption


def row_of_draw(index: Index, row: int, draw: int) -> int:
    """The row of this row's image that epoch `draw` shows first: of several resolutions, that whose turn it is."""
    rows = np.flatnonzero(index.image_numbers == index.image_numbers[row])
    if len(rows) == 1:
        return row
    shown = np.intersect1d(due_examples(index, draw)[0], rows)
    return int(shown[0]) if len(shown) else int(rows[0])


def preview_of(index: Index, row: int, preset: Preset, draw: int) -> Preview:
    """What training sees of an image in epoch `draw`, counted from 0: the "next draw" is the next number.

    The same crop, flip, colours, mask and caption as in a run with these settings and seed.

    Raises:
        UserError: the image cannot be read or decoded, or was changed since it was scanned.
    """
    item = index[row]
    concept = index.concepts[item.concept]
    rng_key = (preset.general.seed, draw, item.key, 0)
    try:
        content = content_of(index, row, item.file.sha256(), DataFile.sha256, _box)
    except OSError as error:
        raise unreadable(item.file, error) from error
    variant = variant_of(item, concept, content, *rng_key)
    pixels = load_pixels(item.file, item.width, item.height, [variant])[0]
    masked = is_masked(preset.training.masks, content, *rng_key)
    mask = Image.fromarray(load_masks(*index.mask_file(row), [variant])[0]) if masked else None
    return Preview(caption_of(index, row, preset, draw), variant, Image.fromarray(pixels), mask)


def caption_of(index: Index, row: int, preset: Preset, draw: int) -> str:
    """The caption of a row in epoch `draw`. What grows with the steps is as at the beginning of that epoch."""
    item = index[row]
    concept, training = index.concepts[item.concept], preset.training
    step = 0
    if concept.tag_warmup:
        step = draw * -(-epoch_length(index, training.batch_size) // training.accumulation)
    rng_key = ("caption", preset.general.seed, draw, item.key, 0)
    return caption_for(item.caption_texts, concept, *rng_key, epoch=draw, step=step)


def captions_ahead(index: Index, row: int, preset: Preset, draw: int, count: int) -> list[str]:
    """The captions of an image in so many epochs from `draw` on; `row` is any of its rows."""
    draws = range(draw, draw + count)
    return [caption_of(index, row_of_draw(index, row, number), preset, number) for number in draws]
