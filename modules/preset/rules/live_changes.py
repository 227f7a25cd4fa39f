"""What may come while a run is under way: changes of the few live settings, and prompts of the moment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from modules.errors import Problems, UserError
from modules.preset.paths import put
from modules.preset.preset import Preset
from modules.preset.rules.rules import conflicts
from modules.preset.sections.sampling import Prompt
from modules.preset.validate import all_settings, closest_path, examine, preset_of, setting_at
from modules.sentences.problem import Problem, problem


def with_live_change(preset: Preset, path: str, value: Any) -> Preset:
    """A copy of the preset with one live setting changed.

    Raises:
        UserError: there is no such setting, it cannot change during a run, or the value is wrong.
    """
    setting = setting_at(path)
    if setting is None:
        near = closest_path(path)
        unknown = problem("change.unknown-near", setting=path, near=near)
        raise UserError(unknown if near else problem("change.unknown", setting=path))
    if not setting.live:
        live = [setting.path for setting in all_settings() if setting.live]
        raise UserError(problem("change.not-live", path, live=live))
    values = preset.model_dump(mode="json")
    put(values, path, value)
    return preset_of(values)


def prompt_of(values: Any, family: str = "") -> Prompt:
    """A prompt that no preset holds, from its settings, for a model of a family; "": where that is not known.

    Raises:
        Problems: everything that is wrong with them.
    """
    here = "sampling.prompts.0"
    model = {"model": {"family": family}} if family else {}
    preset, wrong = examine({"version": Preset.VERSION, "sampling": {"prompts": [values]}, **model})
    found = [*wrong.values(), *(each for each in conflicts(preset) if each.path.startswith(f"{here}."))]
    if found:
        raise Problems(Problem("prompt.wrong"), [_of_prompt(each, here) for each in found])
    return preset.sampling.prompts[0]


def _of_prompt(found: Problem, here: str) -> Problem:
    """The problem of a prompt that is in no list: its settings are called by their names alone."""

    def name(path: str) -> str:
        return "" if path == here else path.removeprefix(f"{here}.")

    values = {key: name(value) if isinstance(value, str) else value for key, value in found.values.items()}
    return replace(found, path=name(found.path), also=[name(path) for path in found.also], values=values)
