"""What is done to a mask after a model has made it. Masks are (H, W) uint8: 255 counts, 0 does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from modules.data.image.masks import WHITE_LEVEL
from modules.masking.regions import Regions

Mask = NDArray[np.uint8]
Joining = Literal["replace", "add", "subtract"]


@dataclass(frozen=True)
class Operations:
    """In the order in which they are done."""

    threshold: float = 0.3  # 0: the soft edges of the model stay
    fill_holes: bool = False
    keep_largest: bool = False
    grow: int = 0  # pixels; below 0 it shrinks
    soften: int = 0  # pixels
    invert: bool = False

    def apply(self, mask: Mask) -> Mask:
        """A mask of the same size."""
        if self.threshold:
            mask = np.where(mask >= self.threshold * 255, 255, 0).astype(np.uint8)
        if self.fill_holes:
            mask = filled(mask)
        if self.keep_largest:
            mask = largest(mask)
        if self.grow:
            mask = grown(mask, self.grow)
        if self.soften:
            mask = np.asarray(Image.fromarray(mask).filter(ImageFilter.GaussianBlur(self.soften)))
        return 255 - mask if self.invert else mask


def filled(mask: Mask) -> Mask:
    """Dark parts that white encloses become white."""
    dark = Regions(mask < WHITE_LEVEL)
    return np.where(dark.pixels_of(~dark.at_border()), 255, mask).astype(np.uint8)


def largest(mask: Mask) -> Mask:
    """Only the white part with the most pixels; its edge is cut where it is half white."""
    white = Regions(mask >= WHITE_LEVEL)
    if not len(white.labels):
        return mask
    chosen = np.arange(len(white.labels)) == int(np.argmax(white.sizes()))
    return np.where(white.pixels_of(chosen), mask, 0).astype(np.uint8)


def grown(mask: Mask, pixels: int) -> Mask:
    """White grows by so many pixels on every side; below 0 it shrinks, but not from the border of the image.

    By a regular octagon, as nearly as whole pixels allow: four passes of lines, whose time hardly depends on `pixels`.
    """
    if pixels < 0:
        return 255 - grown(255 - mask, -pixels)
    slanted = min(round(pixels * (1 - 0.5**0.5)), (pixels - 1) // 2)  # of the two diagonals; across, both count
    straight = pixels - 2 * slanted  # at least 1, or diagonals would leave every other pixel out
    wide = np.pad(mask, pixels)  # a way around a corner may lead outside and back
    for step, length in (((0, 1), straight), ((1, 0), straight), ((1, 1), slanted), ((1, -1), slanted)):
        wide = _along(_along(wide, step, length), (-step[0], -step[1]), length)
    return wide[pixels:-pixels, pixels:-pixels]


def _along(mask: Mask, step: tuple[int, int], length: int) -> Mask:
    """The maximum over 0 to `length` steps, each pass covering twice as many as the last."""
    covered = 0
    while covered < length:
        far = min(covered + 1, length - covered)
        mask = np.maximum(mask, _moved(mask, step[0] * far, step[1] * far))
        covered += far
    return mask


def _moved(mask: Mask, down: int, right: int) -> Mask:
    height, width = mask.shape
    found = np.zeros_like(mask)
    if abs(down) < height and abs(right) < width:
        to_rows, from_rows = slice(max(down, 0), height + min(down, 0)), slice(max(-down, 0), height - max(down, 0))
        to_columns, from_columns = (
            slice(max(right, 0), width + min(right, 0)),
            slice(max(-right, 0), width - max(right, 0)),
        )
        found[to_rows, to_columns] = mask[from_rows, from_columns]
    return found


def joined(before: Mask | None, mask: Mask, how: Joining) -> Mask:
    """A new mask with the one that was there. An image without one counts as a whole: so it is taken from white."""
    if how == "subtract":
        return np.minimum(np.full_like(mask, 255) if before is None else before, 255 - mask)
    return np.maximum(before, mask) if how == "add" and before is not None else mask


def is_empty(mask: Mask) -> bool:
    """Whether nothing of it counts by more than half: nothing would be learnt of such an image."""
    return not bool((mask >= WHITE_LEVEL).any())


def is_full(mask: Mask) -> bool:
    """Whether all of it counts: as if there were no mask."""
    return bool((mask >= WHITE_LEVEL).all())
