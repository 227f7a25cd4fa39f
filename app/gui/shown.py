"""Which settings are in play: the setting behind a path, and whether the form shows it with the values of now.

Everything is asked of values, never of widgets: the page that holds a widget may not have been built.
"""

from __future__ import annotations

from functools import cache
from typing import cast

from app.gui.change import replaced, without
from modules.catalog import FAMILIES
from modules.preset.knobs import Knob
from modules.preset.paths import Values, get
from modules.preset.problems import UNIONS, all_knobs, knobs_at
from modules.preset.setting import When

LISTS = ("concepts", "method.groups", "sampling.loras", "sampling.prompts", "words")
PARTS = ("training.denoiser.", "training.text_encoder_")


def schema_path(path: str) -> str:
    """The path that stands for all entries of a list: "concepts.0.flip" for "concepts.7.flip"."""
    return ".".join("0" if name.isdecimal() else name for name in path.split("."))


def in_order(path: str) -> tuple[int, list[int]]:
    """A key that sorts settings as the pages show them, the entries of a list one after another."""
    known = schema_path(path)
    place = next((n for n, other in enumerate(_paths()) if other == known), -1)
    above = next((name for name in LISTS if path.startswith(f"{name}.")), "")
    numbers = [int(name) for name in path.split(".") if name.isdecimal()]
    return (_paths().index(above), [*numbers, place]) if above else (place, [])


def shows(knob: Knob, values: Values, path: str = "") -> bool:
    """Whether a setting is in play. `path` is its place in a list ("concepts.3.prompt"), where it is in one."""
    path = path or knob.path
    if not _applies(path, values) or not _chosen(knob, values):
        return False
    if knob.when is None:
        return True
    if "." not in knob.when.path:  # of an entry of a list: the condition stands in the same entry
        above = path.rpartition(".")[0]
        return get(values, f"{above}.{knob.when.path}") in knob.when.values
    return get(values, knob.when.path) in knob.when.values


def in_play(values: Values) -> Values:
    """The values without those that no form shows: what a run gets."""
    for path in _paths():
        if ".0." not in path and get(values, path) is not None and not shown_at(path, values):
            values = without(values, path)
    for path in LISTS:
        if entries := cast("list[Values] | None", get(values, path)):
            values = replaced(values, path, [_entry_in_play(path, entry) for entry in entries])
    return values


def shown_at(path: str, values: Values) -> bool:
    """Whether any setting of this path is in play; what is unknown to the schema is left to it to refuse."""
    knobs = knobs_at(path)
    return not knobs or any(shows(knob, values, path) for knob in knobs)


def _entry_in_play(above: str, entry: Values) -> Values:
    hidden = [
        name
        for name, when in _conditions(above).items()
        if entry.get(when.path, when.values[0]) not in when.values and name in entry
    ]
    return {name: value for name, value in entry.items() if name not in hidden} if hidden else entry


@cache
def _paths() -> tuple[str, ...]:
    return tuple(dict.fromkeys(knob.path for knob in all_knobs()))


@cache
def _conditions(above: str) -> dict[str, When]:
    """By the name of a setting of an entry, when it is shown."""
    inside = [knob for knob in all_knobs() if knob.path.startswith(f"{above}.0.")]
    return {knob.path.rpartition(".")[2]: knob.when for knob in inside if knob.when}


def _chosen(knob: Knob, values: Values) -> bool:
    """Whether the method or optimizer that has this setting is the chosen one."""
    section, _, name = knob.path.partition(".")
    if section not in UNIONS or name == "kind":
        return True
    kind = get(values, f"{section}.kind")
    name = name.partition(".")[0]
    owners = [member for member in UNIONS[section] if name in member.model_fields]
    if knob.when is not None and knob.when.path == f"{section}.kind":
        return kind in knob.when.values
    return kind in [member.model_fields["kind"].default for member in owners]


def _applies(path: str, values: Values) -> bool:
    """Parts that the model does not have are not trained, and an embedding trains no part at all."""
    if not path.startswith(PARTS):
        return True
    part = path.split(".")[1]
    card = FAMILIES.get(str(get(values, "model.family")))
    return get(values, "method.kind") != "embedding" and (
        part == "denoiser" or card is None or part in card.text_encoders
    )
