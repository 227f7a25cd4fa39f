"""Which tags a list means: names, or regular expressions (patterns.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

from modules.preset.text.patterns import Pattern, PatternError
from modules.sentences.problem import Problem, problem

MAX_PATTERNS = 100
LONGEST_PATTERN = 200  # letters


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
        Pattern(pattern)
    except PatternError as error:
        return error.problem(pattern)
    return None


@cache
def matcher(text: str, *, patterns: bool) -> Callable[[str], bool]:
    """Whether a tag is in a list, one a line, as it is or without brackets around it; capitals make no difference.

    Lines that are no possible patterns match nothing: the rules of a preset refuse them before a run.
    """
    lines = _lines(text)
    names = frozenset(line.casefold() for line in lines) if not patterns else frozenset[str]()
    usable = [line for line in lines if patterns and _problem(line) is None]
    known = [Pattern(line, ignore_case=True) for line in usable[:MAX_PATTERNS]]

    @cache
    def matches(tag: str) -> bool:
        ways = {tag.strip(), tag.strip("()[] ")}
        if any(way.casefold() in names for way in ways):
            return True
        return any(pattern.is_all_of(way) for way in ways for pattern in known)

    return matches


def _lines(text: str) -> list[str]:
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
