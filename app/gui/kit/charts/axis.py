"""Where values lie on a chart: values on pixels, evenly or by powers of ten, and round numbers beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` on pixels from `start` to `stop`."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value, kept near the chart."""
        share = ((self._turn(value) if self.log else value) - self._first) / self._span
        if not -5.0 <= share <= 5.0:
            share = min(max(share, -5.0), 5.0)
        return self.start + share * (self.stop - self.start)

    def value(self, pixel: float) -> float:
        share = (pixel - self.start) / ((self.stop - self.start) or 1.0)
        turned = self._first + share * self._span
        return 10**turned if self.log else turned

    def ticks(self, wanted: int) -> list[float]:
        """About so many round numbers within the axis."""
        if self.log:
            whole = range(math.floor(self._turn(self.low)), math.ceil(self._turn(self.high)) + 1)
            fine = (1, 2, 5) if len(whole) * 3 <= wanted * 2 else (1,)
            return [step * 10.0**e for e in whole for step in fine if self.low <= step * 10.0**e <= self.high]
        found: list[float] = []
        for more in (1, 2, 4):  # one number alone tells nothing
            step = round_step((self.high - self.low) / max(wanted * more, 1))
            first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
            found = [index * step for index in range(first, last + 1)]
            if len(found) > 1:
                break
        return found

    def _turn(self, value: float) -> float:
        return math.log10(max(value, 1e-12)) if self.log else value

    @cached_property
    def _first(self) -> float:
        return self._turn(self.low)

    @cached_property
    def _span(self) -> float:
        return (self._turn(self.high) - self._first) or 1.0


def round_step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not under `least`."""
    if least <= 0 or not math.isfinite(least):
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * 0.999)


def number(value: float) -> str:
    """A number as short as it can be read: 1,840 or 0.0912 or 3e-05."""
    if not math.isfinite(value):
        return "\u2013"
    if value == 0 or 1e-3 <= abs(value) < 1000:
        return f"{value:.4g}"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.2g}"
