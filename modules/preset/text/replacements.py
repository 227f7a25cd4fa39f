"""Rules that replace words of captions, one a line: "old => new"."""

from __future__ import annotations

from functools import cache
from typing import Annotated

from pydantic import AfterValidator

from modules.errors import BadValue

ARROW = "=>"
MAX_LETTERS = 200  # letters of what comes in: a preset from a stranger must not blow captions up


@cache
def parse_replacements(text: str) -> dict[str, str]:
    """What is replaced by what. The first rule for a word holds.

    Raises:
        BadValue: a line is no rule.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        old, arrow, new = line.partition(ARROW)
        if not arrow or not old.strip():
            raise BadValue("value.replacement", line=number)
        if len(new.strip()) > MAX_LETTERS:
            raise BadValue("value.replacement-long", line=number, most=MAX_LETTERS)
        found.setdefault(old.strip(), new.strip())
    return found


def _checked(text: str) -> str:
    parse_replacements(text)
    return text


ReplacementsText = Annotated[str, AfterValidator(_checked)]
