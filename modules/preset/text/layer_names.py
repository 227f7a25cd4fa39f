"""What a text such as "input 4, mid, up_blocks\\.1\\..*" means: expressions over the names of layers.

The engine picks layers with them, and the window shows what they pick: both read them here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from modules.preset.text.patterns import Pattern, PatternError
from modules.sentences.problem import Problem


def expressions(layers: str, sets: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The regular expressions of a list of set names and expressions; each may match anywhere in a name."""
    return tuple(expression for part in split(layers) for expression in sets.get(part, (part,)))


def split(layers: str) -> tuple[str, ...]:
    """The parts of a list; a comma inside an expression is written as [,]."""
    return tuple(part for text in re.split(r",(?!\])", layers) if (part := text.strip()))


ATOMS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*+(?:\]|\Z)", re.DOTALL)  # one without end is sought only once
NOT = "^(?!"  # at its beginning an expression may say what a name must not begin with, as the window writes it


class LayerPattern:
    """An expression over names of layers."""

    def __init__(self, text: str) -> None:
        """Read it.

        Raises:
            PatternError: it cannot be used.
        """
        end = _end_of_not(text) if text.startswith(NOT) else -1
        self._refused = Pattern(f"^(?:{text[len(NOT) : end]})") if end > 0 else None
        self._wanted = Pattern(f"^{text[end + 1 :]}" if end > 0 else text)

    def matches(self, name: str) -> bool:
        """Whether it stands anywhere in a name, or where it says."""
        return self._wanted.is_in(name) and not (self._refused and self._refused.is_in(name))


def _end_of_not(text: str) -> int:
    """Where the bracket closes that NOT opens; -1 if nowhere."""
    depth = 0
    for place, sign in enumerate(ATOMS.sub(lambda found: "~" * len(found[0]), text)):
        depth += (sign == "(") - (sign == ")")
        if sign == ")" and not depth:
            return place
    return -1


def invalid_reason(text: str) -> Problem | None:
    """What is wrong with an expression."""
    try:
        LayerPattern(text)
    except PatternError as error:
        return error.problem(text[:60])
    return None
