"""Numbers in sentences. Each is a format of the catalogue's templates: "{size:bytes}", "{count:# image|# images}"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from modules.text import duration, in_bytes, listed, percent


def plural(number: float, forms: str) -> str:
    """The form for this number, of "one|many", with the number where a # stands: "# image|# images"."""
    one, _, many = forms.partition("|")
    return (one if number == 1 else many).replace("#", f"{number:,}")


def significant(number: float) -> str:
    """Two figures that matter, without an exponent where a person would write none: "8", "0.3", "1,200"."""
    return f"{float(f'{number:.2g}'):,.0f}" if number >= 100 else f"{number:.2g}"


def alternatives(words: Sequence[Any]) -> str:
    """ "a", "a or b", "a, b or c"."""
    texts = [str(word) for word in words]
    return " or ".join(filter(None, [", ".join(texts[:-1]), *texts[-1:]]))


def quoted(words: Sequence[Any]) -> str:
    """'"a", "b"'."""
    return ", ".join(f'"{word}"' for word in words)


def by_commas(words: Sequence[Any]) -> str:
    """ "a, b, c"."""
    return ", ".join(map(str, words))


def as_size(sides: Sequence[int]) -> str:
    """ "320x4x3x3"; of a number by itself "1"."""
    return "x".join(map(str, sides)) or "1"


def as_sizes(sizes: Sequence[Sequence[int]]) -> str:
    """ "8x320, 320x8"."""
    return ", ".join(map(as_size, sizes))


def capital(said: str | Sequence[str]) -> str:
    """ "A backup", at the beginning of a sentence; of what one problem says, too."""
    text = said if isinstance(said, str) else joined(said)
    return text[:1].upper() + text[1:]


def joined(words: Sequence[Any]) -> str:
    """One behind the other."""
    return " ".join(map(str, words))


FORMATS: dict[str, Callable[[Any], str]] = {
    "percent": percent,
    "significant": significant,
    "list": listed,
    "or": alternatives,
    "quoted": quoted,
    "commas": by_commas,
    "size": as_size,
    "sizes": as_sizes,
    "words": joined,
    "capital": capital,
    "bytes": in_bytes,
    "duration": duration,
}
