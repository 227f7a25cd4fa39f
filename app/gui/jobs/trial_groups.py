"""What the runs of a set of tried values try, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modules.jobs.entry import Entry
from modules.language import tr
from modules.preset.validate import setting_at
from modules.trials.values import short, unique


def tried_in(entries: Sequence[Entry]) -> dict[str, tuple[Any, ...]]:
    """The values of each setting that some runs try, in their order."""
    entries = sorted(entries, key=lambda entry: entry.id)
    paths = dict.fromkeys(path for entry in entries for path in entry.changes)
    return {path: unique([entry.changes[path] for entry in entries if path in entry.changes]) for path in paths}


def tried_text(entries: Sequence[Entry]) -> str:
    """ "learning rate 5e-5, 1e-4; rank 8, 32" """
    tried = tried_in(entries)
    return "; ".join(f"{label_of(path).lower()} {', '.join(map(short, values))}" for path, values in tried.items())


def label_of(path: str) -> str:
    """What the form calls a setting."""
    setting = setting_at(path)
    return tr(setting.label) if setting else path
