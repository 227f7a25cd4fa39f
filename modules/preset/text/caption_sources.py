"""Several sources of captions in one text: ".tags, name, folder" says what else there is beside the first one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Annotated

from pydantic import AfterValidator

from modules.errors import BadValue

MAX_SOURCES = 6
NAMES = {"name": "filename", "folder": "folder"}
ENDING = re.compile(r"[.\-_][^\s/\\:*?\"<>|,]{1,40}")


@dataclass(frozen=True, slots=True)
class CaptionSource:
    """Where captions of one image come from: a file beside it, its name, its folder's name, or one text for all."""

    kind: str  # "file", "filename", "folder", "prompt"
    ending: str = ""  # of a file, what stands after the image's name without its own ending: ".txt"
    key: str = ""  # in a JSON file: "tags"


@cache
def parse(text: str) -> tuple[CaptionSource, ...]:
    """Read ".tags, name"; nothing of an empty text.

    Raises:
        BadValue: it is something else.
    """
    words = list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if len(words) > MAX_SOURCES:
        raise BadValue("value.too-many-sources", count=len(words), most=MAX_SOURCES)
    return tuple(CaptionSource(NAMES[word]) if word in NAMES else of_ending(word) for word in words)


def of_ending(word: str) -> CaptionSource:
    """A file beside the image by its ending, with a key behind a colon where it is JSON.

    Raises:
        BadValue: it is none.
    """
    ending, colon, key = word.strip().partition(":")
    if not ENDING.fullmatch(ending) or ending.endswith("."):
        raise BadValue("value.caption-ending", word=word.strip())
    if colon and not (key.strip() and ending.lower().endswith(".json")):
        raise BadValue("value.caption-key", word=word.strip())
    return CaptionSource("file", ending, key.strip())


def _listed(text: str) -> str:
    parse(text)
    return ", ".join(word.strip() for word in text.split(",") if word.strip())


def _ending(text: str) -> str:
    of_ending(text)
    return text.strip()


@cache
def shares_of(text: str) -> tuple[float, ...]:
    """Read "3, 1".

    Raises:
        BadValue: these are no numbers, or none is above 0.
    """
    words = [word for word in re.split(r"[,;\s]+", text.strip()) if word]
    if any(not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", word) for word in words):
        raise BadValue("value.shares")
    found = tuple(float(word) for word in words)
    if found and not any(found):
        raise BadValue("value.shares-zero")
    return found


def _shares(text: str) -> str:
    return ", ".join(f"{share:g}" for share in shares_of(text))


SourcesText = Annotated[str, AfterValidator(_listed)]
EndingText = Annotated[str, AfterValidator(_ending)]
SharesText = Annotated[str, AfterValidator(_shares)]
