"""Findings in words: how it stands in a line, amounts with their units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from app.gui.draft.labels import breadcrumb, value_text
from modules.preset.validate import setting_at


def counted(counts: Counter[str]) -> str:
    """How it stands, in a line: "3 things will hurt, 5 worth knowing"."""
    parts: list[str] = []
    for severity, one, many in (
        ("stop", "keeps it from starting", "keep it from starting"),
        ("hurt", "will hurt", "will hurt"),
    ):
        if count := counts[severity]:
            thing = "" if parts else " thing" if count == 1 else " things"
            parts.append(f"{count}{thing} {one if count == 1 else many}")
    if not parts:
        parts.append("Nothing stands in the way")
    if counts["know"]:
        parts.append(f"{counts['know']} worth knowing")
    return ", ".join(parts)


def amount(value: float, unit: str) -> str:
    """A number of a histogram with its unit: "4.2 GB", "1:05", "120 captions"."""
    if unit == "bytes":
        return of_bytes(value)
    if unit == "seconds":
        return of_seconds(value)
    number = f"{value:,.0f}" if value == round(value) or abs(value) >= 100 else f"{value:.3g}"
    return f"{number} {unit}".strip() if unit != "%" else f"{number} %"


def of_bytes(value: float) -> str:
    """Gigabytes with one digit, megabytes below one."""
    if value >= 0.95 * 2**30:
        return f"{value / 2**30:,.1f} GB"
    return f"{value / 2**20:,.0f} MB" if value >= 2**20 else f"{value / 2**10:,.0f} kB"


def of_seconds(value: float) -> str:
    whole = round(value)
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {whole % 60:02} s" if minutes else f"{value:.3g} s"


def describe_changes(changes: Mapping[str, Any]) -> str:
    """What a mend does, a line for each setting: "Training \u203a Batch size: 2 images"."""
    lines: list[str] = []
    for path, value in changes.items():
        setting = setting_at(path)
        lines.append(f"{breadcrumb(path)}: {value_text(setting, value) if setting else value}")
    return "\n".join(lines)
