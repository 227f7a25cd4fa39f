"""Numbers as people say them: shares, sizes, times, names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from modules.check.phrases import counted

MOST_ITEMS = 20  # that a finding names


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


def named(paths: Iterable[Path | str]) -> list[str]:
    """The first of them, as many as a finding names."""
    found: list[str] = []
    for path in paths:
        if len(found) == MOST_ITEMS:
            break
        found.append(str(path))
    return found
