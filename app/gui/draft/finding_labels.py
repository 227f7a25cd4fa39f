"""Findings in words: how it stands in a line, and what a fix changes."""

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


def describe_changes(changes: Mapping[str, Any]) -> str:
    """What a mend does, a line for each setting: "Training \u203a Batch size: 2 images"."""
    lines: list[str] = []
    for path, value in changes.items():
        setting = setting_at(path)
        lines.append(f"{breadcrumb(path)}: {value_text(setting, value) if setting else value}")
    return "\n".join(lines)
