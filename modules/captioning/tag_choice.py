"""From a tagger's probabilities to a caption: thresholds by category, names as people write them, order. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from modules.captioning.kinds import OFF, USUAL

# Faces, whose underscores are eyes and mouths. SmilingWolf's list.
KAOMOJI = {
    "0_0", "(o)_(o)", "+_+", "+_-", "._.", "<o>_<o>", "<|>_<|>", "=_=", ">_<", "3_3", "6_9", ">_o", "@_@", "^_^", "o_o",
    "u_u", "x_x", "|_|", "||_||",
}  # fmt: skip
COUNT = re.compile(r"\d+\+?(girl|boy|other)s?|no_humans|multiple_(girls|boys|others)")  # these come first
ORDER = ("character", "copyright", "artist", "general", "meta", "year", "other", "rating")


class Score(NamedTuple):
    """What a tagger says of one tag: its name with underscores."""

    name: str
    category: str
    probability: float


@dataclass(frozen=True)
class Choice:
    """Which tags are taken, and how they are written. A category without a threshold has the usual one."""

    thresholds: Mapping[str, float] = field(default_factory=dict[str, float])
    exclude: frozenset[str] = frozenset()  # in lower case, with spaces
    spaces: bool = True
    overlaps: bool = False  # keep "long hair" beside "very long hair"

    def threshold(self, category: str) -> float:
        return self.thresholds.get(category, USUAL.get(category, OFF))


def excluded(text: str) -> frozenset[str]:
    """Read what is left out: tags with commas between."""
    return frozenset(" ".join(tag.replace("_", " ").lower().split()) for tag in text.split(",") if tag.strip())


def chosen(scores: Iterable[Score], choice: Choice) -> list[Score]:
    """The tags of a caption in its order: counts of people, characters, series, then all else, the surest first."""
    sure = [each for each in scores if each.probability >= choice.threshold(each.category) < OFF]
    ratings = [each for each in sure if each.category == "rating"]
    if ratings:  # an image has one
        best = max(ratings, key=lambda each: each.probability)
        sure = [each for each in sure if each.category != "rating" or each is best]
    sure = [each for each in sure if each.name.replace("_", " ").lower() not in choice.exclude]
    if not choice.overlaps:
        sure = without_overlaps(sure)
    return sorted(sure, key=_place)


def written(scores: Sequence[Score], choice: Choice) -> list[str]:
    """Tags as they are written into a caption."""
    return [spelt(each.name, spaces=choice.spaces) for each in scores]


def spelt(name: str, *, spaces: bool) -> str:
    """A tag with spaces for underscores, but for faces."""
    return name.replace("_", " ") if spaces and name not in KAOMOJI else name


def without_overlaps(scores: Sequence[Score]) -> list[Score]:
    """Without tags that another one ends with, word by word: "hair" and "long hair" beside "very long hair"."""
    ends: set[str] = set()
    for each in scores:
        words = each.name.split("_") if each.name not in KAOMOJI else []
        ends.update("_".join(words[start:]) for start in range(1, len(words)))
    return [each for each in scores if each.name not in ends or each.category != "general"]


def _place(score: Score) -> tuple[int, float]:
    first = COUNT.fullmatch(score.name) and score.category == "general"
    return (-1 if first else ORDER.index(score.category), -score.probability)
