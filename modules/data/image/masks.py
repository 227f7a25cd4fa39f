"""What counts in an image: masks from files or from transparency, cut and turned as the image is.

A mask is grey: white counts, black does not. It is kept at an eighth of the size, as the mean of each square, which is
how latents see it.
"""

from __future__ import annotations

from math import ceil

import numpy as np
from PIL import Image, ImageOps

from modules.data.image.pixels import Crop, crop_for
from modules.data.image_errors import UNREADABLE, UnusableImage, too_large
from modules.data.source.source import DataFile, reason_of

FACTOR = 8  # pixels on a side of what is averaged to one
WHITE_LEVEL = 128  # of 255: what is darker is no part of what a crop must keep

Box = tuple[float, float, float, float]  # top, left, bottom, right, as shares of the image
Place = tuple[float, float] | None  # down and across, each a chance; None: the middle


def open_mask(file: DataFile, *, alpha: bool) -> Image.Image:
    """A mask as 8-bit grey: a picture of it, or the transparency of an image (white where it has none).

    Raises:
        UnusableImage: it is missing, torn, of no known kind, or too large.
    """
    try:
        with file.image() as image:
            if reason := too_large(image):
                raise UnusableImage("mask.unusable", file, reason)
            image.load()
            shown = ImageOps.exif_transpose(image)
            return _alpha(shown) if alpha else _grey(shown)
    except UNREADABLE as error:
        raise UnusableImage("mask.unusable", file, reason_of(file, error)) from error


def has_alpha(image: Image.Image) -> bool:
    return "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info


def _alpha(image: Image.Image) -> Image.Image:
    return image.convert("RGBA").getchannel("A") if has_alpha(image) else Image.new("L", image.size, 255)


def _grey(image: Image.Image) -> Image.Image:
    """Brightness; what is transparent is black, as in masks that were drawn on an empty layer."""
    if image.mode.startswith("I"):  # 16 bits
        return Image.fromarray((np.asarray(image).astype(np.float64) / 257).clip(0, 255).astype(np.uint8))
    if has_alpha(image):
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, image.convert("RGBA")).convert("L")
    return image.convert("L")


def downscaled(mask: np.ndarray) -> np.ndarray:
    """(H, W) of 8 bits to (H / FACTOR, W / FACTOR), fp32 in [0, 1]: the mean of each square."""
    height, width = mask.shape
    squares = mask.reshape(height // FACTOR, FACTOR, width // FACTOR, FACTOR)
    return squares.mean(axis=(1, 3), dtype=np.float64).astype(np.float32) / np.float32(255)


# Crops that know of the mask ------------------------------------------------------------------------------------------


def box_of(mask: Image.Image) -> Box | None:
    """Where the white part lies; None where there is none, or nothing else."""
    found = mask.point([255 * (value >= WHITE_LEVEL) for value in range(256)]).getbbox()
    if found is None or found == (0, 0, mask.width, mask.height):
        return None
    left, top, right, bottom = found
    return top / mask.height, left / mask.width, bottom / mask.height, right / mask.width


def crop_keeping(width: int, height: int, bucket: tuple[int, int], box: Box, place: Place) -> Crop:
    """As `crop_for`, at a place where the box stays inside; where it is too large, around its middle."""
    crop = crop_for(width, height, bucket)
    (top, left), chances = (crop.top, crop.left), place or (None, None)
    top = _crop_start(crop.resized[0], bucket[0], (box[0], box[2]), top, chances[0])
    left = _crop_start(crop.resized[1], bucket[1], (box[1], box[3]), left, chances[1])
    return Crop(crop.resized, top, left, bucket)


def _crop_start(size: int, room: int, span: tuple[float, float], middle: int, chance: float | None) -> int:
    """Where to begin a cut of `room` out of `size` pixels so that the span stays in."""
    least, most = max(0, ceil(span[1] * size) - room), min(size - room, int(span[0] * size))
    if least > most:  # larger than the cut
        return min(max(round((span[0] + span[1]) / 2 * size - room / 2), 0), size - room)
    return min(max(middle, least), most) if chance is None else min(most, least + int(chance * (most - least + 1)))


def crop_around(width: int, height: int, bucket: tuple[int, int], box: Box, margin: float, place: Place) -> Crop:
    """A cut close around the box, which fills the bucket but for a margin, and is never enlarged for that.

    `place`: how much of a further margin there is on each side of the box.
    """
    top, left, bottom, right = box[0] * height, box[1] * width, box[2] * height, box[3] * width
    more = (margin, margin) if place is None else (margin * (1 + place[0]), margin * (1 + place[1]))
    high, wide = (bottom - top) * (1 + 2 * more[0]), (right - left) * (1 + 2 * more[1])
    # The region: of the bucket's form, no larger than the image, and no smaller than the bucket if the image is not.
    whole = min(height / bucket[0], width / bucket[1])  # pixels of the image to a pixel of the bucket
    scale = min(whole, max(high / bucket[0], wide / bucket[1], min(1.0, whole)))
    resized = max(bucket[0], round(height / scale)), max(bucket[1], round(width / scale))
    middle = (top + bottom) / 2 / height * resized[0], (left + right) / 2 / width * resized[1]
    places = [min(max(round(at - b / 2), 0), r - b) for at, b, r in zip(middle, bucket, resized, strict=True)]
    return Crop(resized, places[0], places[1], bucket)
