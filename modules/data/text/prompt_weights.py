"""Weights of words in A1111's notation: (more), [less], (just so:1.3), \\( for a bracket, BREAK. No torch.

A text becomes pieces with a weight each. What does not close, or closes what was never opened, stands as it is written,
as in A1111.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod

MORE, LESS = 1.1, 1 / 1.1
MARKS = re.compile(r"\\[\\()\[\]]|\\|\(|\[|:\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+))\s*\)|\)|\]|[^\\()\[\]:]+|:")
BREAK = re.compile(r"\bBREAK\b")
MAX_DEPTH = 30  # brackets in one another; a thousand would take a thousand times as long to read
MOST = 100.0  # a weight beyond this is a slip of the keys; it would only give grey


@dataclass(frozen=True)
class WeightedText:
    """Words that weigh the same. `breaks`: a new chunk begins before them."""

    text: str
    weight: float = 1.0
    breaks: bool = False


class _Reader:
    """One pass over the marks. What is open is known by the number of the piece where it began."""

    def __init__(self) -> None:
        self.pieces: list[tuple[str, bool]] = []  # and whether a new chunk begins before it
        self.brackets: list[tuple[int, int, float]] = []  # pieces from, to, and what they weigh more; as they closed
        self.round: list[int] = []
        self.square: list[int] = []

    def take(self, mark: str, weight: str | None) -> None:
        if len(mark) == 2 and mark[0] == "\\":
            self.add(mark[1])
        elif mark in ("(", "[") and len(self.round) + len(self.square) < MAX_DEPTH:
            (self.round if mark == "(" else self.square).append(len(self.pieces))
        elif weight is not None and self.round:
            self.weigh(self.round.pop(), max(-MOST, min(float(weight), MOST)))
        elif mark == ")" and self.round:
            self.weigh(self.round.pop(), MORE)
        elif mark == "]" and self.square:
            self.weigh(self.square.pop(), LESS)
        else:
            self.add(mark)

    def add(self, text: str) -> None:
        first, *more = BREAK.split(text)
        parts = [first.rstrip(), *(part.strip() for part in more[:-1]), more[-1].lstrip()] if more else [first]
        self.pieces += [(part, number > 0) for number, part in enumerate(parts)]

    def weigh(self, first: int, factor: float) -> None:
        if first < len(self.pieces):
            self.brackets.append((first, len(self.pieces), factor))

    def weighted(self) -> Iterator[WeightedText]:
        """The pieces; each weighs the product of the brackets around it, in the order in which they closed."""
        changes: dict[int, list[int]] = {}
        for number, (first, end, _) in enumerate(self.brackets):
            changes.setdefault(first, []).append(number)
            changes.setdefault(end, []).append(number)
        around, weight = set[int](), 1.0
        for place, (text, breaks) in enumerate(self.pieces):
            if place in changes:
                around.symmetric_difference_update(changes[place])
                weight = prod((self.brackets[number][2] for number in sorted(around)), start=1.0)
            yield WeightedText(text, weight, breaks)


def parse_prompt_weights(text: str) -> list[WeightedText]:
    """The pieces of a text, each with its weight; at least one. Neighbours that weigh the same are one piece.

    A bracket that is opened and never closed weighs to the end of the text, as in A1111.
    """
    reader = _Reader()
    for found in MARKS.finditer(text):
        reader.take(found[0], found[1])
    for first in reader.round:
        reader.weigh(first, MORE)
    for first in reader.square:
        reader.weigh(first, LESS)
    return _joined(reader.weighted())


@dataclass
class _Joined:
    """Neighbours that are one piece. Texts are put together at the end: each join would copy all of them."""

    texts: list[str]
    weight: float
    breaks: bool


def _joined(pieces: Iterable[WeightedText]) -> list[WeightedText]:
    found: list[_Joined] = []
    for piece in pieces:
        texts = [piece.text] if piece.text else []
        if found and not piece.breaks and (piece.weight == found[-1].weight or not found[-1].texts):
            found[-1].texts += texts
            found[-1].weight = piece.weight
        elif piece.breaks and found and found[-1].breaks and not found[-1].texts:
            found[-1] = _Joined(texts, piece.weight, breaks=True)  # two breaks are one
        elif texts or piece.breaks:
            found.append(_Joined(texts, piece.weight, piece.breaks))
    while found and not found[-1].texts:
        found.pop()
    return [WeightedText("".join(each.texts), each.weight, each.breaks) for each in found] or [WeightedText("")]
