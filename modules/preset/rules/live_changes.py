"""What may come while a run is under way: changes of the few live settings, and prompts of the moment."""

from __future__ import annotations

from typing import Any

from modules.errors import Problems, UserError
from modules.preset.paths import put
from modules.preset.preset import Preset
from modules.preset.rules.rules import conflicts
from modules.preset.sections.sampling import Prompt
from modules.preset.validate import all_settings, closest_path, examine, preset_of, setting_at


def with_live_change(preset: Preset, path: str, value: Any) -> Preset:
    """A copy of the preset with one live setting changed.

    Raises:
        UserError: there is no such setting, it cannot change during a run, or the value is wrong.
    """
    setting = setting_at(path)
    if setting is None:
        near = closest_path(path)
        raise UserError(f"There is no setting {path}.", advice=f"Did you mean {near}?" if near else "")
    if not setting.live:
        live = ", ".join(setting.path for setting in all_settings() if setting.live)
        raise UserError(f"{path} cannot change while a run is under way.", advice=f"These can: {live}.")
    values = preset.model_dump(mode="json")
    put(values, path, value)
    return preset_of(values)


def prompt_of(values: Any) -> Prompt:
    """A prompt that no preset holds, from its settings.

    Raises:
        Problems: everything that is wrong with them.
    """
    here = "sampling.prompts.0"
    preset, wrong = examine({"version": Preset.VERSION, "sampling": {"prompts": [values]}})
    found = [*wrong.values(), *(clash for clash in conflicts(preset) if here in clash)]
    if found:
        raise Problems(
            "This cannot be drawn:", [said.replace(f"{here}.", "").replace(here, "prompt") for said in found]
        )
    return preset.sampling.prompts[0]
