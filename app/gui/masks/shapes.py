"""What a stroke covers of an image: 8-bit shares of coverage in a box, 255 for all of a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from PIL import Image, ImageDraw

from modules.masking.regions import Regions

Box = tuple[int, int, int, int]  # left, top, right, bottom
Point = tuple[float, float]
FINER = 4  # a polygon is drawn so many times as large


@dataclass(frozen=True)
class Cover:
    """What is covered, in its box; nothing outside."""

    box: Box
    share: np.ndarray  # (H, W) uint8


def line(start: Point, end: Point, size: float, hardness: float, image: tuple[int, int]) -> Cover | None:
    """A brush, `size` pixels across, drawn from one point to another. None: it passes the image by.

    `hardness`: the share of the radius in which all is covered; from there it falls to nothing at the edge.
    """
    radius = max(size / 2, 0.5)
    box = clipped((
        floor(min(start[0], end[0]) - radius), floor(min(start[1], end[1]) - radius),
        ceil(max(start[0], end[0]) + radius) + 1, ceil(max(start[1], end[1]) + radius) + 1,
    ), image)  # fmt: skip
    if box is None:
        return None
    # From the middles of pixels to the nearest point of the line
    x = np.arange(box[0], box[2], dtype=np.float32)[None] + np.float32(0.5 - start[0])
    y = np.arange(box[1], box[3], dtype=np.float32)[:, None] + np.float32(0.5 - start[1])
    across, down = np.float32(end[0] - start[0]), np.float32(end[1] - start[1])
    if length := float(across * across + down * down):
        along = np.clip((x * across + y * down) / np.float32(length), 0, 1)
        x, y = x - along * across, y - along * down
    soft = max(radius * (1 - hardness), 1.0)  # a hard edge is a pixel wide
    edge = radius + 0.5 if soft == 1.0 else radius
    share = (np.float32(edge) - np.sqrt(x * x + y * y)) * np.float32(255 / soft)
    return Cover(box, np.clip(share, 0, 255).astype(np.uint8))


def rectangle(start: Point, end: Point, image: tuple[int, int]) -> Cover | None:
    left, right = sorted((start[0], end[0]))
    top, bottom = sorted((start[1], end[1]))
    box = clipped((floor(left), floor(top), ceil(right), ceil(bottom)), image)
    return Cover(box, np.full((box[3] - box[1], box[2] - box[0]), 255, np.uint8)) if box else None


def polygon(points: list[Point], image: tuple[int, int]) -> Cover | None:
    """What lies inside a line that closes itself."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    box = clipped((floor(min(xs)), floor(min(ys)), ceil(max(xs)), ceil(max(ys))), image)
    if box is None or len(points) < 3:
        return None
    wide, high = box[2] - box[0], box[3] - box[1]
    finer = FINER if wide * high < 2**21 else 1
    large = Image.new("L", (wide * finer, high * finer))
    ImageDraw.Draw(large).polygon([((x - box[0]) * finer, (y - box[1]) * finer) for x, y in points], fill=255)
    return Cover(box, np.asarray(large.reduce(finer) if finer > 1 else large))


def clipped(box: Box, image: tuple[int, int]) -> Box | None:
    """What of a box lies on an image of this width and height."""
    left, top = max(box[0], 0), max(box[1], 0)
    right, bottom = min(box[2], image[0]), min(box[3], image[1])
    return (left, top, right, bottom) if left < right and top < bottom else None


def around(one: Box | None, other: Box) -> Box:
    """The box that holds both."""
    if one is None:
        return other
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


# By colour ------------------------------------------------------------------------------------------------------------


def similar(image: Image.Image, at: tuple[int, int], tolerance: int) -> Cover | None:
    """What hangs together with a pixel and differs from it by no more than `tolerance` in any of the three channels."""
    colours = np.asarray(image)
    low, high = (
        np.clip(colours[at[1], at[0]].astype(int) + d, 0, 255).astype(np.uint8) for d in (-tolerance, tolerance)
    )
    alike = np.ones(colours.shape[:2], bool)
    for channel in range(colours.shape[2]):
        alike &= (colours[..., channel] >= low[channel]) & (colours[..., channel] <= high[channel])
    regions = Regions(alike)
    run = int(np.searchsorted(regions.starts, at[1] * (image.width + 1) + at[0], "right")) - 1
    found = regions.pixels_of(np.arange(len(regions.labels)) == regions.labels[run])
    rows, columns = np.flatnonzero(found.any(1)), np.flatnonzero(found.any(0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return Cover(box, found[box[1] : box[3], box[0] : box[2]].astype(np.uint8) * 255)
