"""What a preset changes when it is loaded, and how much it would change: "these 8 settings"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from app.gui.draft.labels import breadcrumb, page_of, value_text
from app.gui.draft.tree_edit import replaced
from app.gui.draft.visibility import is_visible
from modules.preset.files.changes import Changes
from modules.preset.files.store import MODELS
from modules.preset.paths import Values, get
from modules.preset.preset import Preset
from modules.preset.validate import all_settings, setting_at, setting_paths, settings_at
from modules.system.bundled import is_bundled


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting that differs, in the words of the window. "" where a side does not have it."""

    path: str
    label: str
    old: str
    new: str


def with_preset_values(values: Values, preset: Values) -> Values:
    """The values with a preset loaded: its recipe, and the machine settings and concepts that are there.

    Two exceptions, so that a preset can be tried with a click. The images that came with Seachange come with the preset
    that names them, as long as no folder of the user's is in the list, and leave with any other preset. And where a
    preset names no model, because its writer's was a file at home, the model that is chosen stays, if it is of the same
    kind.
    """
    new = preset
    for setting in all_settings():
        if setting.scope == "machine" and ".0." not in setting.path:
            new = replaced(new, setting.path, get(values, setting.path))
    all_mine, theirs = _concepts(values), _concepts(preset)
    mine = [concept for concept in all_mine if not is_bundled(str(concept["path"]))]
    if mine or not theirs:
        new = replaced(new, "concepts", all_mine if theirs else mine)
    if get(values, "model.family") == get(preset, "model.family"):
        for path in MODELS:
            if not get(preset, path):
                new = replaced(new, path, get(values, path))
    return new


def _concepts(values: Values) -> list[Values]:
    return cast("list[Values]", get(values, "concepts") or [])


def differences(old: Values, new: Values) -> list[Difference]:
    """What a person would see change: settings of the recipe that are in play on one side and differ.

    A list (the prompts, the concepts) counts as one. Machine settings are not compared.
    """
    found: list[Difference] = []
    same = {name for name, section in old.items() if section == new.get(name)}
    for path in setting_paths():
        if page_of(path) in same or ".0." in path:
            continue
        before, after = get(old, path), get(new, path)
        if before == after:
            continue
        old_words, new_words = _words(path, old, before), _words(path, new, after)
        if old_words != new_words:
            found.append(Difference(path, breadcrumb(path, new), old_words, new_words))
    return found


def rows_of(changes: Changes, old: Preset, new: Preset) -> list[Difference]:
    """Changes between two presets in the words of the window; what is in play on neither side is left out."""
    before, after = (preset.model_dump(mode="json") for preset in (old, new))
    found = [
        Difference(path, breadcrumb(path, after), *(_side(path, values, value) for values, value in pairs))
        for path, (one, other) in changes.items()
        if (pairs := ((before, one), (after, other)))
    ]
    return [each for each in found if each.old or each.new]


def _side(path: str, values: Values, value: Any) -> str:
    """One side of a change: of an entry in a list ("concepts.0.repeats"), or of a setting."""
    if not any(name.isdecimal() for name in path.split(".")):
        return _words(path, values, get(values, path))
    setting = setting_at(path, values)
    return value_text(setting, value) if setting and is_visible(setting, values, path) else ""


def _words(path: str, values: Values, value: Any) -> str:
    """The value in words; "" where the setting is not in play."""
    setting = next(
        (setting for setting in settings_at(path) if setting.scope == "recipe" and is_visible(setting, values)), None
    )
    if setting is None:
        return ""
    if isinstance(value, list) and value:
        entries = cast("list[Values]", value)
        return f"{value_text(setting, entries)}: {', '.join(_name(path, entry) for entry in entries)}"
    return value_text(setting, value)


def _name(path: str, entry: Values) -> str:
    if path == "concepts":
        return str(entry["name"] or entry["path"])
    return str(entry["prompt"] if path == "sampling.prompts" else entry["token"])
