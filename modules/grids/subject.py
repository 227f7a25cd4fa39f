"""What a grid is about: a run with its settings and models, or a base model alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from modules.errors import UserError
from modules.grids.measured import RunNumbers, numbers_of
from modules.grids.run_models import RunModel, at_each_step, models_of, nearest, usual_steps
from modules.preset.files.absolute_paths import with_absolute_paths
from modules.preset.preset import Preset
from modules.preset.rules.rules import validate
from modules.run_folders import is_run, recorded_preset


@dataclass(frozen=True)
class Picked:
    """The model of one step; `path` None is the base model."""

    step: int
    path: Path | None = None
    average: bool = False
    saved: bool = False
    backup: bool = False


BASE = Picked(0)


class Subject:
    """A run, or with `run` None a model without one. What is read of its folder is read once."""

    def __init__(self, run: Path | None, preset: Preset, *, average: bool = True) -> None:
        self.run, self.preset, self._average = run, preset, average

    @cached_property
    def models(self) -> list[RunModel]:
        return models_of(self.run) if self.run else []

    @cached_property
    def numbers(self) -> RunNumbers:
        return numbers_of(self.run) if self.run else RunNumbers({})

    def picked(self, value: str, *, near: bool = False) -> Picked:
        """What a value of an axis of steps means. `near`: where the run has no such step, the one next to it.

        Raises:
            UserError: there is no such step or file.
        """
        word, _, rest = value.strip().partition(" ")
        if word == "base":
            return BASE
        if word in ("last", "best"):
            return self._named(word)
        if word.isdecimal() and rest in ("", "ema", "live"):
            return self._at(int(word), rest, near=near)
        file = Path(value.strip()).expanduser()
        if file.exists():
            return Picked(-1, file.absolute(), saved=True)
        raise UserError("grid.no-step", value=value, steps=[*map(str, sorted(self._by_step(self._average)))])

    def spelled_out(self, values: Sequence[str]) -> list[str]:
        """Values of an axis of steps, each with one meaning: "all", "usual" and their like become steps."""
        found: list[str] = []
        for value in values:
            lists = {"all": ("saved", "best", "backup"), "saves": ("saved",), "backups": ("backup",)}
            if value == "usual":
                found += self._usual()
            elif kinds := lists.get(value):
                found += [str(step) for step in sorted({m.step for m in self.models if m.kind in kinds})]
            else:
                found.append(value)
        return list(dict.fromkeys(found))

    def _usual(self) -> list[str]:
        """Base, five steps in a geometric row, the last; and the best, where it is known and not among them."""
        steps = usual_steps(self._by_step(self._average))
        best = self._best()
        with_best = {*steps, *([best.step] if best and best.step > 0 else [])}
        return ["base", *map(str, sorted(with_best))]

    def _by_step(self, average: bool) -> dict[int, RunModel]:
        return at_each_step(self.models, average=average)

    def _at(self, step: int, which: str, *, near: bool) -> Picked:
        known = self._by_step(which == "ema" or (not which and self._average))
        if step not in known and not near:
            raise UserError("grid.no-step", value=str(step), steps=[*map(str, sorted(known))])
        return self._pick(nearest(known, step), which)

    def _pick(self, model: RunModel, which: str = "") -> Picked:
        """A backup has both sets of weights; of a saved model, its file has one."""
        average = self.preset.training.ema and (which == "ema" or (not which and self._average))
        backup = model.kind == "backup"
        return Picked(model.step, model.path, average and backup, saved=not backup, backup=backup)

    def _named(self, word: str) -> Picked:
        if word == "last":
            known = self._by_step(self._average)
            return self._pick(nearest(known, max(known, default=0)))
        best = self._best()
        if best is None:
            raise UserError("grid.no-best")
        return best

    def _best(self) -> Picked | None:
        """By the balance of learnt and forgotten, where that was measured; else by validation."""
        known = self._by_step(self._average)
        if self.numbers.best_step > 0 and known:
            return self._pick(nearest(known, self.numbers.best_step))
        kept = [model for model in self.models if model.kind == "best"]
        return self._pick(kept[-1]) if kept else None


def subject_of(run: str, model: str, *, average: bool = True) -> Subject:
    """The run in a folder, or a base model; with both, the run on another base.

    Raises:
        UserError: neither is given, the folder is no run, or its settings cannot be read.
    """
    if not run and not model:
        raise UserError("grid.nothing", "run")
    folder = Path(run).expanduser().absolute() if run else None
    preset = _recorded(folder) if folder else validate({"model": {"source": model}}, trains=False)
    if model:
        preset = preset.model_copy(update={"model": preset.model.model_copy(update={"source": model})})
    return Subject(folder, with_absolute_paths(preset), average=average)


def _recorded(folder: Path) -> Preset:
    if not is_run(folder):
        raise UserError("resume.no-run", "run", folder=str(folder))
    preset = recorded_preset(folder)
    if preset is None:
        raise UserError("grid.no-settings", "run", folder=str(folder))
    return preset
