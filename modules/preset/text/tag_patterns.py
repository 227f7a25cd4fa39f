"""Which tags a list means: names, or patterns from the part of regular expressions that never takes long.

Presets come from strangers, and a pattern such as (a+)+b keeps Python's matcher busy for years. A time limit would make
what is drawn depend on the computer. So patterns here have no repeated groups, no references back, few repetitions and
few groups, and tags that are compared with them have a greatest length: then the work is a small power of that length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

MAX_REPEATS = 3  # * + ? {} in one pattern
MAX_GROUPS = 3
MAX_PATTERNS = 100
LONGEST_TAG, LONGEST_PATTERN = 100, 200  # letters; a longer tag matches no pattern

_REPEAT = re.compile(r"[*+?]|\{\d*,?\d*\}")
_ESCAPED = re.compile(r"\\.")
_CLASS = re.compile(r"\[\^?\]?[^\]]*\]")


def wrong_patterns(text: str) -> Iterator[str]:
    """Say what is wrong with a list of patterns, one a line: yields nothing of a good one."""
    lines = _lines(text)
    if len(lines) > MAX_PATTERNS:
        yield f"holds {len(lines)} patterns, and at most {MAX_PATTERNS} are possible"
    for line in lines:
        if why := _invalid_reason(line):
            yield f'holds the pattern "{line}", which {why}'


def _invalid_reason(pattern: str) -> str:
    if len(pattern) > LONGEST_PATTERN:
        return f"is longer than {LONGEST_PATTERN} letters"
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"is none: {error}"
    return next((why for fits, why in _SLOW if fits(pattern)), "")


def _plain(pattern: str) -> str:
    """A pattern with a letter in the place of each escaped sign and each class."""
    return _CLASS.sub("x", _ESCAPED.sub("x", pattern))


_SLOW: tuple[tuple[Callable[[str], object], str], ...] = (
    (
        lambda pattern: re.search(r"\\[1-9]|\(\?", pattern),
        "refers back or looks around, which can take for ever: leave out \\1 and (?",
    ),
    (
        lambda pattern: re.search(r"\)[*+?{]", _plain(pattern)),
        "repeats a group, which can take for ever: put * + ? { } behind single letters only",
    ),
    (
        lambda pattern: len(_REPEAT.findall(_plain(pattern))) > MAX_REPEATS,
        f"repeats more than {MAX_REPEATS} times, which can take for ever: write several lines instead",
    ),
    (
        lambda pattern: _plain(pattern).count("(") > MAX_GROUPS,
        f"has more than {MAX_GROUPS} groups, which can take for ever: write several lines instead",
    ),
)


@cache
def matcher(text: str, *, patterns: bool) -> Callable[[str], bool]:
    """Whether a tag is in a list, one a line, as it is or without brackets around it; capitals make no difference.

    Lines that are no possible patterns match nothing: the rules of a preset refuse them before a run.
    """
    lines = _lines(text)
    names = frozenset(line.casefold() for line in lines) if not patterns else frozenset[str]()
    known = [re.compile(line, re.IGNORECASE) for line in lines if patterns and not _invalid_reason(line)][:MAX_PATTERNS]

    @cache
    def matches(tag: str) -> bool:
        ways = {tag.strip(), tag.strip("()[] ")}
        if any(way.casefold() in names for way in ways):
            return True
        return any(p.fullmatch(way) for way in ways if len(way) <= LONGEST_TAG for p in known)

    return matches


def _lines(text: str) -> list[str]:
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
