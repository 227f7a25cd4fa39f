"""Which tags a list means: names, or patterns from the part of regular expressions that never takes long.

Presets come from strangers, and a pattern such as (a+)+b keeps Python's matcher busy for years. A time limit would make
what is drawn depend on the computer. So patterns here have no repeated groups, no references back, few repetitions and
few groups, and tags that are compared with them have a greatest length: then the work is a small power of that length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

from modules.sentences.problem import Problem, problem

MAX_REPEATS = 3  # * + ? {} in one pattern
MAX_GROUPS = 3
MAX_PATTERNS = 100
LONGEST_TAG, LONGEST_PATTERN = 100, 200  # letters; a longer tag matches no pattern

_REPEAT = re.compile(r"[*+?]|\{\d*,?\d*\}")
_ESCAPED = re.compile(r"\\.")
_CLASS = re.compile(r"\[\^?\]?[^\]]*\]")


def wrong_patterns(text: str, path: str = "") -> Iterator[Problem]:
    """What is wrong with a list of patterns, one a line, of the setting at `path`; nothing with a good one."""
    lines = _lines(text)
    if len(lines) > MAX_PATTERNS:
        yield problem("pattern.too-many", path, count=len(lines), most=MAX_PATTERNS)
    for line in lines:
        if wrong := _problem(line):
            yield replace(wrong, path=path)


def _problem(pattern: str) -> Problem | None:
    if len(pattern) > LONGEST_PATTERN:
        return problem("pattern.too-long", pattern=pattern, most=LONGEST_PATTERN)
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return problem("pattern.invalid", pattern=pattern, error=str(error))
    slow = next(((code, most) for is_so, code, most in _SLOW if is_so(pattern)), None)
    return problem(slow[0], pattern=pattern, most=slow[1]) if slow else None


def _plain(pattern: str) -> str:
    """A pattern with a letter in the place of each escaped sign and each class."""
    return _CLASS.sub("x", _ESCAPED.sub("x", pattern))


# What can take forever: the row of the catalogue, and how many are possible
_SLOW: tuple[tuple[Callable[[str], object], str, int], ...] = (
    (lambda pattern: re.search(r"\\[1-9]|\(\?", pattern), "pattern.looks-around", 0),
    (lambda pattern: re.search(r"\)[*+?{]", _plain(pattern)), "pattern.repeats-a-group", 0),
    (
        lambda pattern: len(_REPEAT.findall(_plain(pattern))) > MAX_REPEATS,
        "pattern.too-many-repeats",
        MAX_REPEATS,
    ),
    (lambda pattern: _plain(pattern).count("(") > MAX_GROUPS, "pattern.too-many-groups", MAX_GROUPS),
)


@cache
def matcher(text: str, *, patterns: bool) -> Callable[[str], bool]:
    """Whether a tag is in a list, one a line, as it is or without brackets around it; capitals make no difference.

    Lines that are no possible patterns match nothing: the rules of a preset refuse them before a run.
    """
    lines = _lines(text)
    names = frozenset(line.casefold() for line in lines) if not patterns else frozenset[str]()
    known = [re.compile(line, re.IGNORECASE) for line in lines if patterns and _problem(line) is None][:MAX_PATTERNS]

    @cache
    def matches(tag: str) -> bool:
        ways = {tag.strip(), tag.strip("()[] ")}
        if any(way.casefold() in names for way in ways):
            return True
        return any(p.fullmatch(way) for way in ways if len(way) <= LONGEST_TAG for p in known)

    return matches


def _lines(text: str) -> list[str]:
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
