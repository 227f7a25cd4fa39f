"""A series of values by step, their centred mean, and as few points as the screen has columns. No tkinter, no numpy.

numpy would cost the window 70 ms at its start; slices of an array are looked through fast enough.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import pairwise

from modules.trend import Sums, smoothing_width

BLOCK = 32  # least and greatest of so many points are kept, for long runs
SPIKES = 0.98  # of the columns of a faint curve must fit on a chart: a single spike would press the rest to the ground


class Curve:
    """Values by step: `add` them in their order.

    A step at or before the last one means that a run went on from a backup: what came after that is forgotten.

    Values that are not finite are kept out of the mean and of the limits.

    Args:
        width: of the centred mean, in points; 0 for the values as they are.
        dots: whether each value is a dot on the line.
    """

    def __init__(self, name: str, *, width: int = smoothing_width(0), second: bool = False, dots: bool = False) -> None:
        self.name, self.width, self.second, self.dots = name, width, second, dots
        self.visible = True
        self.notes: dict[float, str] = {}  # by x: what the pointer reads there, too
        self.xs, self.raw = array("d"), array("d")
        self._low, self._high = array("d"), array("d")
        self._sums = Sums()
        self._whole = True  # all values are finite

    def __len__(self) -> int:
        return len(self.xs)

    def add(self, xs: Iterable[float], values: Iterable[float]) -> None:
        new, told = array("d", xs), array("d", values)
        assert len(new) == len(told)
        start = 0
        for place in [n + 1 for n, (x, after) in enumerate(pairwise(new)) if after <= x]:
            self._put(new[start:place], told[start:place])
            start = place
        self._put(new[start:], told[start:])

    def _put(self, xs: array[float], values: array[float]) -> None:
        if xs and self.xs and xs[0] <= self.xs[-1]:
            self._cut(bisect_left(self.xs, xs[0]))
        self._extend(xs, values)

    def clear(self) -> None:
        self._cut(0)

    @property
    def faint(self) -> bool:
        """Whether the values lie faint behind their mean."""
        return self.width > 0

    def mean(self, index: int) -> float:
        """The centred mean at a point; at the ends of what there is of it."""
        half = self.width // 2
        return self._sums.mean(index - half, index + half + 1) if self.width else self.raw[index]

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
        edges = [start + int(column * step) for column in range(count + 1)]
        if step >= BLOCK:  # whole blocks: no value in them is looked at
            edges[1:-1] = [edge - edge % BLOCK for edge in edges[1:-1]]
        for low, high in pairwise(edges):
            least, greatest = self._limits(low, high)
            if math.isfinite(least):
                yield self.xs[(low + high) // 2], least, greatest

    def points(self, first: float, last: float, count: int) -> Iterator[tuple[float, float]]:
        """(x, mean), at most about `count` of them, one point outside at each side so that lines reach the edge."""
        start, stop = max(bisect_left(self.xs, first) - 1, 0), min(bisect_right(self.xs, last) + 1, len(self.xs))
        step = max((stop - start) / max(count, 1), 1.0)
        place = float(start)
        while place < stop - 1:
            yield self.xs[int(place)], self.mean(int(place))
            place += step
        if stop > start:
            yield self.xs[stop - 1], self.mean(stop - 1)

    def limits(self, first: float, last: float) -> tuple[float, float]:
        """Least and greatest between two steps; infinite if there is nothing."""
        return self._limits(bisect_left(self.xs, first), bisect_right(self.xs, last))

    def usual_high(self, first: float, last: float) -> float:
        """Up to where nearly all of it lies between two steps, and all of its mean."""
        if not self.faint:
            return self.limits(first, last)[1]
        highs = sorted(greatest for _, _, greatest in self.columns(first, last, 100))
        means = [y for _, y in self.points(first, last, 25) if math.isfinite(y)]
        return max([*highs[: math.ceil(len(highs) * SPIKES)], *means], default=0.0)

    def _limits(self, start: int, stop: int) -> tuple[float, float]:
        block, last = -(-start // BLOCK), stop // BLOCK
        least, greatest = math.inf, -math.inf
        if block < last:
            least, greatest = min(self._low[block:last]), max(self._high[block:last])
            rests = (start, block * BLOCK), (last * BLOCK, stop)
        else:
            rests = ((start, stop),)
        for first, end in rests:
            if first < end:
                low, high = self._extremes(first, end)
                least, greatest = min(least, low), max(greatest, high)
        return least, greatest

    def _extend(self, xs: array[float], values: array[float]) -> None:
        """Steps that rise, all after the last one."""
        block = len(self.xs) // BLOCK
        self.xs.extend(xs)
        self.raw.extend(values)
        self._sums.extend(values)
        self._whole = self._whole and all(map(math.isfinite, values))
        del self._low[block:], self._high[block:]
        for start in range(block * BLOCK, len(self.raw), BLOCK):
            low, high = self._extremes(start, start + BLOCK)
            self._low.append(low)
            self._high.append(high)

    def _extremes(self, start: int, stop: int) -> tuple[float, float]:
        """Least and greatest of some values, each looked at; infinite if there is none."""
        some = self.raw[start:stop]
        if not self._whole:
            some = [value for value in some if math.isfinite(value)]
        return min(some, default=math.inf), max(some, default=-math.inf)

    def _cut(self, length: int) -> None:
        xs, raw = self.xs[:length], self.raw[:length]
        for kept in (self.xs, self.raw, self._low, self._high):
            del kept[:]
        self._sums.cut(0)
        self._whole = True
        self._extend(xs, raw)
