"""The text of a file that a user wrote, in whatever encoding his editor or system saves."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

MARKS = {"utf-8-sig": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
LEGACY = "cp1252"  # what Windows editors and taggers write in Western Europe and America ("ANSI")
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


class DecodedText(NamedTuple):
    text: str  # without the byte order mark
    encoding: str  # a key of MARKS, "utf-8", or LEGACY: a guess, to be pointed out


class NotText(ValueError):
    """Bytes that are no text in any of these encodings. `place`: of the first byte that is not."""

    def __init__(self, place: int) -> None:
        super().__init__(f"the byte at position {place} is neither UTF-8 nor other plain text")
        self.place = place


def decoded(data: bytes) -> DecodedText:
    """UTF-8 or UTF-16 with a mark, UTF-8 without one, or else Windows-1252 if that gives no control characters.

    Raises:
        NotText: it is none of these, or holds a zero byte.
    """
    if data.isascii() and b"\0" not in data:  # as nearly all captions are
        return DecodedText(data.decode("ascii"), "utf-8")
    encoding = next((name for name, mark in MARKS.items() if data.startswith(mark)), "utf-8")
    mark = MARKS.get(encoding, b"")
    try:
        text = data[len(mark) :].decode("utf-8" if encoding == "utf-8-sig" else encoding)
    except UnicodeDecodeError as error:
        if mark:
            raise NotText(len(mark) + error.start) from error
        return _legacy(data, error.start)
    if "\0" in text:
        raise NotText(data.find(b"\0"))
    return DecodedText(text, encoding)


def encoded(text: str, encoding: str) -> bytes:
    """The bytes of a file in this encoding. What was a guess becomes UTF-8."""
    return MARKS.get(encoding, b"") + text.encode(encoding if encoding.startswith("utf-16") else "utf-8")


def _legacy(data: bytes, first: int) -> DecodedText:
    try:
        text = data.decode(LEGACY)
    except UnicodeDecodeError as error:
        raise NotText(first) from error
    if CONTROLS.search(text) or not data[:first].isascii():  # what began as UTF-8 is damaged UTF-8
        raise NotText(first)
    return DecodedText(text, LEGACY)
