"""What is typed as the values of an axis, spelled out: lists with commas, and ranges of numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from modules.errors import UserError
from modules.preset.sections.sampling import SAMPLERS, SPACINGS, sampler_named

MOST = 1000  # values of an axis
WHOLE = ("seed", "steps")
NUMBERS = (*WHOLE, "strength", "guidance", "ratio")
BOUNDS: dict[str, tuple[float, float]] = {
    "seed": (0, 2**63 - 1), "steps": (1, 1000), "strength": (-10, 10), "guidance": (0, 100), "ratio": (0, 1),
}  # fmt: skip
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)")
RANGE = re.compile(  # first, last, and either a step or a count
    r"([+-]?(?:\d+\.?\d*|\.\d+))\s*-\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*"
    r"(?:\(\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*\)|\[\s*(\d+)\s*\])?"
)
SIZE = re.compile(r"(\d{1,5})(?:\s*[xX\u00d7]\s*(\d{1,5}))?")
SWITCH = {"on": True, "off": False}


def values_of(kind: str, text: str) -> list[str]:
    """The values that one text stands for: "1-5 (+2), 8" is 1, 3, 5, 8. Prompts and paths are taken whole.

    Raises:
        UserError: it is no value of this kind of axis.
    """
    if kind in ("prompt", "replace", "run", "model"):
        return [text]
    found = [value for part in text.split(",") if part.strip() for value in _spelled_out(kind, part.strip())]
    for value in found:
        check_value(kind, value)
    return found


def check_value(kind: str, value: str) -> None:
    """Find out whether this is one value of an axis of numbers, samplers, sizes or switches.

    Raises:
        UserError: it is not.
    """
    if kind in NUMBERS:
        number_of(kind, value)
    elif reads := READS.get(kind):
        reads(value)


def number_of(kind: str, value: str) -> float:
    """Raises a UserError for what is no number of this kind, or out of bounds."""
    low, high = BOUNDS[kind]
    if not NUMBER.fullmatch(value.strip()):
        raise UserError("grid.no-number", value=value)
    number = float(value)
    if kind in WHOLE and not number.is_integer():
        raise UserError("grid.not-whole", value=value)
    if not low <= number <= high:
        raise UserError("grid.out-of-range", value=value, low=low, high=high)
    return int(value) if kind in WHOLE and value.strip().lstrip("+").isdecimal() else number


def size_of(value: str) -> tuple[int, int]:
    """Width and height of "512x768", or of "512" for a square; raises a UserError for anything else."""
    match = SIZE.fullmatch(value.strip())
    if not match:
        raise UserError("option.size", size=value)
    return int(match[1]), int(match[2] or match[1])


def sampler_of(value: str) -> dict[str, Any]:
    """The settings of "DPM++ 2M Karras" or dpmpp_2m; raises a UserError for what is called by no such name."""
    found = sampler_named(value)
    if found is None:
        raise UserError("grid.no-sampler", value=value, names=list(SAMPLERS.values()))
    return found


def sampler_title(settings: dict[str, Any]) -> str:
    """A sampler as people call it."""
    return f"{SAMPLERS[settings['sampler']]} {SPACINGS[settings.get('spacing', 'default')]}".strip()


def switch_of(value: str) -> bool:
    """Raises a UserError for what is neither on nor off."""
    if value.strip().lower() not in SWITCH:
        raise UserError("grid.no-switch", value=value)
    return SWITCH[value.strip().lower()]


READS: dict[str, Callable[[str], Any]] = {"size": size_of, "sampler": sampler_of, "trigger": switch_of}


def _spelled_out(kind: str, text: str) -> Iterable[str]:
    match = RANGE.fullmatch(text) if kind in (*NUMBERS, "step") else None
    if match is None:
        return [text]
    whole = kind in (*WHOLE, "step")
    first, last = float(match[1]), float(match[2])
    found = _spread(first, last, int(match[4])) if match[4] else _counted(first, last, match[3], whole=whole)
    return dict.fromkeys(str(round(value)) if whole else f"{value:.10g}" for value in found)


def _spread(first: float, last: float, count: int) -> list[float]:
    """So many values, evenly from the first to the last."""
    if not 0 < count <= MOST:
        raise UserError("grid.too-many", most=MOST)
    return [first + (last - first) * n / max(1, count - 1) for n in range(count)]


def _counted(first: float, last: float, step: str | None, *, whole: bool) -> list[float]:
    """From the first to the last in steps of so much; of 1 or -1 (numbers with a point: 0.1) where none is said."""
    usual = 1.0 if whole or (first.is_integer() and abs(last - first) >= 2) else 0.1
    by = float(step) if step else usual if last >= first else -usual
    if by == 0 or (last - first) * by < 0:
        raise UserError("grid.no-range", value=f"{first:g}-{last:g} ({by:+g})")
    count = int((last - first) / by + 1e-9) + 1
    if count > MOST:
        raise UserError("grid.too-many", most=MOST)
    return [first + by * n for n in range(count)]
