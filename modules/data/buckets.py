"""The shapes that images are resized to: near one area, in sides that the model can take.

A bucket is (height, width). For each short side, in steps, the long side is the longest whose area does not exceed
the square's. So the square is the largest, and a batch that fits into memory as squares always fits. 1024 pixels in
steps of 64 give 17 shapes from 512x2048 to 2048x512, among them SDXL's own 832x1216, 896x1152 and 768x1344. More
shapes would cut less from each image, but leave more batches incomplete.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np

from modules.errors import UserError
from modules.preset.preset import Preset

MOST_OBLONG = 4  # long side to short side
FINE_STEP = 8  # pixels per latent: no model takes less


def buckets_of(preset: Preset) -> tuple[tuple[int, int], ...]:
    """The buckets of a preset."""
    resolution = preset.resolution
    return buckets(resolution, step_of(resolution, preset.card.bucket_step), preset.training.max_side)


def step_of(resolution: int, coarse: int) -> int:
    """The family's own step, but a fine one where a resolution would have only a handful of shapes."""
    return coarse if resolution >= 4 * coarse else FINE_STEP


def buckets(resolution: int, step: int, max_side: int = 0) -> tuple[tuple[int, int], ...]:
    """All shapes (height, width), from the tallest to the widest; each with its transpose, and one square.

    A resolution that is no multiple of `step` is rounded down. `max_side` 0 is twice the resolution.

    Raises:
        UserError: the resolution is smaller than a step, or the longest side than the resolution.
    """
    square = resolution // step * step
    if not square:
        raise UserError(
            f"A resolution of {resolution} pixels is too small to train at.",
            advice=f"Set training.resolution to {step} or more; 512 is usual, and 0 is what the model was made for.",
        )
    longest = max_side or 2 * resolution
    if longest < square:
        raise UserError(
            f"The longest side of a bucket ({max_side} pixels) is shorter than the resolution ({resolution} pixels).",
            advice="Set training.max_side to 0, which is twice the resolution, or make the resolution smaller.",
        )
    shapes = {(square, square)}
    for short in range(step, square, step):
        long = square * square // short // step * step
        if long <= longest and long <= MOST_OBLONG * short:
            shapes |= {(short, long), (long, short)}
    return tuple(sorted(shapes, key=lambda shape: (log(shape[1]) - log(shape[0]), shape)))


def nearest_bucket(width: int, height: int, buckets: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The bucket whose aspect ratio is nearest, measured by its logarithm: 2:1 is as far from a square as 1:2."""
    return buckets[int(nearest_buckets(np.array([width]), np.array([height]), buckets)[0])]


def nearest_buckets(widths: np.ndarray, heights: np.ndarray, buckets: Sequence[tuple[int, int]]) -> np.ndarray:
    """The number of each image's bucket, (N,) int32. Of two equally near ones, the one nearer to a square is taken.

    log(w) - log(h) changes only its sign when an image is turned, to the last bit, so a turned image always lands in
    the transposed bucket.
    """
    ratios = np.array([log(width) - log(height) for height, width in buckets])
    by_preference = np.argsort(np.abs(ratios), kind="stable")
    of_images = np.log(widths.astype(np.float64)) - np.log(heights.astype(np.float64))
    best = np.zeros(len(of_images), dtype=np.int32)
    distance = np.full(len(of_images), np.inf)
    for number in by_preference:
        new = np.abs(of_images - ratios[number])
        closer = new < distance - 1e-12  # ratios that are equal on paper differ in their last bits
        best[closer], distance[closer] = number, new[closer]
    return best
