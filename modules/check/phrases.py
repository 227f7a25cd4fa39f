"""Numbers as they stand in the sentences of findings."""

from __future__ import annotations

from collections.abc import Sequence

FEW = 20  # of so few, a share is said as a count: "3 of 16"


def share(part: int, whole: int, what: str) -> str:
    """How many of how many: "62 % of the captions", or "3 of 16 captions" where a percentage would say less."""
    if whole < FEW or not 0.01 <= part / whole <= 0.99:
        return f"{part:,} of {whole:,} {what}"
    return f"{100 * part / whole:.0f} % of the {what}"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its word: "1 image", "2,000 images"."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def listed(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def rounded(number: float) -> str:
    """Two figures that matter, without an exponent where a person would write none: "8", "0.3", "1,200"."""
    if number >= 100:
        return f"{float(f'{number:.2g}'):,.0f}"
    return f"{number:.2g}"


def tidy(rate: float) -> float:
    """A learning rate as people write them: one figure."""
    return float(f"{rate:.0e}")


def short(text: str, most: int = 60) -> str:
    """A caption that fits into a sentence."""
    return text if len(text) <= most else f"{text[: most - 4].rstrip()} ..."
