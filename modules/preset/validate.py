"""What is wrong with the values of a preset: every wrong value and unknown key at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from difflib import SequenceMatcher, get_close_matches
from functools import cache, lru_cache
from typing import Any, TypeVar, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from modules.catalog import most_text_encoders
from modules.errors import BadValue, Problems
from modules.preset.paths import Values, get
from modules.preset.preset import Preset
from modules.preset.setting import Section
from modules.preset.setting_info import SettingInfo, kind_of, limits_problem, sections_in, settings_of
from modules.sentences.printable import printable
from modules.sentences.problem import Problem, problem
from modules.sentences.render import MAX_LISTED

MAX_PATH_LENGTH = 100  # characters; no setting's is half as long
CANNOT_BE_USED = Problem("preset.wrong")
S = TypeVar("S", bound=Section)
UNIONS = {
    name: members for name, field in Preset.model_fields.items() if len(members := sections_in(field.annotation)) > 1
}


def preset_of(values: Values) -> Preset:
    """The preset that these values describe; what they leave out has its default.

    Raises:
        Problems: with everything that is wrong.
    """
    preset, found = examine(values)
    if found:
        raise Problems(CANNOT_BE_USED, list(found.values()))
    return preset


def examine(values: Values) -> tuple[Preset, dict[str, Problem]]:
    """The preset with every wrong value left at its default, and what is wrong, by path."""
    values = _with_kinds(values)
    found: dict[str, Problem] = {}
    if undecodable := _undecodable_texts(values):  # file names of Linux may be any bytes, a preset holds only text
        found = {path: problem("value.not-utf8", printable(path, line=True)) for path in undecodable}
        values = _without(values, undecodable)
    for _ in range(3):  # pydantic reports all of one layer; dropping a wrong value can show what stood behind it
        try:
            return _validated(values), found
        except ValidationError as error:
            details = error.errors(include_url=False)
        for detail in details:
            path = _path(detail["loc"])
            if len(found) < MAX_LISTED:  # more are only counted: a name that is like each takes time to find
                wrong = _problem(detail, path, values)
                found.setdefault(f"{path}.kind" if detail["type"] == "union_tag_invalid" else path, wrong)
            else:
                found.setdefault(path, problem("setting.wrong", path))
        values = _with_kinds(_without(values, sorted((_path(d["loc"]) for d in details), reverse=True)))
    return Preset(), found


def examine_section(section: type[S], values: Values) -> tuple[S | None, dict[str, Problem]]:
    """A section that stands in no preset, such as the settings of a tool; or None and what is wrong, by path."""
    found = {path: problem("value.not-utf8", printable(path, line=True)) for path in _undecodable_texts(values)}
    if found:
        return None, found
    try:
        return section.model_validate_json(json.dumps(values), strict=True), {}
    except ValidationError as error:
        details = error.errors(include_url=False)[:MAX_LISTED]
    known = {setting.path: setting for setting in _with_entries(section)}
    for detail in details:
        path = ".".join(map(str, detail["loc"]))
        found.setdefault(path, _value_problem(detail, path, known.get(schema_path(path))))
    return None, found


def _with_kinds(values: Values) -> Values:
    """The values with a method and an optimizer of the default's kind, where they say none."""
    usual = {name: {"kind": Preset.model_fields[name].default.kind} for name in UNIONS}
    given = {name: values[name] for name in usual if isinstance(values.get(name), dict)}
    return {**values, **{name: {**usual[name], **inside} for name, inside in given.items()}}


def _validated(values: Values) -> Preset:
    # By way of JSON, because only there does pydantic's strict mode know that a list is how a tuple is written.
    # Strict: "batch_size": true is no 1, and "5" is no 5.
    return Preset.model_validate_json(json.dumps(values), strict=True)


def _without(values: Values, paths: Iterable[str]) -> Values:
    """A copy that lacks what stands at these paths."""
    values = deepcopy(values)
    for path in paths:
        _drop(values, path)
    return values


def _drop(values: Values, path: str) -> None:
    above, _, name = path.rpartition(".")
    inside: Any = get(values, above) if above else values
    if isinstance(inside, dict):
        cast("Values", inside).pop(name, None)
    elif isinstance(inside, list):
        cast("list[Any]", inside)[int(name)] = {}  # not deleted: the entries behind it keep their numbers


def _undecodable_texts(values: Values) -> list[str]:
    """The paths of texts that UTF-8 cannot hold: halves of characters, which stand for bytes that are no text."""
    try:
        json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return list(_texts_with_halves(values))
    return []


def _texts_with_halves(values: Any, path: str = "") -> Iterator[str]:
    if isinstance(values, str):
        try:
            values.encode()
        except UnicodeEncodeError:
            yield path
        return
    inside = cast("Values", values).items() if isinstance(values, dict) else ()
    entries = enumerate(cast("list[Any]", values)) if isinstance(values, list) else inside
    for name, value in entries:
        yield from _texts_with_halves(value, f"{path}.{name}".lstrip("."))


def _path(location: Sequence[int | str]) -> str:
    names = [str(name) for name in location]
    if names and names[0] in UNIONS and len(names) > 1:
        del names[1]  # pydantic names the member of the union, a preset does not
    return ".".join(names)


def _problem(detail: ErrorDetails, path: str, values: Values) -> Problem:
    """A problem by the type of pydantic's error, never by its text."""
    kind = detail["type"]
    if kind == "extra_forbidden":
        return unknown_setting(path, values)
    if kind == "union_tag_invalid":
        kinds = [kind_of(member) for member in UNIONS[path]]
        return problem("value.choice", f"{path}.kind", value=shown_json(detail.get("ctx", {})["tag"]), choices=kinds)
    return _value_problem(detail, path, setting_at(path, values))


