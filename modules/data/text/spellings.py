"""Tags that are one tag written in several ways: "long hair" and "long_hair", "blond" and "blonde", "one-eyed".

A wrong alarm costs more here than a silent one, so nothing is guessed from likeness: "red hat" is no "red cat".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

FEWEST = 3  # letters and digits of a tag that is compared: signs such as ^_^ mean what they look like
# Words that English spells in two ways. "glasses", "cloths" and other plurals mean something else, and are not here.
PAIRS = (
    "blond blonde, grey gray, color colour, colored coloured, multicolored multicoloured, center centre, jewelry "
    "jewellery, mustache moustache, pajamas pyjamas, grayscale greyscale, theater theatre, armor "
    "armour, armored armoured, fiber fibre, mold mould, plow plough, tire tyre, donut doughnut, favorite favourite, "
    "harbor harbour, neighbor neighbour, ax axe, ok okay"
)
ONE_WORD = {other: usual for usual, other in (pair.split() for pair in PAIRS.split(", "))}
# What "-ed" says that there is: "one-eyed" has one eye, "blue-eyed" blue eyes.
WITH_PART = {
    "eyed": ("eye", "eyes"), "haired": ("hair",), "legged": ("leg", "legs"), "eared": ("ear", "ears"),
    "tailed": ("tail", "tails"), "horned": ("horn", "horns"), "winged": ("wing", "wings"),
    "sleeved": ("sleeve", "sleeves"),
}  # fmt: skip


def written_in_several_ways(counts: Mapping[str, int]) -> list[list[str]]:
    """The tags that are the same, the most frequent way first; the groups that are used most first."""
    ways: dict[str, list[str]] = {}
    for tag in counts:
        if len(letters := letters_of(tag)) >= FEWEST:
            ways.setdefault(letters, []).append(tag)
    for letters in [letters for letters, tags in ways.items() if _part_of(tags[0])]:
        for other in _without_ending(ways[letters][0]):
            if other in ways and other != letters:
                ways[other] += ways.pop(letters)
                break
    several = [sorted(tags, key=lambda tag: -counts[tag]) for tags in ways.values() if len(tags) > 1]
    return sorted(several, key=lambda tags: -sum(counts[tag] for tag in tags))


@lru_cache(200_000)
def letters_of(tag: str) -> str:
    """What is left of a tag where capitals, spaces, hyphens, underscores and spelling make no difference."""
    return "".join(ONE_WORD.get(word, word) for word in _words(tag))


def _words(tag: str) -> list[str]:
    return [word for word in re.split(r"[ _-]+", tag.casefold()) if word]


def _part_of(tag: str) -> tuple[str, ...]:
    words = _words(tag)
    return WITH_PART.get(words[-1], ()) if len(words) > 1 else ()


def _without_ending(tag: str) -> list[str]:
    """ "one eye" and "one eyes" for "one-eyed"."""
    before = "".join(ONE_WORD.get(word, word) for word in _words(tag)[:-1])
    return [before + part for part in _part_of(tag)]
