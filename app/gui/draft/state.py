"""A state of the whole project while it is edited, and everything that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from app.gui.draft.labels import page_of
from app.gui.draft.parsing import InvalidInput
from app.gui.draft.problem_labels import lines_by_path
from app.gui.draft.visibility import active_settings, is_visible, is_visible_at
from modules.catalog import FAMILIES
from modules.preset.files.store import MODELS
from modules.preset.paths import Values, get
from modules.preset.preset import Preset
from modules.preset.rules.rules import conflicts, missing_settings
from modules.preset.validate import UNIONS, all_settings, examine, setting_at
from modules.sentences.problem import Problem
from modules.system.hub import missing_model

Kept = Mapping[tuple[str, str], Values]  # settings of the methods and optimizers that were chosen before


def values_of(preset: Preset) -> Values:
    """Every value of a preset, as a draft holds them."""
    return preset.model_dump(mode="json")


@dataclass(frozen=True)
class Baseline:
    """The preset that changes are counted against."""

    name: str
    values: Values


@dataclass(frozen=True)
class DraftState:
    """All that undo brings back. What follows from it is worked out once, when it is first asked for."""

    values: Values
    base: Baseline
    bad: Mapping[str, InvalidInput] = field(default_factory=dict[str, InvalidInput])
    kept: Kept = field(default_factory=dict[tuple[str, str], Values])
    wrong_files: Mapping[str, Problem] = field(default_factory=dict[str, Problem])  # of the model, as far as read

    @cached_property
    def frozen(self) -> Values:
        return active_settings(self.values)

    @cached_property
    def errors(self) -> dict[str, str]:
        found = {path: bad.error for path, bad in self.bad.items() if is_visible_at(path, self.values)}
        preset, wrong = self._examined
        problems = [*wrong.values(), *self.conflicts, *missing_settings(preset), *self.missing_models]
        problems += [each for path, each in self.wrong_files.items() if is_visible_at(path, self.values)]
        for path, text in lines_by_path(problems).items():
            found[path] = f"{found[path]}\n{text}" if path in found else text
        return found

    @cached_property
    def conflicts(self) -> list[Problem]:
        """Settings that contradict one another."""
        return conflicts(self._examined[0])

    @cached_property
    def _examined(self) -> tuple[Preset, dict[str, Problem]]:
        return examine(self.frozen)

    @cached_property
    def missing_models(self) -> list[Problem]:
        """Models that are not where their settings say. The only thing here that hangs on files."""
        named = ((path, str(get(self.values, path))) for path in MODELS)
        card = FAMILIES[str(get(self.values, "model.family"))]
        given = ((path, name) for path, name in named if name and not card.omits(path.removeprefix("model."), name))
        found = ((path, missing_model(name)) for path, name in given)
        return [replace(missing, path=path) for path, missing in found if missing]

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """Settings of the recipe that are in play and differ; a list counts as one, concepts belong to no preset."""
        recipe = [setting for setting in all_settings() if ".0." not in setting.path and setting.path != "concepts"]
        return tuple(
            setting.path
            for setting in recipe
            if setting.scope == "recipe"
            and is_visible(setting, self.values)
            and get(self.values, setting.path) != self.original(setting.path)
        )

    def original(self, path: str) -> Any:
        """The value that the arrow of a row brings back: the preset's, or the default where presets say nothing."""
        setting = setting_at(path, self.values)
        if setting is None or setting.path == "concepts":
            return get(self.values, path)
        section = page_of(path)
        other = section in UNIONS and get(self.base.values, f"{section}.kind") != get(self.values, f"{section}.kind")
        of_preset = setting.scope == "recipe" and section != "concepts" and not (other and not path.endswith(".kind"))
        value = get(self.base.values, path) if of_preset else None
        return setting.default if value is None else value
