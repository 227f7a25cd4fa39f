"""Which settings are in play: the setting behind a path, and whether the form shows it with the values of now.

Everything is asked of values, never of widgets: the page that holds a widget may not have been built.
"""

from __future__ import annotations

from functools import cache
from typing import cast

from app.gui.draft.tree_edit import replaced, without
from modules.catalog import FAMILIES
from modules.preset.paths import Values, get
from modules.preset.setting import When
from modules.preset.setting_info import SettingInfo, kind_of
from modules.preset.validate import UNIONS, all_settings, schema_path, setting_paths, settings_at

LISTS = ("concepts", "method.groups", "model.training_adapters", "sampling.loras", "sampling.prompts", "words")
PARTS = ("training.denoiser.", "training.text_encoder_")


def form_order(path: str) -> tuple[int, list[int]]:
    """A key that sorts settings as the pages show them, the entries of a list one after another."""
    known = schema_path(path)
    place = next((n for n, other in enumerate(setting_paths()) if other == known), -1)
    above = next((name for name in LISTS if path.startswith(f"{name}.")), "")
    numbers = [int(name) for name in path.split(".") if name.isdecimal()]
    return (setting_paths().index(above), [*numbers, place]) if above else (place, [])


def is_visible(setting: SettingInfo, values: Values, path: str = "") -> bool:
    """Whether a setting is in play. `path` is its place in a list ("concepts.3.prompt"), where it is in one."""
    path = path or setting.path
    if not _applies(path, values) or not _chosen(setting, values):
        return False
    if setting.when is None:
        return True
    if "." not in setting.when.path:  # of an entry of a list: the condition stands in the same entry
        above = path.rpartition(".")[0]
        return get(values, f"{above}.{setting.when.path}") in setting.when.values
    return get(values, setting.when.path) in setting.when.values


def is_advanced(setting: SettingInfo, values: Values) -> bool:
    """Whether it is folded away. Files of components have a switch of their own."""
    card = FAMILIES.get(str(get(values, "model.family")))
    return setting.level == "expert" and not (card and setting.path.removeprefix("model.") in card.component_names)


def active_settings(values: Values) -> Values:
    """The values without those that no form shows: what a run gets."""
    for path in setting_paths():
        if ".0." not in path and get(values, path) is not None and not is_visible_at(path, values):
            values = without(values, path)
    for path in LISTS:
        if entries := cast("list[Values] | None", get(values, path)):
            values = replaced(values, path, [_entry_in_play(path, entry) for entry in entries])
    return values


def is_visible_at(path: str, values: Values) -> bool:
    """Whether any setting of this path is in play; what is unknown to the schema is left to it to refuse."""
    settings = settings_at(path)
    return not settings or any(is_visible(setting, values, path) for setting in settings)


def _entry_in_play(above: str, entry: Values) -> Values:
    hidden = [
        name
        for name, when in _conditions(above).items()
        if entry.get(when.path, when.values[0]) not in when.values and name in entry
    ]
    return {name: value for name, value in entry.items() if name not in hidden} if hidden else entry


@cache
def _conditions(above: str) -> dict[str, When]:
    """By the name of a setting of an entry, when it is shown."""
    inside = [setting for setting in all_settings() if setting.path.startswith(f"{above}.0.")]
    return {setting.path.rpartition(".")[2]: setting.when for setting in inside if setting.when}


def _chosen(setting: SettingInfo, values: Values) -> bool:
    """Whether the method or optimizer that has this setting is the chosen one."""
    section, _, name = setting.path.partition(".")
    if section not in UNIONS or name == "kind":
        return True
    kind = get(values, f"{section}.kind")
    if setting.when is not None and setting.when.path == f"{section}.kind":
        return kind in setting.when.values
    return kind in _kinds_with(section, name.partition(".")[0])


@cache
def _kinds_with(section: str, name: str) -> frozenset[str]:
    """The methods or optimizers that have a setting of this name."""
    return frozenset(kind_of(member) for member in UNIONS[section] if name in member.model_fields)


def _applies(path: str, values: Values) -> bool:
    """What means nothing for the family is not shown; an embedding trains no component at all."""
    card = FAMILIES.get(str(get(values, "model.family")))
    if card is not None and not card.uses(schema_path(path)):
        return False
    if not path.startswith(PARTS):
        return True
    return get(values, "method.kind") != "embedding" and (card is None or path.split(".")[1] in card.trainable)
