"""A setting as a flag of the command line: its name, its help with limits and default, and the value that was typed."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any, cast

from modules.preset.files.lora_strength import file_and_strength, with_strength
from modules.preset.files.set_option import parsed_value
from modules.preset.setting_info import SettingInfo
from modules.system.bundled import is_bundled

MOST_CHOICES = 8  # that stand in the line of usage; the help and the refusal of a wrong one name more
METAVARS = {
    "file": "FILE",
    "files": "FILE",
    "loras": "FILE[:STRENGTH]",
    "models": "MODEL[:STEP]",
    "folder": "DIR",
    "images": "PATH",
    "save": "OUT",
    "model": "MODEL",
}
Parser = argparse.ArgumentParser | argparse._ArgumentGroup  # pyright: ignore[reportPrivateUsage]  it has no other name


def add_flag(parser: Parser, setting: SettingInfo) -> None:
    """The flag of a setting; one that must be given stands without a flag. What is not typed is None."""
    text = help_of(setting).replace("%", "%%")
    name = flag(setting)
    if setting.required:
        parser.add_argument(setting.path, metavar=metavar(setting), help=text)
    elif setting.kind is bool:
        both = argparse.BooleanOptionalAction if setting.default else "store_true"
        parser.add_argument(name, dest=setting.path, action=both, default=None, help=text)
    elif isinstance(setting.default, tuple):
        again = f"{text} May be repeated."
        parser.add_argument(name, dest=setting.path, action="append", metavar=metavar(setting), help=again)
    elif 0 < len(setting.choices) <= MOST_CHOICES:
        parser.add_argument(name, dest=setting.path, choices=setting.choices, help=text)
    else:
        parser.add_argument(name, dest=setting.path, metavar=metavar(setting), help=text)


def flag(setting: SettingInfo) -> str:
    return f"--{(setting.flag or setting.path).replace('_', '-').replace('.', '-')}"


def metavar(setting: SettingInfo) -> str:
    """What stands for the value in the line of usage: the name of one that must be given."""
    if setting.required:
        return setting.path.upper()
    return METAVARS.get(setting.widget, {int: "N", float: "N"}.get(setting.kind, "TEXT"))


def typed_value(options: argparse.Namespace, setting: SettingInfo) -> Any:
    """What was typed for a setting, paths in full; None if nothing was."""
    typed = getattr(options, setting.path)
    if isinstance(typed, list):
        return [_in_full(text, setting) for text in cast("list[str]", typed)]
    return parsed_value(setting, _in_full(typed, setting)) if isinstance(typed, str) else typed


def help_of(setting: SettingInfo) -> str:
    """The help of a setting with its limits and its default."""
    known = "; ".join(filter(None, [setting.limits, _default_words(setting)]))
    return f"{setting.help} ({known})" if known else setting.help


def _default_words(setting: SettingInfo) -> str:
    if setting.zero and setting.default == 0:
        return setting.zero
    if isinstance(setting.default, float):
        return f"{setting.default:g}"
    return str(setting.default) if isinstance(setting.default, str | int) and setting.default is not False else ""


def _in_full(text: str, setting: SettingInfo) -> str:
    if setting.widget in ("save", "folder"):
        return str(Path(text).expanduser().absolute())
    if setting.widget == "models" and (step := re.fullmatch(r"(.+)(:\d+)", text)):
        return f"{absolute_if_exists(step[1])}{step[2]}"
    if setting.widget == "loras":
        file, strength = file_and_strength(text)
        return with_strength(absolute_if_exists(file), strength)
    return absolute_if_exists(text) if setting.widget in METAVARS else text


def absolute_if_exists(name: str) -> str:
    """A file or folder as an absolute path; a hub name, a bundled reference, or what is not there, as it is."""
    path = Path(name).expanduser()
    return str(path.absolute()) if not is_bundled(name) and path.exists() else name
