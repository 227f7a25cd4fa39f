"""A curve of a few points, as text: "0:1, 0.5:0.3, 1:0"."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator

from modules.errors import BadValue

Point = tuple[float, float]
MAX_POINTS = 100  # points


def parse_points(text: str) -> tuple[Point, ...]:
    """The points (x, y), x rising.

    Raises:
        BadValue: they are none.
    """
    number = r"\s*([01]|0?\.\d{1,9}|[01]\.\d{0,9})\s*"
    matches = [re.fullmatch(f"{number}:{number}", part) for part in text.split(",")[: MAX_POINTS + 1]]
    points = tuple((float(match[1]), float(match[2])) for match in matches if match)
    if len(points) < len(matches) or any(value > 1 for point in points for value in point):
        raise BadValue("value.points")
    if len(points) > MAX_POINTS:
        raise BadValue("value.too-many-points", most=MAX_POINTS)
    if any(later[0] <= earlier[0] for earlier, later in pairwise(points)):
        raise BadValue("value.points-order")
    return points


def format_points(points: Sequence[Point]) -> str:
    """The text that `parse_points` reads."""
    return ", ".join(f"{_short(x)}:{_short(y)}" for x, y in points)


def _short(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".") or "0"


def interpolate_linear(points: Sequence[Point], x: float) -> float:
    """The height at `x` on straight lines between the points; level before the first and after the last."""
    after = bisect_right([place for place, _ in points], x)
    if after == 0 or after == len(points):
        return points[max(after - 1, 0)][1]
    (x0, y0), (x1, y1) = points[after - 1], points[after]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)


def interpolate_steps(points: Sequence[Point], x: float) -> float:
    """The height of the last point at or before `x`; of the first before it."""
    return points[max(bisect_right([place for place, _ in points], x) - 1, 0)][1]


PointsText = Annotated[str, AfterValidator(lambda text: format_points(parse_points(text)))]
