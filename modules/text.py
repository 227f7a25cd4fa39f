"""Numbers as people read them: bytes, times, counts, shares, rates. The one place where they get their units.

GB are 2**30 bytes, and MB 2**20, as nvidia-smi counts them and as cards are sold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modules.language import plural, tr

SEVERITIES = (
    ("error", "1 problem", "{count:,} problems"),
    ("warning", "1 warning", "{count:,} warnings"),
    ("info", "1 note", "{count:,} notes"),
)
KB, MB, GB, TB = 2**10, 2**20, 2**30, 2**40
ALMOST = 0.95  # of a unit is enough to be written in it: 0.97 GB is 1.0 GB to a person, and not 993 MB
MINUTE, HOUR, DAY = 60, 3600, 86_400
UNITS = {"images": "image", "captions": "caption", "parameters": "parameter"}  # of histograms: what is one of them


def in_bytes(size: float) -> str:
    """7.4 GB, 12 MB, 850 kB."""
    for unit, name, digits in ((TB, "TB", 100), (GB, "GB", 100), (MB, "MB", 10)):
        amount = size / unit
        if amount >= ALMOST:
            return f"{amount:.1f} {name}" if amount < digits else f"{amount:,.0f} {name}"
    return f"{max(1, round(size / KB))} kB" if size > 0 else "0 kB"


def whole_gb(size: float) -> str:
    """The size of a card or of a computer's memory: "12 GB"."""
    return f"{size / GB:.0f} GB"


def bytes_of(used: float, total: float) -> str:
    """10.7 / 12 GB"""
    return f"{used / GB:.1f} / {whole_gb(total)}"


def duration(seconds: float) -> str:
    """In a sentence: "80 milliseconds", "45 seconds", "12 minutes", "3 hours 20 minutes", "2 days 4 hours"."""
    if seconds < 0.1:
        return tr("{count:.2g} milliseconds", count=1000 * seconds)
    if seconds < 1.5 * MINUTE:
        return tr("{count:.2g} seconds", count=seconds) if round(seconds, 1) != 1 else tr("1 second")
    minutes = round(seconds / MINUTE)
    if minutes < 90:
        return counted(minutes, "minute")
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return counted(hours, "hour") + (f" {counted(minutes, 'minute')}" if minutes and hours < 10 else "")
    days, hours = divmod(hours, 24)
    return counted(days, "day") + (f" {counted(hours, 'hour')}" if hours and days < 10 else "")


def time_left(seconds: float) -> str:
    """What counts down, or labels a bar: "8 s", "3 min 20 s", "2 h 05 min"."""
    whole = max(0, round(seconds))
    if 0 < seconds < 10 and whole != seconds:
        return f"{seconds:.2g} s"
    hours, minutes, rest = whole // HOUR, whole // MINUTE % 60, whole % MINUTE
    if hours:
        return tr("{hours} h {minutes:02} min", hours=hours, minutes=minutes)
    return tr("{minutes} min {seconds:02} s", minutes=minutes, seconds=rest) if minutes else f"{rest} s"


def ago(seconds: float) -> str:
    """ "just now", "5 minutes ago", "yesterday", "12 days ago"."""
    if seconds < MINUTE:
        return tr("just now")
    if seconds < HOUR:
        return plural(int(seconds // MINUTE), "1 minute ago", "{count} minutes ago")
    if seconds < DAY:
        return plural(int(seconds // HOUR), "1 hour ago", "{count} hours ago")
    days = int(seconds // DAY)
    return plural(days, "yesterday", "{count} days ago")


def rate(steps_per_second: float) -> str:
    """1.92 it/s, or 3.4 s/it where a step takes longer than a second; "" for none."""
    if steps_per_second <= 0:
        return ""
    return f"{steps_per_second:.2f} it/s" if steps_per_second >= 1 else f"{1 / steps_per_second:.1f} s/it"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its word: "1 image", "2,000 images", "3 batches"."""
    return plural(number, f"1 {one}", f"{{count:,}} {many or f'{one}s'}")


def findings_counted(counts: Mapping[Any, int]) -> str:
    """How many findings of each severity: "1 problem, 2 warnings, 10 notes"; "" for none."""
    parts = [plural(counts[kind], one, many) for kind, one, many in SEVERITIES if counts.get(kind)]
    return ", ".join(parts)


def in_percent(share: float, digits: int = 0) -> str:
    """ "17 %" or "17.2 %", never broken before its sign."""
    return f"{100 * share:.{digits}f}\u00a0%"


def fine_percent(share: float) -> str:
    """Three digits of any share, however small: "0.0234 %"."""
    return f"{100 * share:.3g}\u00a0%"


def percent(share: float) -> str:
    """Whole percents, but never 0 % of something, nor 100 % of what is not all."""
    whole = round(100 * share)
    if share > 0 and whole == 0:
        return tr("under {percent}", percent=in_percent(0.01))
    return tr("over {percent}", percent=in_percent(0.99)) if share < 1 and whole == 100 else in_percent(share)


def percent_done(done: float, total: float) -> str:
    """How far something is: 100 % only when all is done."""
    return in_percent(100 * min(done, total) // max(total, 1) / 100)


def listed(words: Sequence[Any]) -> str:
    """ "a", "a and b", "a, b and c"."""
    texts = [str(word) for word in words]
    return tr("{some} and {last}", some=", ".join(texts[:-1]), last=texts[-1]) if len(texts) > 1 else "".join(texts)


def amount(value: float, unit: str) -> str:
    """A number of a histogram with its unit: "4.2 GB", "3 min 20 s", "1 caption", "8 %"."""
    if unit == "bytes":
        return in_bytes(value)
    if unit == "seconds":
        return time_left(value)
    if unit == "share":
        return percent(value)
    if unit in UNITS and value == round(value):
        return counted(round(value), UNITS[unit])
    number = f"{value:,.0f}" if value == round(value) or abs(value) >= 100 else f"{value:.3g}"
    return f"{number} {unit}".strip()
