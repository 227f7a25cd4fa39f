"""Numbers as the sentences of findings say them: shares, sizes, times, names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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


def one_figure(rate: float) -> float:
    """A learning rate as people write them: one figure."""
    return float(f"{rate:.0e}")


def short(text: str, most: int = 60) -> str:
    """A caption that fits into a sentence."""
    return text if len(text) <= most else f"{text[: most - 4].rstrip()} ..."


MAX_ITEMS = 20  # that a finding names


def share_of(number: int, total: int, thing: str) -> str:
    """3 of 40 images (8 %)."""
    return f"{number:,} of {counted(total, thing)} ({percent(number / total)})"


def percent(share: float) -> str:
    """Whole percents, but never 0 % of something, nor 100 % of what is not all."""
    whole = round(100 * share)
    if share > 0 and whole == 0:
        return "under 1 %"
    return "over 99 %" if share < 1 and whole == 100 else f"{whole} %"


def in_bytes(size: float) -> str:
    """850 kB, 12 MB, 7.4 GB."""
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if size >= limit:
            amount = size / limit
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:,.0f} {unit}"
    return f"{max(1, round(size / 1e3))} kB" if size > 0 else "nothing"


def in_time(seconds: float) -> str:
    """45 seconds, 12 minutes, 3 hours 20 minutes, 2 days 4 hours."""
    if seconds < 90:
        return counted(max(1, round(seconds)), "second")
    minutes = round(seconds / 60)
    if minutes < 90:
        return counted(minutes, "minute")
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return counted(hours, "hour") + (f" {counted(minutes, 'minute')}" if minutes and hours < 10 else "")
    days, hours = divmod(hours, 24)
    return counted(days, "day") + (f" {counted(hours, 'hour')}" if hours and days < 10 else "")


def first_items(paths: Iterable[object]) -> list[str]:
    """The first of them, as many as a finding names."""
    found: list[str] = []
    for path in paths:
        if len(found) == MAX_ITEMS:
            break
        found.append(str(path))
    return found
