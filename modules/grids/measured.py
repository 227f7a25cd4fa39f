"""What a run has measured of forgetting and learning, by step, out of its events; and which step was best."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules.system.reading import open_file

KIND = b'"Retention"'


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
