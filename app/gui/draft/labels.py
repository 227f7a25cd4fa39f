"""Settings in the words of the window: "Training > Batch size" for `training.batch_size`, "on" for true."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from app.gui.draft.choice_labels import choice_label
from modules.language import plural, tr
from modules.preset.paths import Values
from modules.preset.setting_info import SettingInfo
from modules.preset.validate import setting_at
from modules.system.bundled import SCHEME

ARROW = " \u203a "
SINGULAR = {"batches": "batch", "times an epoch": "time an epoch", "images an epoch": "image an epoch"}
COUNTED = {
    "concept": ("1 concept", "{count} concepts"),
    "prompt": ("1 prompt", "{count} prompts"),
    "word": ("1 embedding", "{count} embeddings"),
    "entry": ("1 entry", "{count} entries"),
}
NAMES = {"concepts": "concept", "prompts": "prompt", "words": "word"}


def page_of(path: str) -> str:
    """The page that a setting stands on, by the name of its section: "training"."""
    return path.partition(".")[0]


def breadcrumb(path: str, values: Values | None = None) -> str:
    """Where a setting is found: "Training > Text encoder > Train", "Concepts > concept 2 > Random flip"."""
    setting = setting_at(path, values)
    names = path.split(".")
    words = [tr(names[0].capitalize())]
    for above, name in pairwise(names):
        if name.isdecimal():
            words.append(f"{tr(NAMES.get(above, above))} {int(name) + 1}")
    if setting and len(names) == 3 and not names[1].isdecimal():
        words.append(_part(names[1], setting))
    words.append(tr(setting.label) if setting else names[-1])
    return ARROW.join(dict.fromkeys(words))  # "Schedule", and not "Schedule > Schedule"


def _part(name: str, setting: SettingInfo) -> str:
    return f"{tr(setting.section)} {name[-1]}" if name[-1:].isdecimal() else tr(setting.section)


def value_text(setting: SettingInfo, value: Any) -> str:
    """A value as the form shows it: "on", "0.0001", "4 prompts", "empty"."""
    if isinstance(value, bool):
        return tr("on") if value else tr("off")
    if value is None or value == "":
        return tr("empty")
    if isinstance(value, list | tuple):
        count = len(value)  # pyright: ignore[reportUnknownArgumentType]
        name = NAMES.get(setting.path.rpartition(".")[2], "entry")
        return plural(count, *COUNTED[name])
    if setting.choices:
        return choice_label(setting.path, value)
    if setting.zero and value == 0:
        return tr(setting.zero)
    return _amount_text(setting, value)


def _amount_text(setting: SettingInfo, value: Any) -> str:
    """A number or a text with its unit; an interval has its own: "50 steps", "never"."""
    if setting.widget in ("interval", "warmup", "share") and isinstance(value, str):
        amount, _, unit = value.rpartition(" ")
        unit = {"auto": "automatic"}.get(unit, unit)
        return f"{amount} {tr(unit)}".strip()
    text = number_text(value) if isinstance(value, float) else str(value)
    unit = SINGULAR.get(setting.unit, setting.unit.removesuffix("s")) if value == 1 else setting.unit
    return f"{text} {tr(unit)}" if unit else text


def number_text(value: float) -> str:
    """A number as a person writes it: 0.0001 and not 1e-04, but 1e-08."""
    if value == 0 or 1e-5 <= abs(value) < 1e15:
        text = f"{value:.10f}".rstrip("0").rstrip(".")
        return text if float(text) == value else repr(value)
    return re.sub(r"e([+-])0*(\d)", lambda match: f"e{match[1].strip('+')}{match[2]}", repr(value))


def title_of(concept: Values) -> str:
    """What a concept is called: its name, else that of its folder."""
    path = str(concept["path"])
    folder = path.removeprefix(SCHEME).capitalize() if path.startswith(SCHEME) else Path(path).name
    return str(concept["name"]) or folder or tr("New concept")
