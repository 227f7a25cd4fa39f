"""Findings in words: how it stands in a line, and what a fix changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from app.gui.draft.labels import breadcrumb, value_text
from modules.language import plural, tr
from modules.preset.validate import setting_at

SEVERITIES = (
    ("stop", "1 problem blocks the start", "{count} problems block the start"),
    ("hurt", "1 warning", "{count} warnings"),
    ("know", "1 note", "{count} notes"),
)


def counted(counts: Counter[str]) -> str:
    """How it stands, in a line: "2 warnings, 10 notes"."""
    parts = [plural(counts[severity], one, other) for severity, one, other in SEVERITIES if counts[severity]]
    return ", ".join(parts) or tr("No problems found")


def describe_changes(changes: Mapping[str, Any]) -> str:
    """What a mend does, a line for each setting: "Training \u203a Batch size: 2 images"."""
    lines: list[str] = []
    for path, value in changes.items():
        setting = setting_at(path)
        lines.append(f"{breadcrumb(path)}: {value_text(setting, value) if setting else value}")
    return "\n".join(lines)
