"""A series of values by step: raw, smoothed, and as few points as the screen has columns. No tkinter, no numpy.

numpy would cost the window 70 ms at its start; slices of an array are looked through fast enough.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from modules.text import LOSS_SMOOTHING

BLOCK = 32  # least and greatest of so many points are kept, for long runs
SMOOTH = LOSS_SMOOTHING


class Curve:
    """Values by step: `add` them in their order.

    A step at or before the last one means that a run went on from a backup: what came after that is forgotten.

    Values that are not finite are kept out of the smoothing and of the limits.
    """

    def __init__(self, name: str, *, faint: bool = True, second: bool = False, smooth: float = SMOOTH) -> None:
        self.name, self.faint, self.second = name, faint, second
        self.visible = True
        self.xs, self.raw, self.soft = array("d"), array("d"), array("d")
        self._low, self._high = array("d"), array("d")
        self._weight = smooth
        self._sum, self._share = 0.0, 0.0

    def __len__(self) -> int:
        return len(self.xs)

    def add(self, xs: Iterable[float], values: Iterable[float]) -> None:
        for x, value in zip(xs, values, strict=True):
            if self.xs and x <= self.xs[-1]:
                self._cut(bisect_left(self.xs, x))
            self._append(x, value)

    def clear(self) -> None:
        self._cut(0)

    @property
    def smoothed(self) -> bool:
        return self._weight > 0

    def smooth(self, weight: float) -> None:
        """Smooth anew: 0 not at all, 0.99 very much."""
        self._weight = weight
        self._again()

    def nearest(self, x: float) -> int:
        """The index of the point nearest to `x`; -1 if there is none."""
        if not self.xs:
            return -1
        after = min(bisect_left(self.xs, x), len(self.xs) - 1)
        before = max(after - 1, 0)
        return before if abs(self.xs[before] - x) <= abs(self.xs[after] - x) else after

    def columns(self, first: float, last: float, count: int) -> Iterator[tuple[float, float, float]]:
        """(x, least, greatest) of the raw values in each of `count` columns between `first` and `last`."""
        start, stop = bisect_left(self.xs, first), bisect_right(self.xs, last)
        if stop - start <= 2 * count:
            for index in range(start, stop):
                if math.isfinite(self.raw[index]):
                    yield self.xs[index], self.raw[index], self.raw[index]
            return
        step = (stop - start) / count
        for column in range(count):
            low, high = start + int(column * step), start + int((column + 1) * step)
            least, greatest = self._limits(low, high)
            if math.isfinite(least):
                yield self.xs[(low + high) // 2], least, greatest

    def points(self, first: float, last: float, count: int) -> Iterator[tuple[float, float]]:
        """(x, smoothed), at most about `count` of them, one point outside at each side so that lines reach the edge."""
        start, stop = max(bisect_left(self.xs, first) - 1, 0), min(bisect_right(self.xs, last) + 1, len(self.xs))
        step = max((stop - start) / max(count, 1), 1.0)
        place = float(start)
        while place < stop - 1:
            yield self.xs[int(place)], self.soft[int(place)]
            place += step
        if stop > start:
            yield self.xs[stop - 1], self.soft[stop - 1]

    def limits(self, first: float, last: float) -> tuple[float, float]:
        """Least and greatest between two steps; infinite if there is nothing."""
        return self._limits(bisect_left(self.xs, first), bisect_right(self.xs, last))

    def _limits(self, start: int, stop: int) -> tuple[float, float]:
        block, last = -(-start // BLOCK), stop // BLOCK
        if last - block < 2:
            values = [value for value in self.raw[start:stop] if math.isfinite(value)]
            return min(values, default=math.inf), max(values, default=-math.inf)
        parts = [self._limits(start, block * BLOCK), self._limits(last * BLOCK, stop)]
        parts.append((min(self._low[block:last]), max(self._high[block:last])))
        return min(part[0] for part in parts), max(part[1] for part in parts)

    def _append(self, x: float, value: float) -> None:
        index = len(self.xs)
        self.xs.append(x)
        self.raw.append(value)
        self.soft.append(self._smoothed(value))
        low, high = (value, value) if math.isfinite(value) else (math.inf, -math.inf)
        if index % BLOCK == 0:
            self._low.append(low)
            self._high.append(high)
        else:
            self._low[-1] = min(self._low[-1], low)
            self._high[-1] = max(self._high[-1], high)

    def _smoothed(self, value: float) -> float:
        """An average that forgets, freed of its bias towards nothing at the beginning."""
        if math.isfinite(value):
            self._sum = self._weight * self._sum + (1 - self._weight) * value
            self._share = self._weight * self._share + (1 - self._weight)
        return self._sum / self._share if self._share else math.nan

    def _cut(self, length: int) -> None:
        xs, raw = self.xs[:length], self.raw[:length]
        for kept in (self.xs, self.raw, self.soft, self._low, self._high):
            del kept[:]
        self._sum = self._share = 0.0
        for x, value in zip(xs, raw, strict=True):
            self._append(x, value)

    def _again(self) -> None:
        self._cut(len(self.xs))
