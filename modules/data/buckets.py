"""The shapes that images are resized to: near one area, in sides that the model can take.

A bucket is (height, width). For each short side, in steps, the long side is the longest whose area does not exceed
the square's. So the square is the largest, and a batch that fits into memory as squares always fits. 1024 pixels in
steps of 64 give 17 shapes from 512x2048 to 2048x512, among them SDXL's own 832x1216, 896x1152 and 768x1344. More
shapes would cut less from each image, but leave more batches incomplete. A longest side below that shortens the long
shapes to it, as kohya's `max_bucket_reso` does: they keep their form and lose area.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np
import pyarrow as pa

from modules.errors import UserError
from modules.preset.preset import Preset
from modules.preset.sections.concept import Concept
from modules.preset.text.resolutions import Exact, Resolution, Square, parse

MAX_ASPECT = 4  # long side to short side


def buckets_of(preset: Preset, resolution: Resolution | None = None) -> tuple[tuple[int, int], ...]:
    """The buckets of a preset, in one of its resolutions or in that of `training.resolution`."""
    training = preset.training
    if isinstance(resolution, Exact):
        return ((resolution.height, resolution.width),)
    side = resolution.side if resolution else preset.resolution
    step = step_for(preset, side)
    if not training.buckets:
        square = max(side // step * step, step)
        return ((square, square),)
    return buckets(side, step, training.max_side, training.min_side)


def resolutions_of(preset: Preset, concept: Concept) -> tuple[Resolution, ...]:
    """The resolutions in which a concept's images are shown, at least one."""
    return parse(concept.resolutions) or parse(preset.training.resolutions) or (Square(preset.resolution),)


def step_for(preset: Preset, side: int) -> int:
    """What the sides of buckets are multiples of."""
    return preset.training.bucket_step or step_of(side, preset.card.bucket_step, preset.card.size_step)


def step_of(resolution: int, coarse: int, fine: int) -> int:
    """The family's own step, but the finest it takes where a resolution would have only a handful of shapes."""
    return coarse if resolution >= 4 * coarse else fine


def unscaled_bucket(width: int, height: int, step: int) -> tuple[int, int]:
    """The largest bucket that an image fills without being enlarged: (height, width), at least a step."""
    return max(height // step * step, step), max(width // step * step, step)


AT_ONCE = 1 << 20  # images whose buckets are found together


class BucketTable:
    """Collects the buckets of an index: what is asked for twice is kept once."""

    def __init__(self, preset: Preset) -> None:
        self.preset = preset
        self._numbers: dict[tuple[int, int], int] = {}
        for shape in buckets_of(preset):
            self._number(shape)

    @property
    def all(self) -> tuple[tuple[int, int], ...]:
        return tuple(self._numbers)

    def numbers_for(self, widths: np.ndarray, heights: np.ndarray, resolution: Resolution) -> np.ndarray:
        """The number of each image's bucket in a resolution, (N,) int32."""
        shapes = buckets_of(self.preset, resolution)
        known = np.array([self._number(shape) for shape in shapes], dtype=np.int32)
        step = 0  # where all are resized to one of the shapes
        if not self.preset.training.enlarge and isinstance(resolution, Square):
            step = step_for(self.preset, resolution.side)
        found = np.empty(len(widths), dtype=np.int32)
        for start in range(0, len(widths), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            nearest = nearest_buckets(widths[part], heights[part], shapes)
            found[part] = known[nearest]
            if step:
                sides = np.array(shapes)[nearest]
                small = (sides[:, 0] > heights[part]) | (sides[:, 1] > widths[part])
                found[part][small] = self._unscaled(widths[part][small], heights[part][small], step)
        return found

    def _unscaled(self, widths: np.ndarray, heights: np.ndarray, step: int) -> np.ndarray:
        """The bucket of each image that is not enlarged. Millions of images have thousands of sizes."""
        sizes = pa.array(widths.astype(np.int64) << 32 | heights).dictionary_encode()
        distinct = sizes.dictionary.to_numpy()  # in the order of their first images
        shapes = [unscaled_bucket(size >> 32, size & 0xFFFFFFFF, step) for size in distinct.tolist()]
        return np.array([self._number(shape) for shape in shapes], dtype=np.int32)[sizes.indices.to_numpy()]

    def _number(self, shape: tuple[int, int]) -> int:
        return self._numbers.setdefault(shape, len(self._numbers))


def buckets(resolution: int, step: int, max_side: int = 0, min_side: int = 0) -> tuple[tuple[int, int], ...]:
    """All shapes (height, width), from the tallest to the widest; each with its transpose, and one square.

    A resolution that is no multiple of `step` is rounded down. `max_side` 0 is twice the resolution.
    The square is there whatever `min_side` says.

    Raises:
        UserError: the resolution is smaller than a step, or the longest side than the resolution.
    """
    square = resolution // step * step
    if not square:
        raise UserError("resolution.too-small", "training.resolution", size=resolution, step=step)
    longest = (max_side or 2 * resolution) // step * step
    if longest < square:
        raise UserError("resolution.max-side", "training.max_side", size=resolution, longest=max_side)
    shapes = {(square, square)}
    for short in range(step, square, step):
        long = min(square * square // short // step * step, longest)
        if short >= min_side and long <= MAX_ASPECT * short:
            shapes |= {(short, long), (long, short)}
    return tuple(sorted(shapes, key=lambda shape: (log(shape[1]) - log(shape[0]), shape)))


def nearest_buckets(widths: np.ndarray, heights: np.ndarray, buckets: Sequence[tuple[int, int]]) -> np.ndarray:
    """The number of each image's bucket, (N,) int32: the one whose aspect ratio is nearest.

    Measured by the logarithm: 2:1 is as far from a square as 1:2. Of two equally near ones the one nearer to a square.

    log(w) - log(h) changes only its sign when an image is turned, to the last bit, so a turned image always lands in
    the transposed bucket.
    """
    ratios = np.array([log(width) - log(height) for height, width in buckets])
    ascending = np.argsort(ratios, kind="stable")
    middles = (ratios[ascending][1:] + ratios[ascending][:-1]) / 2
    if len(middles) and float(np.diff(ratios[ascending]).min()) < 4 * NEAR:
        return _compared(widths, heights, ratios)
    borders = np.stack([middles - NEAR, middles + NEAR], axis=1).ravel()
    between = np.searchsorted(borders, _logs(widths) - _logs(heights))
    best = ascending.astype(np.int32)[between // 2]
    close = np.flatnonzero(between % 2)  # to the middle between two: what these get may hang on the last bit
    best[close] = _compared(widths[close], heights[close], ratios)
    return best


NEAR = 1e-9


def _logs(sides: np.ndarray) -> np.ndarray:
    """Of millions of sides there are thousands: to look a logarithm up is faster."""
    most = int(sides.max(initial=0))
    return np.log(np.maximum(np.arange(most + 1), 1))[sides] if most <= len(sides) else np.log(sides)


def _compared(widths: np.ndarray, heights: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """As `nearest_buckets`, by comparing each image with each ratio."""
    by_preference = np.argsort(np.abs(ratios), kind="stable")
    of_images = np.log(widths.astype(np.float64)) - np.log(heights.astype(np.float64))
    best = np.zeros(len(of_images), dtype=np.int32)
    distance = np.full(len(of_images), np.inf)
    for number in by_preference:
        new = np.abs(of_images - ratios[number])
        closer = new < distance - 1e-12  # ratios that are equal on paper differ in their last bits
        best[closer], distance[closer] = number, new[closer]
    return best
