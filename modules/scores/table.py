"""Scores by step or column: means over prompts with their 95 % intervals, and how many images are near-copies."""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from modules.scores.kinds import SCORES, SIDES
from modules.scores.record import TABLE, Scored, Scores
from modules.system.files import write_text

# Student's t, two-sided at 5 %, for 1 to 30 degrees of freedom
CRITICAL = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


@dataclass(frozen=True)
class Number:
    """A score of a row. `low` and `high`: the 95 % interval of the mean; None where there is one image only."""

    mean: float
    low: float | None
    high: float | None
    count: int  # images
    prompts: int
    copies: int = 0  # of the nearest training image: how many are at or above the threshold


@dataclass(frozen=True)
class Row:
    """A step or a column, in their order."""

    label: str
    order: int
    step: int
    images: int
    numbers: dict[str, Number]  # by score


def table_of(scores: Scores, side: str = "") -> list[Row]:
    """The rows of a table, of all images or of one side's."""
    rows: dict[tuple[int, str], list[Scored]] = defaultdict(list)
    for image in scores.images:
        if side in ("", image.side):
            rows[image.order, image.label].append(image)
    return [_row(label, order, images, scores) for (order, label), images in sorted(rows.items())]


def sides_of(scores: Scores) -> list[str]:
    """Which sides the images are of, in the order of their titles."""
    found = {image.side for image in scores.images}
    return [side for side in SIDES if side and side in found]


def write_table(folder: Path, scores: Scores) -> None:
    """Write scores.csv: a line for each row, side and score."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["label", "step", "prompts of", "score", "model", "images", "prompts", "mean", "low", "high", "copies"]
    )
    for side in ["", *sides_of(scores)]:
        for row in table_of(scores, side):
            for name, number in row.numbers.items():
                copies = number.copies if name == "copies" else ""
                writer.writerow([
                    row.label, row.step if row.step >= 0 else "", side or "all", name, scores.made[name].model,
                    number.count, number.prompts, number.mean, _blank(number.low), _blank(number.high), copies,
                ])  # fmt: skip
    write_text(folder / TABLE, text.getvalue())


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the mean of these, by Student's t; None of fewer than two."""
    if len(values) < 2:
        return None
    free, mean = len(values) - 1, fmean(values)
    critical = CRITICAL[free - 1] if free <= len(CRITICAL) else 1.96 + 2.372 / free + 2.82 / free**2
    half = critical * stdev(values) / math.sqrt(len(values))
    return mean - half, mean + half


def _row(label: str, order: int, images: Sequence[Scored], scores: Scores) -> Row:
    numbers = {name: number for name in SCORES if name in scores.made if (number := _number(name, images, scores))}
    return Row(label, order, images[0].step, len(images), numbers)


def _number(name: str, images: Iterable[Scored], scores: Scores) -> Number | None:
    """Images of one prompt are alike, so that prompts are what is counted; of one prompt alone, its images are."""
    by_prompt: dict[str, list[float]] = defaultdict(list)
    for image in images:
        if name in image.values:
            by_prompt[image.prompt].append(image.values[name])
    values = [value for some in by_prompt.values() for value in some]
    if not values:
        return None
    each = [fmean(some) for some in by_prompt.values()] if len(by_prompt) > 1 else values
    low, high = interval(each) or (None, None)
    threshold = scores.made[name].threshold
    copies = sum(value >= threshold for value in values) if name == "copies" else 0
    return Number(fmean(each), low, high, len(values), len(by_prompt), copies)


def _blank(value: float | None) -> float | str:
    return "" if value is None else value
