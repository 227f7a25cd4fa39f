"""The tools on the command line: each row of the table is a command, each setting of its section a flag."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from app import preset_options, prompt_options
from app.flags import add_flag, flag, metavar, typed_value
from modules.errors import Problems
from modules.messages import RunTool
from modules.preset.paths import Values, put
from modules.preset.setting_info import SettingInfo, settings_of
from modules.preset.validate import CANNOT_BE_USED, examine_section
from modules.tools import Tool

IMAGES = "samples"  # the folder of images for which no other is named, where one stands


class Flags(NamedTuple):
    """How a setting that is more than a value stands on the command line."""

    usage: str
    add: Callable[[argparse.ArgumentParser], None]
    read: Callable[..., Any]  # gets the options, and the preset if one was read before


# What the schema's `widget` asks for by name.
FLAGS = {
    "preset": Flags("PRESET", preset_options.add_preset, preset_options.preset_values),
    "preset or model": Flags("PRESET|MODEL", preset_options.add_preset_or_model, preset_options.preset_or_model_values),
    "prompts": Flags('--prompt "..."', prompt_options.add_prompts, prompt_options.prompts_of),
}


def usage(tool: Tool) -> str:
    """The command with what must be given: "convert MODEL OUT"."""
    required = [flag_of(setting) for setting in settings_of(tool.settings) if setting.required]
    return " ".join([tool.name, *(required or ["[OPTIONS]"])])


def flag_of(setting: SettingInfo) -> str:
    """How a setting is written on the command line."""
    own = FLAGS.get(setting.widget)
    return own.usage if own else metavar(setting) if setting.required else flag(setting)


def add_tool(command: argparse.ArgumentParser, tool: Tool) -> None:
    """The flags of a tool."""
    for setting in settings_of(tool.settings):
        if own := FLAGS.get(setting.widget):
            own.add(command)
        else:
            add_flag(command, setting)


def message_of(tool: Tool, options: argparse.Namespace) -> RunTool:
    """The message to the engine that the options make.

    Raises:
        UserError: a setting cannot be used.
    """
    values: Values = {}
    for setting in settings_of(tool.settings):
        value = _value(setting, options, values)
        if value is not None:
            put(values, setting.path, value)
    if tool.result == "images" and not values.get("out"):
        values["out"] = str(Path(IMAGES).absolute())
    settings, wrong = examine_section(tool.settings, values)
    if settings is None:
        raise Problems(CANNOT_BE_USED, list(wrong.values()))
    return RunTool(tool.name, settings.model_dump(mode="json"))


def _value(setting: SettingInfo, options: argparse.Namespace, values: Values) -> Any:
    own = FLAGS.get(setting.widget)
    if own is None:
        return typed_value(options, setting)
    return own.read(options, values["preset"]) if "preset" in values else own.read(options)
