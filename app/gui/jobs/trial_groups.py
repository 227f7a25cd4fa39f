"""Sets of tried values, as they stand in the queue: the name of a set, and what its runs try."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from modules.jobs.entry import Entry
from modules.language import tr
from modules.preset.validate import setting_at
from modules.trials.values import short, unique

MARK = " #"  # between the name of a set and what tells it from others of that name


def new_group(name: str) -> str:
    """The id of a set that is called so."""
    return f"{name}{MARK}{uuid.uuid4().hex[:8]}"


def group_name(group: str) -> str:
    """What the set of this id is called."""
    return group.rpartition(MARK)[0] or group


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
