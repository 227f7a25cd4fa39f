"""Columns with names under them, of which neighbours may stand in a group: where they lie, and their words."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from app.gui.kit.base.theme import px, theme

GAP = 0.6  # of a column, between groups
LABELS, GROUPS = 10, 27  # pixels below, of the middle of the words
WORDS = 36  # pixels that they take


@dataclass(frozen=True)
class Column:
    """`label` stands under it, `group` under all neighbours of the same group."""

    key: str
    label: str
    group: str = ""


def pitch_of(columns: Sequence[Column], wide: float) -> float:
    """How wide a column is where all of them have so much room."""
    return wide / max(1.0, len(columns) + GAP * max(0, len(_runs(columns)) - 1))


def middles(columns: Sequence[Column], left: float, pitch: float) -> list[float]:
    """Where each column has its middle."""
    found: list[float] = []
    for run in _runs(columns):
        found += [left + (number + 0.5) * pitch for number in range(len(run))]
        left += (len(run) + GAP) * pitch
    return found


def draw_words(canvas: tk.Canvas, columns: Sequence[Column], at: Sequence[float], top: float) -> None:
    """The words under the columns."""
    rest = iter(at)
    for run in _runs(columns):
        places = [next(rest) for _ in run]
        for column, x in zip(run, places, strict=True):
            _word(canvas, x, top + px(LABELS), column.label, "text2")
        _word(canvas, (places[0] + places[-1]) / 2, top + px(GROUPS), run[0].group, "text2")


def _word(canvas: tk.Canvas, x: float, y: float, words: str, role: str) -> None:
    if words:
        canvas.create_text(x, y, text=words, fill=theme.colour(role), font=theme.font("small"))


def _runs(columns: Sequence[Column]) -> list[list[Column]]:
    return [*_grouped(columns)]


def _grouped(columns: Sequence[Column]) -> Iterator[list[Column]]:
    for _, run in groupby(columns, key=lambda column: column.group):
        yield [*run]
