"""grid.json: what a grid is made of, for whoever shows it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.errors import UserError
from modules.preset.files.jsonfile import read_object
from modules.system.files import write_text

if TYPE_CHECKING:
    from modules.grids.axes import Axis, Head
    from modules.grids.plan import Plan

FILE, FORMAT, VERSION = "grid.json", "seachange-grid", 1
AXES = ("columns", "rows", "tabs")
Record = dict[str, Any]


def write_record(plan: Plan, reused: Mapping[Path, bool], seconds_per_step: float) -> None:
    """Write down the axes and cells of a grid, and which of them are there. `reused`: whether a file is a sample's."""
    settings = plan.settings.model_dump(mode="json")
    record = {
        "format": FORMAT,
        "version": VERSION,
        "name": plan.name,
        "run": settings["run"],
        "settings": settings,
        "axes": {name: _axis(getattr(plan, name)) for name in AXES},
        "cells": [
            {
                "column": cell.column,
                "row": cell.row,
                "tab": cell.tab,
                "file": f"{cell.path.parent.name}/{cell.path.name}",
                "done": plan.is_there(cell),
                "reused": reused.get(cell.path, False),
            }
            for cell in sorted(plan.cells, key=lambda cell: (cell.tab, cell.row, cell.column))
        ],
        "seconds_per_step": seconds_per_step or pace_of(plan.folder.parent),
    }
    write_text(plan.folder / FILE, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def read_record(folder: Path) -> Record:
    """What was written down of a grid.

    Raises:
        UserError: the folder is none, or the file is damaged or of a newer version.
    """
    record = read_object(folder / FILE)
    if record.get("format") != FORMAT or record.get("version") != VERSION:
        raise UserError("grid.not-ours", file=folder / FILE)
    return record


def saved_grids(run: Path) -> list[Path]:
    """The folders of the grids of a run, the newest first."""
    found = [path.parent for path in (run / "grids").glob(f"*/{FILE}")]
    return sorted(found, key=lambda folder: (folder / FILE).stat().st_mtime, reverse=True)


def pace_of(grids: Path) -> float:
    """The seconds that a sampling step took in the newest grid beside; 0 where there is none."""
    for folder in saved_grids(grids.parent) if grids.name == "grids" else []:
        try:
            pace = float(read_record(folder).get("seconds_per_step", 0.0))
        except (UserError, TypeError, ValueError):
            continue
        if pace > 0:
            return pace
    return 0.0


def _axis(axis: Axis) -> dict[str, Any]:
    return {"kind": axis.kind, "title": axis.title, "heads": [_head(head) for head in axis.heads]}


def _head(head: Head) -> dict[str, Any]:
    names = ("value", "label", "step", "star", "backup", "forgotten", "learnt", "balance")
    return {name: getattr(head, name) for name in names}
