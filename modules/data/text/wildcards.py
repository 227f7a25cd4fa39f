"""Words to draw from in a caption: "a {red|{dark|light} blue} robot". Plain braces are written {{ and }}.

Braces without a bar between them, and such that nobody closes, stay as they are: they are no wildcard.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache

from modules.data.text.random_choice import Name, RandomChoice

MAX_DEPTH = 20


@dataclass
class _Braces:
    """What stands between two braces: options, each made of texts and further braces."""

    options: list[list[str | _Braces]] = field(default_factory=lambda: [[]])

    def add(self, piece: str | _Braces) -> None:
        self.options[-1].append(piece)


def with_wildcards(text: str, choice: RandomChoice, *names: Name) -> str:
    """The text with one option in the place of each pair of braces."""
    if "{" not in text and "}" not in text:
        return text
    tree = _parsed(text)
    if tree is None:
        return text
    counter = iter(range(len(text)))

    def said(pieces: list[str | _Braces]) -> str:
        return "".join(piece if isinstance(piece, str) else chosen(piece) for piece in pieces)

    def chosen(braces: _Braces) -> str:
        number = next(counter)
        if len(braces.options) == 1:
            return f"{{{said(braces.options[0])}}}"
        return said(braces.options[choice.one_of([1.0] * len(braces.options), *names, number)])

    return said(tree)


@lru_cache(4096)
def _parsed(text: str) -> list[str | _Braces] | None:
    """The text as a tree; None where its braces do not match, or stand too deep in one another."""
    reader = _Reader()
    signs = deque(_TOKENS.findall(text))
    while signs:
        sign = signs.popleft()
        if sign == "{":
            reader.levels.append(_Braces())
        elif sign == "}":
            if not reader.close(signs):
                return None
        else:
            reader.put(sign)
        if len(reader.levels) > MAX_DEPTH:
            return None
    return reader.levels[0].options[0] if len(reader.levels) == 1 else None


_TOKENS = re.compile(r"\{\{|[{}|]|[^{}|]+")
_PLAIN = "{{"


class _Reader:
    """Braces that are open, the whole text outermost; and plain ones, which wait for their }}."""

    def __init__(self) -> None:
        self.levels = [_Braces()]
        self._plain = [0]  # plain braces that are open in each level

    def put(self, sign: str) -> None:
        """Take a text, a bar, or a plain brace that opens."""
        self._level()
        if sign == _PLAIN:
            self._plain[-1] += 1
            self.levels[-1].add("{")
        elif sign == "|" and len(self.levels) > 1 and not self._plain[-1]:
            self.levels[-1].options.append([])
        else:
            self.levels[-1].add(sign)

    def close(self, after: deque[str]) -> bool:
        """Take a closing brace, and the next one if both make a plain one. False: nobody opened it."""
        self._level()
        outside = len(self.levels) == 1
        if (outside or self._plain[-1]) and after and after[0] == "}":
            after.popleft()
            self._plain[-1] = max(0, self._plain[-1] - 1)
            self.levels[-1].add("}")
            return True
        if outside or self._plain[-1]:
            return False
        self._plain.pop()
        done = self.levels.pop()
        self.levels[-1].add(done)
        return True

    def _level(self) -> None:
        """Levels that were opened since have no plain braces yet."""
        self._plain += [0] * (len(self.levels) - len(self._plain))
