"""What a run has left that can be drawn with: saved models and backups, by step."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from modules.errors import UserError
from modules.preset.files.jsonfile import read_object
from modules.run_folders import all_backups, step_of

MODELS = "models.json"  # in the folder of a run: which models it has written, with their steps
AT_STEP = re.compile(r"-step-(\d{8,})")
BEST, AVERAGE = re.compile(r"-best(?: \d+)?$"), re.compile(r"-ema(?: \d+)?$")
USUAL = 5  # steps between base and last


@dataclass(frozen=True)
class RunModel:
    """A model of one step."""

    step: int
    path: Path
    kind: Literal["saved", "best", "backup"]
    average: bool = False  # the file beside another one that holds the moving average


def models_of(run: Path) -> list[RunModel]:
    """What is there of a run, by step: saved models before the backup of the same step."""
    saved = [model for name, step in _recorded(run).items() if (model := _saved(run / name, step)) is not None]
    known = {model.path for model in saved}
    others = [path for path in _files(run / "models") if path not in known and AT_STEP.search(path.name)]
    saved += [model for path in others if (model := _saved(path, _named_step(path))) is not None]
    backups = [RunModel(step_of(path), path, "backup") for path in all_backups(run / "backups") if _is_backup(path)]
    order = {"saved": 0, "best": 1, "backup": 2}
    return sorted([*saved, *backups], key=lambda model: (model.step, order[model.kind], model.average, model.path.name))


def at_each_step(models: Iterable[RunModel], *, average: bool) -> dict[int, RunModel]:
    """One model for each step: a saved one if there is any, with the moving average or without it, as asked."""
    found: dict[int, RunModel] = {}
    for model in models:
        held = found.get(model.step)
        better = held is not None and average and model.average and held.kind == "saved"
        if (held is None and (average or not model.average)) or better:
            found[model.step] = model
    return found


def usual_steps(steps: Iterable[int]) -> list[int]:
    """Five steps in a geometric row, and the last: forgetting comes first, so that early ones stand close."""
    known = sorted(step for step in set(steps) if step > 0)
    if len(known) <= USUAL + 1:
        return known
    first, last = known[0], known[-1]
    ideal = [first * (last / first) ** (n / USUAL) for n in range(USUAL)]
    chosen = [min(known, key=lambda step, wanted=wanted: abs(step - wanted)) for wanted in ideal]
    return sorted({*chosen, last})


def nearest(models: dict[int, RunModel], step: int) -> RunModel:
    """The model of a step, or of the step next to it.

    Raises:
        UserError: the run has none at all.
    """
    if not models:
        raise UserError("grid.no-models")
    return models[min(models, key=lambda known: (abs(known - step), known))]


def _recorded(run: Path) -> dict[str, int]:
    """The models that a run wrote, by name, with their steps."""
    try:
        entries = read_object(run / MODELS)
    except UserError:  # written by an older version, or nothing was saved yet
        return {}
    steps = {name: cast("dict[str, Any]", entry).get("step") for name, entry in entries.items() if _is_dict(entry)}
    return {name: step for name, step in steps.items() if isinstance(step, int)}


def _is_dict(value: object) -> bool:
    return isinstance(value, dict)


def _saved(path: Path, step: int) -> RunModel | None:
    """None for what is no longer there."""
    if not path.exists():
        return None
    stem = path.name.removesuffix(".safetensors")
    return RunModel(step, path, "best" if BEST.search(stem) else "saved", average=bool(AVERAGE.search(stem)))


def _named_step(path: Path) -> int:
    match = AT_STEP.search(path.name)
    return int(match[1]) if match else 0


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*")) if folder.is_dir() else []


def _is_backup(path: Path) -> bool:
    return (path / "manifest.json").is_file()
