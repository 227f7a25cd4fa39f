"""Subjects to look at: real presets on a handful of pictures, opened as the check opens them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from app.findings import setting_option
from modules.check.context import CheckContext
from modules.messages import Channel, Event, Finding
from modules.preset.files.absolute_paths import with_absolute_paths
from modules.preset.files.set_option import apply_overrides
from modules.preset.paths import Values
from modules.preset.rules.rules import validate
from modules.trainer.control import Control
from modules.trainer.preparation import open_family, resolved, scan_images
from tests.data.pictures import picture
from tests.trainer.runs import STARTER, values

MemoryEstimator = Callable[[CheckContext], Iterator[Finding]]


def captioned(folder: Path, captions: Mapping[str, str | bytes | None]) -> str:
    """A folder of pictures with these captions beside them; None: no file. Gives the setting that names it."""
    for number, (name, caption) in enumerate(captions.items()):
        picture(folder / f"{name}.png", 64, 64, shade=number % 100)
        if caption is not None:
            text = folder / f"{name}.txt"
            text.write_bytes(caption if isinstance(caption, bytes) else caption.encode())
    return f"concepts.0.path={folder}"


def pictures(folder: Path, *shapes: tuple[int, int]) -> str:
    """A folder of pictures of these sizes, each with a caption of its own."""
    for number, (width, height) in enumerate(shapes):
        picture(folder / f"{number}.png", width, height, shade=number)
        (folder / f"{number}.txt").write_text(f"picture {number}", encoding="utf-8")
    return f"concepts.0.path={folder}"


def open_inputs(preset_values: Values, tell: Callable[[Event], None] = lambda event: None) -> CheckContext:
    """What the rooms look at, as a run opens it."""
    preset = with_absolute_paths(validate(preset_values))
    family = open_family(preset, lambda event: None)
    preset = resolved(preset, family)
    control = Control(Channel.open().commands)
    return CheckContext(preset, family, scan_images(preset, lambda event: None, control), tell, control)


def found(room: MemoryEstimator, workspace: Path, *settings: str) -> dict[str, Finding]:
    """What a room finds, by name; every mend of settings is tried, and must make its finding go away."""
    preset = values(workspace, STARTER, *settings)
    told = list(room(open_inputs(preset)))
    for finding in told:
        for mend in finding.fixes:
            if not mend.files:  # tests/gui/check/test_file_fixes.py
                _assert_it_helps(room, preset, finding, mend.changes)
    return {finding.name: finding for finding in told}


def _assert_it_helps(room: MemoryEstimator, preset: Values, finding: Finding, changes: Mapping[str, Any]) -> None:
    mended = apply_overrides(preset, [option(path, value) for path, value in changes.items()])
    left = [(other.name, other.title) for other in room(open_inputs(mended)) if other.name == finding.name]
    assert (finding.name, finding.title) not in left, changes
    assert len(left) < sum(1 for other in room(open_inputs(preset)) if other.name == finding.name), changes


def option(path: str, value: Any) -> str:
    """A change of a mend as a shell hands it over when it is typed as the report says."""
    return shlex.split(setting_option(path, value))[1]
