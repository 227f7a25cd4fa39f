"""The runs of a trial: one for each combination of values, or for each value alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from modules.preset.files.naming import folder_name
from modules.preset.paths import Values, put
from modules.preset.preset import Preset
from modules.preset.validate import examine, setting_at
from modules.trials.values import Tried, check, current, short, with_value

MANY = 24  # of more runs it is asked whether they are meant
STEPS, SEED = "training.steps", "general.seed"
Afterwards = Literal["both", "samples", "retention", "neither"]


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried, and how."""

    name: str  # before the values, in the name of each run
    tried: Sequence[Tried]
    one_by_one: bool = False  # each value alone beside the current settings; else all combinations
    steps: int = 0  # of each run; 0: as the settings say
    same_seed: bool = True
    afterwards: Afterwards | None = None  # what is made at the end of a run; None: as the settings say


@dataclass(frozen=True, slots=True)
class TriedRun:
    """One run: what it tries, by path, and the values of its preset."""

    name: str
    changes: dict[str, Any]
    values: Values


def runs_of(values: Values, trial: Trial) -> list[TriedRun]:
    """The runs, in the order in which the values stand.

    Raises:
        Problems: a value cannot be used.
    """
    check(values, trial.tried)
    return [_run(values, trial, number, changes) for number, changes in enumerate(changes_of(values, trial))]


def changes_of(values: Values, trial: Trial) -> list[dict[str, Any]]:
    """What each run tries. Two that would be the same are one."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for changes in _one_by_one(values, trial.tried) if trial.one_by_one else _combined(trial.tried):
        found.setdefault(tuple(changes.values()), changes)
    return list(found.values())


def _combined(tried: Sequence[Tried]) -> Iterator[dict[str, Any]]:
    for picked in itertools.product(*(each.values for each in tried)):
        yield {each.path: value for each, value in zip(tried, picked, strict=True)}


def _one_by_one(values: Values, tried: Sequence[Tried]) -> Iterator[dict[str, Any]]:
    now = {each.path: current(values, each.path) for each in tried}
    for each in tried:
        for value in each.values:
            yield {**now, each.path: value}


def _run(values: Values, trial: Trial, number: int, changes: dict[str, Any]) -> TriedRun:
    made = values
    for path, value in sorted(changes.items(), key=lambda pair: not pair[0].endswith(".kind")):
        made, _ = with_value(made, path, value)  # it was looked at before
    made, _ = with_value(made, "general.name", name_of(trial.name, changes, values))
    if trial.steps and STEPS not in changes:
        put(made, STEPS, trial.steps)
    if not trial.same_seed and SEED not in changes:
        put(made, SEED, int(current(values, SEED)) + number)
    if trial.afterwards:
        put(made, "sampling.last", trial.afterwards in ("both", "samples"))
        put(made, "examine.enabled", trial.afterwards in ("both", "retention"))
    return TriedRun(name_of(trial.name, changes, values), changes, made)


def name_of(name: str, changes: dict[str, Any], values: Values) -> str:
    """What a run is called: "Blip rates, learning rate 5e-5, rank 8"; cut where it is too long for a folder."""
    tried = (f"{_label(path, values).lower()} {short(value)}" for path, value in changes.items())
    return folder_name(", ".join([name, *tried]))


def _label(path: str, values: Values) -> str:
    setting = setting_at(path, values)
    return setting.label if setting else path


def steps_of(values: Values) -> int:
    """Of a run with these values; 0 where they count in epochs."""
    preset: Preset = examine(values)[0]
    return preset.training.steps
