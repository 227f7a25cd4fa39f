"""What a text such as "input 4, mid, up_blocks\\.1\\..*" means: expressions over the names of layers.

The engine picks layers with them, and the window shows what they pick: both read them here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping


def expressions(layers: str, sets: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The regular expressions of a list of set names and expressions; each may match anywhere in a name."""
    return tuple(expression for part in split(layers) for expression in sets.get(part, (part,)))


def split(layers: str) -> tuple[str, ...]:
    """The parts of a list; a comma inside an expression is written as [,]."""
    return tuple(part for text in re.split(r",(?!\])", layers) if (part := text.strip()))


# Python's expressions have no time limit. Two kinds can take longer than the age of the universe on a name of 80
# letters: a repeat inside a repeated group, and many repeats of what matches nearly everything.
ATOMS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
NESTED = re.compile(r"\([^()]*(?:[*+|]|\{\d*,)[^()]*\)(?:[*+]|\{)")
BROAD = re.compile(r"[.~](?:[*+]|\{\d*,)")
MAX_BROAD = 4


def can_backtrack_forever(text: str) -> bool:
    """Whether an expression could keep this machine busy for ever."""
    plain = ATOMS.sub("~", text)
    many = len(BROAD.findall(plain)) > MAX_BROAD
    while not many and (shorter := re.sub(r"\(([^()*+{|]*)\)", "~", plain)) != plain:
        plain = shorter  # groups that repeat nothing inside
    many = many or NESTED.search(plain) is not None
    while not many and (shorter := re.sub(r"\(([^()]*)\)(?![*+{])", r"\1", plain)) != plain:
        plain = shorter  # groups that are not repeated: what they hold stands beside the rest
        many = NESTED.search(plain) is not None
    return many or len(text) > 10_000


def invalid_reason(text: str) -> str:
    """What is wrong with an expression, to stand after it in a sentence; "" if it can be used."""
    if can_backtrack_forever(text):
        return "repeats too much within itself, and could be searched for ever"
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        return f"is not a regular expression ({error})"
    return ""
