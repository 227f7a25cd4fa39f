"""What a crop keeps in its middle: what a mask shows, or where most detail is."""

from __future__ import annotations

import numpy as np
from PIL import Image

from modules.data.image.masks import WHITE_LEVEL
from modules.preparing.target import MIDDLE, Point, Size

SIDE = 96  # of the small picture in which detail is looked for
MIDDLE_SHARE = 0.15  # by how much a part in the middle may have less detail and yet be taken


def point_in_mask(mask: Image.Image) -> Point | None:
    """The middle of what is white; None where nothing is."""
    box = mask.point([0] * WHITE_LEVEL + [255] * (256 - WHITE_LEVEL)).getbbox()
    if box is None:
        return None
    return (box[0] + box[2]) / 2 / mask.width, (box[1] + box[3]) / 2 / mask.height


def point_of_detail(image: Image.Image, part: tuple[float, float]) -> Point:
    """The middle of the detail in the part that has most of it. `part`: its width and height in pixels of the image.

    Detail is how much neighbouring pixels differ in brightness and in colour.
    """
    scale = SIDE / max(image.size)
    small = image.resize(_at_least_two(image.size, scale), Image.Resampling.BOX).convert("YCbCr")
    planes = np.asarray(small).astype(np.float64)
    energy = np.zeros(planes.shape[:2])
    energy[:, 1:] += np.abs(np.diff(planes, axis=1)).sum(axis=2)
    energy[1:, :] += np.abs(np.diff(planes, axis=0)).sum(axis=2)
    width, height = small.size
    across = min(width, max(1, round(part[0] / image.width * width)))
    down = min(height, max(1, round(part[1] / image.height * height)))
    if (across, down) == (width, height):
        return MIDDLE
    sums = np.zeros((height + 1, width + 1))
    sums[1:, 1:] = energy.cumsum(axis=0).cumsum(axis=1)
    held = sums[down:, across:] - sums[:-down, across:] - sums[down:, :-across] + sums[:-down, :-across]
    held = held * (1 - MIDDLE_SHARE * _off_the_middle(*held.shape))
    top, left = (int(each) for each in np.unravel_index(int(held.argmax()), held.shape))
    inside = energy[top : top + down, left : left + across]
    if not inside.any():
        return MIDDLE
    return (left + _centre(inside.sum(axis=0))) / width, (top + _centre(inside.sum(axis=1))) / height


def _centre(weights: np.ndarray) -> float:
    return float(np.average(np.arange(len(weights)) + 0.5, weights=weights))


def _at_least_two(size: Size, scale: float) -> Size:
    return max(2, round(size[0] * scale)), max(2, round(size[1] * scale))


def _off_the_middle(rows: int, columns: int) -> np.ndarray:
    """How far each place lies from the middle one, from 0 to 1; along the side that a crop can move on."""
    down, across = (np.abs(np.linspace(-1, 1, count)) if count > 1 else np.zeros(1) for count in (rows, columns))
    return np.maximum(down[:, None], across[None, :])
