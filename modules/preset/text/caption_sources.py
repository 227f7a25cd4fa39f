"""Several sources of captions in one text: ".tags, name, folder" says what else there is beside the first one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Annotated

from pydantic import AfterValidator

MAX_SOURCES = 6
NAMES = {"name": "filename", "folder": "folder"}
ENDING = re.compile(r"[.\-_][^\s/\\:*?\"<>|,]{1,40}")
EXAMPLES = 'such as ".tags", "-tags.txt", ".json:tags", "name" or "folder", with commas between'


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
        ValueError: it is something else, in words that say what would be right.
    """
    words = list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if len(words) > MAX_SOURCES:
        raise ValueError(f"names {len(words)} sources, and at most {MAX_SOURCES} are possible")
    return tuple(CaptionSource(NAMES[word]) if word in NAMES else of_ending(word) for word in words)


def of_ending(word: str) -> CaptionSource:
    """A file beside the image by its ending, with a key behind a colon where it is JSON.

    Raises:
        ValueError: it is none.
    """
    ending, colon, key = word.strip().partition(":")
    if not ENDING.fullmatch(ending) or ending.endswith("."):
        raise ValueError(f'holds "{word.strip()}": write endings of files beside the images, {EXAMPLES}')
    if colon and not (key.strip() and ending.lower().endswith(".json")):
        raise ValueError(f'holds "{word.strip()}": only .json files have keys, such as ".json:tags"')
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
        ValueError: these are no numbers, or none is above 0.
    """
    words = [word for word in re.split(r"[,;\s]+", text.strip()) if word]
    if any(not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", word) for word in words):
        raise ValueError('must be numbers with commas between, such as "3, 1"')
    found = tuple(float(word) for word in words)
    if found and not any(found):
        raise ValueError("holds only zeros: no source would ever be drawn")
    return found


def _shares(text: str) -> str:
    return ", ".join(f"{share:g}" for share in shares_of(text))


SourcesText = Annotated[str, AfterValidator(_listed)]
EndingText = Annotated[str, AfterValidator(_ending)]
SharesText = Annotated[str, AfterValidator(_shares)]
