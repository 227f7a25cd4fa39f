"""What a filter of images says in one text: tags with commas between, words, a number."""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated

from pydantic import AfterValidator

from modules.errors import BadValue

NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
COLUMN = re.compile(r"[^\s,:/\\][^,:/\\]{0,60}")


@cache
def tags_of(text: str) -> tuple[tuple[str, ...], ...]:
    """Read "solo, red hair | blue hair": each tag with those that may stand for it."""
    found = [re.split(r"\|", part) for part in re.split(r"[,\n]", text)]
    tags = [tuple(tag.strip() for tag in group if tag.strip()) for group in found]
    return tuple(group for group in tags if group)


@cache
def words_of(text: str) -> tuple[str, ...]:
    """Read "g, s"; nothing of an empty text."""
    return tuple(dict.fromkeys(word.lower() for part in text.split(",") if (word := part.strip())))


def number_of(text: str) -> float | None:
    """The number; None of an empty text."""
    return float(text) if text.strip() else None


def _number(text: str) -> str:
    if text.strip() and not re.fullmatch(NUMBER, text.strip()):
        raise BadValue("value.float")
    return text.strip()


def _column(text: str) -> str:
    if text.strip() and not COLUMN.fullmatch(text.strip()):
        raise BadValue("value.no-column")
    return text.strip()


NumberText = Annotated[str, AfterValidator(_number)]
ColumnText = Annotated[str, AfterValidator(_column)]
