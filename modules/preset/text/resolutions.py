"""Several sizes in one text: "512, 768" are areas of squares, "832x1216" is an exact width and height."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

from modules.errors import BadValue

SMALLEST, LARGEST, MOST = 8, 8192, 8
FINE = 8  # pixels per latent: sides are multiples of it


@dataclass(frozen=True, slots=True)
class Square:
    """All shapes whose area is near to that of a square."""

    side: int

    def __str__(self) -> str:
        return str(self.side)


@dataclass(frozen=True, slots=True)
class Exact:
    """One shape."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


Resolution = Square | Exact


def parse(text: str) -> tuple[Resolution, ...]:
    """Read "512, 832x1216"; nothing of an empty text.

    Raises:
        BadValue: it is something else.
    """
    found = tuple(dict.fromkeys(_one(word) for word in re.split(r"[,;\s]+", text.strip()) if word))
    if len(found) > MOST:
        raise BadValue("value.too-many-resolutions", count=len(found), most=MOST)
    return found


def _one(word: str) -> Resolution:
    match = re.fullmatch(r"(\d{1,5})(?:[xX\u00d7](\d{1,5}))?", word)
    if not match:
        raise BadValue("value.resolutions")
    sides = [int(side) for side in match.groups() if side]
    for side in sides:
        if not SMALLEST <= side <= LARGEST:
            raise BadValue("value.resolution-range", side=side, smallest=SMALLEST, largest=LARGEST)
        if side % FINE:
            lower = max(side // FINE * FINE, SMALLEST)
            raise BadValue("value.resolution-step", side=side, step=FINE, lower=lower, upper=lower + FINE)
    return Square(sides[0]) if len(sides) == 1 else Exact(sides[0], sides[1])


ResolutionsText = Annotated[str, AfterValidator(lambda text: ", ".join(map(str, parse(text))))]
