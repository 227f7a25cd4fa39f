"""What becomes of an image: the part of it that is kept, and the size of that."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from modules.data.buckets import buckets, nearest_buckets
from modules.preparing.settings import Settings, pair_of

STEP = 64  # of buckets, as training has them at the usual resolutions

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels
Size = tuple[int, int]  # width, height
Point = tuple[float, float]  # across and down, as shares of the image
MIDDLE: Point = (0.5, 0.5)


@dataclass(frozen=True, slots=True)
class Target:
    """A part of an image, and the size that it is brought to."""

    box: Box
    size: Size

    @property
    def scale(self) -> float:
        """How much larger the part becomes; above 1 it is enlarged."""
        return self.size[0] / (self.box[2] - self.box[0])

    def as_it_is(self, size: Size) -> bool:
        """Whether an image of this size stays as it is."""
        return self.size == size and self.box == (0, 0, *size)


def target_of(size: Size, settings: Settings, point: Point = MIDDLE) -> Target:
    """What is made of an image of `size`; `point` is what a crop keeps in its middle, as far as the image goes."""
    wanted = _wanted(size, settings)
    if wanted is None:
        return Target((0, 0, *size), size)
    part = part_of(size, wanted)
    if settings.small != "enlarge" and part[0] < wanted[0]:
        wanted = max(1, round(part[0])), max(1, round(part[1]))
    left, top = (
        min(max(at * whole - kept / 2, 0), whole - kept) for at, whole, kept in zip(point, size, part, strict=True)
    )
    return Target((left, top, left + part[0], top + part[1]), wanted)


def is_small(size: Size, settings: Settings) -> bool:
    """Whether an image would have to be enlarged."""
    wanted = _wanted(size, settings)
    return wanted is not None and part_of(size, wanted)[0] < wanted[0]


def part_of(size: Size, wanted: tuple[float, float]) -> tuple[float, float]:
    """Width and height of the largest part that has the form of `wanted`; where only rounding differs, the whole."""
    scale = min(size[0] / wanted[0], size[1] / wanted[1])
    across, down = wanted[0] * scale, wanted[1] * scale
    whole = tuple(all_ if (all_ - kept) / scale < 1 else kept for all_, kept in zip(size, (across, down), strict=True))
    return whole[0], whole[1]


def _wanted(size: Size, settings: Settings) -> Size | None:
    """Width and height that the settings ask for; None where they ask for none."""
    pixels = settings.pixels
    if settings.shape == "longest":
        return _scaled(size, pixels / max(size))
    if settings.shape == "shortest":
        return _scaled(size, pixels / min(size))
    if settings.shape == "size":
        return pair_of(settings.size)
    if settings.shape == "ratio":
        across, down = pair_of(settings.ratio)
        return _scaled((across, down), pixels / sqrt(across * down))
    if settings.shape == "bucket":
        step = STEP if pixels >= 4 * STEP else 8
        shapes = buckets(max(pixels, step), step)
        height, width = shapes[int(nearest_buckets(np.array([size[0]]), np.array([size[1]]), shapes)[0])]
        return width, height
    return None


def _scaled(size: Size, scale: float) -> Size:
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
