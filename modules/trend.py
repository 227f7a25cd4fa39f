"""How a noisy loss is read: centred means, and whether it still falls, by means of blocks and a t-test.

A slope through a moving average is no test: it finds a trend in nine of ten flat series, for its points are not
independent. Standard library only: the window reads this, too.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal

BLOCKS = 16
CRITICAL = 2.145  # Student's t for 14 degrees of freedom, two-sided at 5 %
LEAST_BLOCK = 10  # steps
WINDOW = 500  # steps that are looked at, or a quarter of the run if that is more
AVERAGE = 2048  # steps of the moving average
LARGEST = 1e9  # a loss beyond is no number of use, and would drown all others in a sum


@dataclass(frozen=True, slots=True)
class Trend:
    """`change` over so many `steps`, as a share of where they began, below 0 if it falls, and its standard error."""

    word: Literal["falling", "flat", "rising"]
    change: float
    error: float
    steps: int


def trend(values: Sequence[float]) -> Trend | None:
    """The trend of these losses; None where there are too few for 16 blocks."""
    if len(values) < BLOCKS * LEAST_BLOCK:
        return None
    ends = [len(values) * block // BLOCKS for block in range(BLOCKS + 1)]
    means = [mean_of(values[first:last]) for first, last in pairwise(ends)]
    if not all(mean > 0 for mean in means):  # NaN is not
        return None
    logs = [math.log(mean) for mean in means]  # a loss falls by shares of itself, and never by more than all of it
    middle = sum(logs) / BLOCKS
    places = [block - (BLOCKS - 1) / 2 for block in range(BLOCKS)]
    spread = sum(place * place for place in places)
    slope = sum(place * value for place, value in zip(places, logs, strict=True)) / spread
    rest = sum((value - middle - slope * place) ** 2 for place, value in zip(places, logs, strict=True))
    error = BLOCKS * math.sqrt(rest / (BLOCKS - 2) / spread)
    ratio = math.exp(slope * BLOCKS)
    significant = abs(slope) * BLOCKS > CRITICAL * error
    return Trend(
        "flat" if not significant else "falling" if slope < 0 else "rising", ratio - 1, ratio * error, len(values)
    )


def latest_trend(values: Sequence[float]) -> Trend | None:
    """The trend at the end of a run."""
    return trend(values[-max(WINDOW, len(values) // 4) :])


def smoothing_width(steps: int) -> int:
    """Over how many steps the loss of a run of so many is averaged where it is drawn or written."""
    return max(50, steps // 20)


def moving_average(values: Sequence[float]) -> float:
    """The mean of the last 2,048 losses, or of what there is. NaN for none."""
    return mean_of(values[-AVERAGE:])


def mean_of(values: Sequence[float]) -> float:
    """Of those that count. NaN for none."""
    total = sum(values)
    if not abs(total) < LARGEST:
        values = [value for value in values if abs(value) < LARGEST]
        total = sum(values)
    return total / len(values) if values else math.nan


class Sums:
    """A growing series whose mean over any stretch costs the same, however long it is."""

    def __init__(self) -> None:
        self._sums, self._counts = array("d", [0.0]), array("q", [0])

    def append(self, value: float) -> None:
        counts = abs(value) < LARGEST  # NaN does not
        self._sums.append(self._sums[-1] + value if counts else self._sums[-1])
        self._counts.append(self._counts[-1] + counts)

    def extend(self, values: Sequence[float]) -> None:
        """Many at once, which costs a fifth."""
        if not all(map(LARGEST.__gt__, map(abs, values))):  # NaN is not less
            for value in values:
                self.append(value)
            return
        self._sums.extend([*accumulate(values, initial=self._sums[-1])][1:])
        self._counts.extend(range(self._counts[-1] + 1, self._counts[-1] + len(values) + 1))

    def cut(self, length: int) -> None:
        """Only the first so many remain."""
        del self._sums[length + 1 :], self._counts[length + 1 :]

    def mean(self, start: int, stop: int) -> float:
        """Of the values from `start` up to, not with, `stop`; NaN for none."""
        first, last = max(start, 0), min(stop, len(self._sums) - 1)
        count = self._counts[last] - self._counts[first]
        return (self._sums[last] - self._sums[first]) / count if count else math.nan
