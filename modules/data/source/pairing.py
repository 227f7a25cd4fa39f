"""Which caption belongs to which image, by their names: on another system the same name may be spelt in other bytes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cached_property

SPACES = re.compile(r"[\s_.\-]+")


def folded(name: str) -> str:
    """A name in one Unicode form (macOS and its zips split accents from their letters) and without capitals."""
    return unicodedata.normalize("NFC", name).casefold()


class Names:
    """Keys by what stands before their ending: as it is written, or else in any Unicode form and letter case."""

    def __init__(self, keys: Iterable[str], ending: str) -> None:
        low = ending.lower()
        self._exact = {key[: -len(ending)]: key for key in keys if key.lower().endswith(low)}

    @cached_property
    def _folded(self) -> dict[str, str]:
        return {folded(stem): key for stem, key in self._exact.items()}

    def of(self, stem: str) -> str:
        """The key that belongs to this stem; "" if there is none."""
        if not self._exact:
            return ""
        return self._exact.get(stem) or self._folded.get(folded(stem), "")

    def besides(self, taken: Iterable[str]) -> dict[str, str]:
        """The keys that are not among `taken`, by their stems."""
        gone = set(taken)
        return {stem: key for stem, key in self._exact.items() if key not in gone}


def near_misses(bare: Iterable[str], others: dict[str, str], endings: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Keys of `others` that differ from one of the `bare` stems only in spaces and the like, each with that stem.

    "a robot.txt" is meant for "a_robot.png", and so is "a_robot.png.txt". What several are meant for is left alone.
    """
    tail = re.compile(rf"(?:{'|'.join(map(re.escape, endings))})+$")
    wanted = _by_rough_name(bare, tail)
    for rough, stems in _by_rough_name(others, tail).items():
        if len(stems) == 1 and len(wanted.get(rough, [])) == 1:
            yield others[stems[0]], wanted[rough][0]


def _by_rough_name(stems: Iterable[str], tail: re.Pattern[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for stem in stems:
        folder, slash, name = folded(stem).rpartition("/")
        if rough := SPACES.sub("", tail.sub("", name)):
            found.setdefault(f"{folder}{slash}{rough}", []).append(stem)
    return found