def _value_problem(detail: ErrorDetails, path: str, setting: SettingInfo | None) -> Problem:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return problem("value.missing", path)
    if kind == "extra_forbidden":
        return problem("setting.unknown", printable(path, line=True)[:MAX_PATH_LENGTH])
    shown = shown_json(detail["input"])
    if kind == "literal_error" and setting:
        return _no_choice(path, shown, str(detail["input"]), setting)
    if kind in LIMITS and setting:
        code = "value.out-of-range-unit" if setting.unit else "value.out-of-range"
        return problem(code, path, value=shown, limits=limits_problem(setting.bounds), unit=setting.unit)
    if kind == "value_error" and isinstance(error := context.get("error"), BadValue):
        return problem(error.code, path, value=shown, **error.values)
    lengths = {name: limit for name, limit in context.items() if isinstance(limit, int)}
    return problem(SCHEMA_ERRORS.get(kind, "value.wrong"), path, value=shown, **lengths)


def _no_choice(path: str, shown: str, text: str, setting: SettingInfo) -> Problem:
    near = get_close_matches(text, [str(choice) for choice in setting.choices], 1)
    if near:
        return problem("value.choice-near", path, value=shown, choices=list(setting.choices), near=near[0])
    return problem("value.choice", path, value=shown, choices=list(setting.choices))


LIMITS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}
SCHEMA_ERRORS = {
    "int_type": "value.int",
    "int_from_float": "value.int",
    "int_parsing_size": "value.int-too-large",
    "float_type": "value.float",
    "finite_number": "value.finite",
    "bool_type": "value.bool",
    "string_type": "value.string",
    "string_too_long": "value.string-too-long",
    "string_too_short": "value.string-too-short",
    "too_long": "value.too-long",
    "too_short": "value.too-short",
    "tuple_type": "value.list",
    "model_type": "value.section",
    "dict_type": "value.section",
    "model_attributes_type": "value.section",
}


def shown_json(value: Any) -> str:
    """A value as a file of JSON would hold it, shortened."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


# Names ----------------------------------------------------------------------------------------------------------------


def all_settings() -> tuple[SettingInfo, ...]:
    return _settings(most_text_encoders())


@cache
def _settings(encoders: int) -> tuple[SettingInfo, ...]:
    """`encoders`: text encoders that there are settings for."""
    return tuple(_with_entries(Preset))


def setting_paths(scope: str = "") -> tuple[str, ...]:
    """The paths of all settings, each once; `scope`: of those of this scope."""
    return _paths(most_text_encoders(), scope)


@cache
def _paths(encoders: int, scope: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.path for each in _settings(encoders) if scope in ("", each.scope)))


def _with_entries(section: type[Section], prefix: str = "") -> Iterator[SettingInfo]:
    """Every setting; those of the entries of a list as "concepts.0.path"."""
    for setting in settings_of(section):
        full = replace(setting, path=f"{prefix}{setting.path}")
        yield full
        if setting.entry:
            yield from _with_entries(setting.entry, f"{full.path}.0.")


@cache
def _by_path(encoders: int) -> dict[str, tuple[SettingInfo, ...]]:
    found: dict[str, tuple[SettingInfo, ...]] = {}
    for setting in _settings(encoders):
        found[setting.path] = (*found.get(setting.path, ()), setting)
    return found


def settings_at(path: str) -> tuple[SettingInfo, ...]:
    """The settings of this path: several where methods or optimizers have one each. An entry of a list is any entry."""
    return _by_path(most_text_encoders()).get(schema_path(path), ())


def setting_at(path: str, values: Values | None = None) -> SettingInfo | None:
    """The setting of this path: that of the method and the optimizer that `values` choose, or the first."""
    known = settings_at(path)
    chosen = (
        setting
        for setting in known
        if values and setting.when and get(values, setting.when.path) in setting.when.values
    )
    return next(chosen, known[0] if known else None)


@lru_cache(10_000)
def schema_path(path: str) -> str:
    """The path that stands for all entries of a list: "concepts.0.flip" for "concepts.7.flip"."""
    return ".".join("0" if name.isdecimal() else name for name in path.split("."))


def unknown_setting(path: str, values: Values) -> Problem:
    """A key that no setting has: where it belongs, or the nearest name."""
    places = [setting.when for setting in all_settings() if setting.path == schema_path(path) and setting.when]
    owners = [when for when in places if when.path.partition(".")[0] in UNIONS and when.path.endswith(".kind")]
    if owners:
        asked = owners[0].path
        kinds = [kind for when in owners for kind in when.values]
        return problem("setting.of-another-kind", path, asked, owner=asked, kinds=kinds, kind=get(values, asked))
    near = closest_path(path) if len(path) <= MAX_PATH_LENGTH else ""
    shown = printable(path if len(path) <= MAX_PATH_LENGTH else f"{path[:MAX_PATH_LENGTH]}...", line=True)
    return problem("setting.unknown-near", shown, near=near) if near else problem("setting.unknown", shown)


def closest_path(path: str) -> str:
    """The known path that is most like this one, or "" where none is."""
    best = max(all_settings(), key=lambda setting: _similarity(path, setting.path))
    return best.path if _similarity(path, best.path) >= 0.75 else ""


def _similarity(path: str, known: str) -> float:
    section, _, name = path.rpartition(".")
    known_section, _, known_name = known.rpartition(".")
    initials = "".join(word[0] for word in known_name.split("_"))
    alike = 0.9 if len(name) > 1 and name == initials else SequenceMatcher(None, name, known_name).ratio()
    whole = SequenceMatcher(None, path, known).ratio()
    return max(whole, alike + 0.1 * (section == known_section) * alike)
