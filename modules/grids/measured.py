"""What was measured of forgetting: by a run at its steps, out of its events; by a grid, of merges, in its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules.errors import UserError
from modules.preset.files.jsonfile import read_object
from modules.system.files import write_text
from modules.system.reading import open_file

KIND = b'"Retention"'
FORGOTTEN = "forgotten.json"  # in the folder of a grid


@dataclass(frozen=True)
class Measured:
    """The numbers of one step."""

    forgotten: float
    learnt: float | None
    balance: float


@dataclass(frozen=True)
class RunNumbers:
    """Those of a run."""

    steps: dict[int, Measured]
    best_step: int = -1  # where the balance was highest; -1: nobody knows

    def at(self, step: int) -> Measured | None:
        return self.steps.get(step)


def numbers_of(run: Path) -> RunNumbers:
    """What the events of a run tell; of a step that was measured twice, the later."""
    found: dict[int, Measured] = {}
    try:
        with open_file(run / "events.jsonl") as file:
            for line in file:
                if KIND in line and (read := _read(line)):
                    found[read[0]] = read[1]
    except OSError:
        return RunNumbers({})
    trained = {step: each.balance for step, each in found.items() if step > 0}
    best = max(trained, key=lambda step: (trained[step], -step)) if trained else -1
    return RunNumbers(found, best)


def forgotten_in(grid: Path) -> dict[str, float]:
    """What a grid has measured of weights, by their mark; nothing of a file that is damaged."""
    try:
        found = read_object(grid / FORGOTTEN)
    except UserError:
        return {}
    return {mark: float(value) for mark, value in found.items() if isinstance(value, int | float)}


def keep_forgotten(grid: Path, mark: str, value: float) -> None:
    """Add to what is known of a grid."""
    grid.mkdir(parents=True, exist_ok=True)
    write_text(grid / FORGOTTEN, json.dumps({**forgotten_in(grid), mark: value}, indent=1) + "\n")


def _read(line: bytes) -> tuple[int, Measured] | None:
    """Nothing of a line that a kill tore, or of another release."""
    try:
        event: dict[str, Any] = json.loads(line)
        if event["kind"] != "Retention":
            return None
        held_out = event.get("held_out")
        learnt = held_out if held_out is not None else event.get("practised")
        return int(event["step"]), Measured(float(event["forgotten"]), learnt, float(event["balance"]))
    except (ValueError, KeyError, TypeError):
        return None
