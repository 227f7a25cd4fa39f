"""From what a person types to a value that the schema accepts, and back: one setting at a time, errors in words."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, cast

from app.gui.draft.labels import number_text
from app.gui.draft.problem_labels import WORDS
from modules.preset.paths import Values, get, put
from modules.preset.preset import Preset
from modules.preset.setting_info import SettingInfo
from modules.preset.validate import UNIONS, examine, schema_path
from modules.sentences.problem import Problem

DECIMAL_COMMA = re.compile(r"([+-]?\d*),(\d+)((?:[eE][+-]?\d+)?)")


@dataclass(frozen=True, slots=True)
class InvalidInput:
    """What stands in an entry and cannot be used, and why. The values keep the last good one."""

    text: str
    error: str


def read(setting: SettingInfo, text: str) -> Any:
    """The value that a text means for this setting; the text itself where it means none, which `judged` then refuses.

    Text settings take the text as it is. A number may be written as 1e-4 or 0,5. Nothing is 0 where 0 stands
    for something.
    """
    if setting.kind is str or not isinstance(setting.kind, type):
        return next((choice for choice in setting.choices if str(choice) == text), text)
    words = text.strip() or ("0" if setting.zero else "")
    if setting.kind is bool:
        return {"on": True, "true": True, "off": False, "false": False}.get(words.lower(), text)
    try:
        number = float(_with_point(words))
    except ValueError:
        return text
    if setting.kind is int:
        whole = words.lstrip("+-").isdecimal()
        return int(words) if whole else int(number) if number.is_integer() and abs(number) < 1e15 else number
    return number


def _with_point(words: str) -> str:
    """0,0005 as many languages write it; not 1,000, which is a thousand to others."""
    found = DECIMAL_COMMA.fullmatch(words)
    if found is None or (len(found[2]) == 3 and found[1].strip("+-0")):
        return words
    return f"{found[1]}.{found[2]}{found[3]}"


def written(value: Any) -> str:
    """A value as an entry shows it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return number_text(value) if isinstance(value, float) else "" if value is None else str(value)


def judged(path: str, value: Any, values: Values, typed: str | None = None) -> tuple[Any, str]:
    """The value in the form that the schema keeps ("50 step" becomes "50 steps"), and what is wrong with it, or "".

    `typed` is what stands in the entry: the sentence then speaks of that.
    """
    alone, place = _alone(path, value, values)
    preset, wrong = examine(alone)
    if wrong:
        return value, _why(value, next(iter(wrong.values())), typed)
    return get(preset.model_dump(mode="json"), place), ""


def _why(value: Any, wrong: Problem, typed: str | None) -> str:
    text = str(value) if typed is None else typed.strip()
    if not text:
        return WORDS.what(Problem("value.empty"))
    # A person typed no quotes: `"4x" is not a number` reads as if they belonged to it.
    shown = f"“{text}”" if isinstance(value, str) else text
    return WORDS.sentence(replace(wrong, values={**wrong.values, "value": shown}))


def _alone(path: str, value: Any, values: Values) -> tuple[Values, str]:
    """Nothing but this one value, so that judging it takes as long with ten thousand concepts as with none."""
    alone: Values = {"version": Preset.VERSION}
    section = path.partition(".")[0]
    if section in UNIONS:
        alone[section] = {"kind": cast("Values", values[section])["kind"]}
    place = schema_path(path)
    put(alone, place, value)
    return alone, place
