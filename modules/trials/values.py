"""Settings of which several values are tried: which can be, and what is wrong with a value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_origin

from modules.errors import Problems, UserError
from modules.preset.files.set_option import apply_valid_overrides, parsed_value
from modules.preset.paths import Values, get
from modules.preset.rules.rules import conflicts
from modules.preset.setting_info import SettingInfo
from modules.preset.validate import examine, setting_at, unknown_setting
from modules.sentences.problem import Problem, problem

AMOUNTS = ("interval", "warmup", "share")  # texts that are a number and its unit
NUMBERS = (int, float)


@dataclass(frozen=True, slots=True)
class Tried:
    """A setting and the values that are tried of it, in their order, each once."""

    path: str
    values: tuple[Any, ...]


def can_be_tried(setting: SettingInfo) -> bool:
    """Whether values of it can be compared: a number, a switch or a choice of the recipe."""
    of_recipe = setting.scope == "recipe" and setting.entry is None
    return of_recipe and (
        setting.kind in (*NUMBERS, bool)
        or get_origin(setting.kind) is Literal
        or bool(setting.choices)
        or setting.widget in AMOUNTS
    )


def tried_of(option: str, values: Values) -> Tried:
    """What "training.learning_rate=5e-5,1e-4" asks for.

    Raises:
        UserError: there is no such setting, it cannot be tried, or no value stands there.
    """
    path, _, text = option.partition("=")
    path = path.strip()
    setting = setting_at(path, values)
    if setting is None:
        raise UserError(unknown_setting(path, values))
    if not can_be_tried(setting):
        raise UserError(problem("trials.no-values", path))
    found = [parsed_value(setting, part.strip()) for part in text.split(",") if part.strip()]
    if not found:
        raise UserError(problem("trials.none", path, option=option))
    return Tried(path, unique(found))


def unique(values: Sequence[Any]) -> tuple[Any, ...]:
    """Each value once, where it stands first; 1 and 1.0 are one, true and 1 are two."""
    seen: dict[tuple[bool, Any], Any] = {}
    for value in values:
        seen.setdefault((isinstance(value, bool), value), value)
    return tuple(seen.values())


def with_value(values: Values, path: str, value: Any) -> tuple[Values, list[Problem]]:
    """The values with another one at this path; choosing a method or optimizer drops what the other has not."""
    text = value if isinstance(value, str) else json.dumps(value)
    return apply_valid_overrides(values, [f"{path}={text}"])


def wrong_value(values: Values, path: str, value: Any) -> Problem | None:
    """What speaks against a value, beside what is wrong with the settings as they are; None: nothing."""
    changed, wrong = with_value(values, path, value)
    if wrong:
        return wrong[0]
    preset, found = examine(changed)
    if mine := [each for each in found.values() if path in each.paths or each.path == path]:
        return mine[0]
    known = {(each.code, each.path) for each in conflicts(examine(values)[0])}
    return next((each for each in conflicts(preset) if (each.code, each.path) not in known), None)


def check(values: Values, tried: Sequence[Tried]) -> None:
    """Raises: Problems: with each value that cannot be used."""
    if found := list(_wrong(values, tried)):
        raise Problems(Problem("trials.wrong"), found)


def _wrong(values: Values, tried: Sequence[Tried]) -> Iterator[Problem]:
    for each in tried:
        for value in each.values:
            if found := wrong_value(values, each.path, value):
                yield found


def short(value: Any) -> str:
    """A value in as few letters as can be: "5e-5", "8", "on"."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if not isinstance(value, float):
        return str(value)
    text = f"{value:.10g}"
    if value and abs(value) < 0.01:
        digits, _, exponent = f"{value:.9e}".partition("e")
        text = f"{digits.rstrip('0').rstrip('.')}e{int(exponent)}"
    return text if float(text) == value else repr(value)


def current(values: Values, path: str) -> Any:
    """What stands there now; the default where nothing does."""
    found = get(values, path)
    setting = setting_at(path, values)
    return setting.default if found is None and setting is not None else found
