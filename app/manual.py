"""The reference of all settings as text, Markdown and JSON schema: written by the schema, so it cannot go stale."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

from app.tool_commands import flag_of, usage
from modules.preset.preset import Preset
from modules.preset.setting import Section
from modules.preset.setting_info import SettingInfo, knobs
from modules.preset.validate import all_settings
from modules.tools import TOOLS

HEAD = """# Every setting

Written by `./start-ui.sh settings --markdown > resources/manual/settings.md`; a test says when that is due.

A setting is changed in a preset file, or for one run with `--set path=value`. In `concepts.0.path` the 0 is the first
concept, 1 the second. **expert**: rarely needed. **machine**: belongs to your computer and stays out of presets you
share. **live**: may be changed while a run is under way."""


def markdown() -> str:
    """The page of the manual."""
    return "\n".join([HEAD, *_by_section("\n## {}\n", _markdown_entry)]) + "\n"


TOOLS_HEAD = """# The tools

Written by `./start-ui.sh tools --markdown > resources/manual/tools.md`; a test says when that is due.

What can be done beside training. Each tool is a card of the page Tools and a command; `--help` after the command says
the same as this page. What stands in capitals must be given."""


def tools_markdown() -> str:
    """The manual's page of tools."""
    return "\n".join([TOOLS_HEAD, *_tools("\n## {title}\n\n{help}\n\n    ./start-ui.sh {usage}\n", _tool_entry)]) + "\n"


def tools_plain() -> str:
    """The list of tools for a terminal."""
    return "".join(f"  {usage(tool)}\n      {tool.title}. {tool.help}\n" for tool in TOOLS.values())


def _tools(heading: str, entry: Callable[[SettingInfo], str]) -> Iterator[str]:
    for tool in TOOLS.values():
        yield heading.format(title=tool.title, help=tool.help, usage=usage(tool))
        yield from map(entry, knobs(tool.settings))


def _tool_entry(setting: SettingInfo) -> str:
    facts = [*_constraints(setting), f"as a rule {_default_text(setting)}" if _says_more(setting) else ""]
    known = f" ({'; '.join(filter(None, facts))})" if any(facts) else ""
    return f"- **{setting.label}** `{flag_of(setting)}`  \n  {setting.help}{known}"


def _says_more(setting: SettingInfo) -> bool:
    return not setting.required and not isinstance(setting.default, tuple | bool) and setting.default != ""


def plain_text() -> str:
    """The list for a terminal."""
    return "\n".join(_by_section("\n{}", _plain_entry)).lstrip("\n") + "\n"


def schema() -> dict[str, Any]:
    """The JSON schema of preset files, with our own keys: unit, level, scope, widget, when, live."""
    found = Preset.model_json_schema()
    found["properties"]["kind"] = {
        "enum": ["preset", "project"],
        "default": "preset",
        "description": "A project also holds the settings of this machine and the concepts.",
    }
    found["required"] = ["version"]
    return found


def _by_section(heading: str, entry: Any) -> Iterator[str]:
    for section, members in groupby(all_settings(), key=lambda setting: setting.section):
        yield heading.format(section)
        for setting in members:
            yield entry(setting)


def _markdown_entry(setting: SettingInfo) -> str:
    marks = "".join(f" *{mark}*" for mark in _marks(setting))
    facts = f" ({'; '.join(_constraints(setting))})" if _constraints(setting) else ""
    return f"- **{setting.label}** `{setting.path}` = `{_default_text(setting)}`{marks}  \n  {setting.help}{facts}"


def _plain_entry(setting: SettingInfo) -> str:
    marks = "".join(f" [{mark}]" for mark in _marks(setting))
    facts = f"\n      {'; '.join(_constraints(setting))}" if _constraints(setting) else ""
    return f"  {setting.path} = {_default_text(setting)}{marks}\n      {setting.label}. {setting.help}{facts}"


def _marks(setting: SettingInfo) -> Iterator[str]:
    if setting.level == "expert":
        yield "expert"
    if setting.scope == "machine":
        yield "machine"
    if setting.live:
        yield "live"


def _constraints(setting: SettingInfo) -> list[str]:
    facts: list[str] = []
    if setting.choices:
        facts.append(f"one of {', '.join(str(choice) for choice in setting.choices)}")
    if setting.limits:
        facts.append(setting.limits)
    if setting.when:
        values = " or ".join(str(value).lower() for value in setting.when.values)
        facts.append(f"only with {setting.when.path} = {values}")
    return facts


def _default_text(setting: SettingInfo) -> str:
    value = setting.default
    if isinstance(value, tuple):
        entries: tuple[Any, ...] = value
        return f"{len(entries)} of its kind" if entries else "none"
    assert not isinstance(value, Section)
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    return f"{text} {setting.unit}".strip() if text else '""'
