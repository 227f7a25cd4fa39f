"""Weights of words in A1111's notation: (more), [less], (just so:1.3), \\( for a bracket, BREAK. No torch.

A text becomes pieces with a weight each. What does not close, or closes what was never opened, stands as it is written,
as in A1111.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MORE, LESS = 1.1, 1 / 1.1
MARKS = re.compile(r"\\[\\()\[\]]|\\|\(|\[|:\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*\)|\)|\]|[^\\()\[\]:]+|:")
BREAK = re.compile(r"\s*\bBREAK\b\s*")
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
        self.pieces: list[WeightedText] = []
        self.round: list[int] = []
        self.square: list[int] = []

    def take(self, mark: str, weight: str | None) -> None:
        if len(mark) == 2 and mark[0] == "\\":
            self.add(mark[1])
        elif mark == "(":
            self.round.append(len(self.pieces))
        elif mark == "[":
            self.square.append(len(self.pieces))
        elif weight is not None and self.round:
            self.weigh(self.round.pop(), max(-MOST, min(float(weight), MOST)))
        elif mark == ")" and self.round:
            self.weigh(self.round.pop(), MORE)
        elif mark == "]" and self.square:
            self.weigh(self.square.pop(), LESS)
        else:
            self.add(mark)

    def add(self, text: str) -> None:
        for number, part in enumerate(BREAK.split(text)):
            self.pieces.append(WeightedText(part, breaks=number > 0))

    def weigh(self, first: int, factor: float) -> None:
        held = self.pieces[first:]
        self.pieces[first:] = [WeightedText(piece.text, piece.weight * factor, piece.breaks) for piece in held]


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
    return _joined(reader.pieces)


def _joined(pieces: list[WeightedText]) -> list[WeightedText]:
    found: list[WeightedText] = []
    for piece in pieces:
        if found and not piece.breaks and (piece.weight == found[-1].weight or not found[-1].text):
            found[-1] = WeightedText(found[-1].text + piece.text, piece.weight, found[-1].breaks)
        elif piece.breaks and found and found[-1].breaks and not found[-1].text:
            found[-1] = piece  # two breaks are one
        elif piece.text or piece.breaks:
            found.append(piece)
    while found and not found[-1].text:
        found.pop()
    return found or [WeightedText("")]
