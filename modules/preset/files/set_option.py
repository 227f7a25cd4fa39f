"""Single values laid over a preset: `--set training.batch_size=4`, as the command line says it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Literal, cast, get_origin

from modules.errors import Problems
from modules.preset.paths import Values, get, put
from modules.preset.setting_info import SettingInfo, kind_of
from modules.preset.validate import UNIONS, setting_at, unknown_setting
from modules.sentences.problem import Problem, problem


def apply_overrides(values: Values, settings: Sequence[str]) -> Values:
    """A copy of the values with "path=value" settings over them. Choosing another method drops the former's settings.

    Raises:
        Problems: a setting without "=", or whose path no preset has.
    """
    values, problems = apply_valid_overrides(values, settings)
    if problems:
        raise Problems(Problem("options.wrong"), problems)
    return values


def apply_valid_overrides(values: Values, settings: Sequence[str]) -> tuple[Values, list[Problem]]:
    """As `apply_overrides`, but with what is wrong beside the values: to be told together with whatever else is."""
    values, problems = deepcopy(values), list[Problem]()
    for setting in sorted(settings, key=_kinds_first):
        path, equals, text = setting.partition("=")
        path = path.strip()
        info = setting_at(path)
        if not equals:
            problems.append(problem("option.no-value", option=setting))
        elif info is None:
            problems.append(unknown_setting(path, values))
        elif not _put(values, path, parsed_value(info, text)):
            problems.append(problem("option.no-entry", path[:60]))
    return values, problems


def _kinds_first(setting: str) -> bool:
    # False sorts first: "method.rank=8" and "method.kind=lora" may be given in either order.
    return setting.partition("=")[0].strip() not in {f"{name}.kind" for name in UNIONS}


def _put(values: Values, path: str, value: Any) -> bool:
    name = path.partition(".")[0]
    if name in UNIONS and path == f"{name}.kind":
        _select_kind(values, name, value)
    try:
        put(values, path, value)
    except KeyError:
        return False
    return True


def _select_kind(values: Values, name: str, kind: str) -> None:
    """Leave only the settings that the other method or optimizer has too."""
    member = next((member for member in UNIONS[name] if kind_of(member) == kind), None)
    inside = get(values, name)
    if member and isinstance(inside, dict):
        held = cast("Values", inside)
        values[name] = {key: value for key, value in held.items() if key in member.model_fields}


def parsed_value(info: SettingInfo, text: str) -> Any:
    """Text where the setting holds text; else what JSON reads, or the text, which the schema then refuses in words."""
    if info.kind is str or get_origin(info.kind) is Literal:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # the latter of thousands of brackets
        return text
