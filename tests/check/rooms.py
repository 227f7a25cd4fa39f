"""A room of the check on a preset of its own: folders of the test's, and a click on a mend."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from modules.check.context import CheckContext
from modules.data.index import Index
from modules.families import Family
from modules.messages import Command, Event, Finding, Mailbox
from modules.preset.files.set_option import apply_overrides
from modules.preset.preset import Preset
from modules.preset.rules.rules import validate
from modules.trainer.control import Control
from tests.data.pictures import scanned

MemoryEstimator = Callable[[CheckContext], Iterator[Finding]]


def preset_for(workspace: Path, folders: Iterable[Path] = (), *settings: str, **sections: Any) -> Preset:
    """A judged preset with these folders of images and absolute paths; "path=value" settings laid over."""
    values = {
        "version": 6,
        "model": {"source": "starter:model"},
        "concepts": [{"path": str(folder)} for folder in folders] or [{"path": "starter:robot"}],
        "training": {"resolution": 64},
        "general": {"workspace": str(workspace), "cache": str(workspace / "cache"), "device": "cpu", "threads": 1},
        **sections,
    }
    return validate(apply_overrides(values, list(settings)))


def subject_of(
    preset: Preset, index: Index | None = None, *, family: Family | None = None, told: list[Event] | None = None,
    mailbox: Mailbox[Command] | None = None,
) -> CheckContext:  # fmt: skip
    heard: list[Event] = [] if told is None else told
    return CheckContext(preset, family, index, heard.append, Control(mailbox or Mailbox()))


def said(room: MemoryEstimator, preset: Preset) -> dict[str, Finding]:
    """What a room says of a preset whose folders are looked at, by name."""
    return {finding.name: finding for finding in room(subject_of(preset, scanned(preset)))}


def mended(preset: Preset, finding: Finding, number: int = 0) -> Preset:
    """The preset after a click on one of a finding's mends."""
    changes = finding.fixes[number].changes
    settings = [f"{path}={value if isinstance(value, str) else json.dumps(value)}" for path, value in changes.items()]
    return validate(apply_overrides(preset.model_dump(mode="json"), settings))
