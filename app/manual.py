"""The reference of all settings as text, Markdown and JSON schema: written by the schema, so it cannot go stale."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from modules.preset.knobs import Knob
from modules.preset.preset import Preset
from modules.preset.problems import all_knobs
from modules.preset.setting import Section

HEAD = """# Every setting

Written by `./start-ui.sh settings --markdown > resources/manual/settings.md`; a test says when that is due.

A setting is changed in a preset file, or for one run with `--set path=value`. In `concepts.0.path` the 0 is the first
concept, 1 the second. **expert**: rarely needed. **machine**: belongs to your computer and stays out of presets you
share. **live**: may be changed while a run is under way."""


def markdown() -> str:
    """The page of the manual."""
    return "\n".join([HEAD, *_pages("\n## {}\n", _markdown_entry)]) + "\n"


def plain() -> str:
    """The list for a terminal."""
    return "\n".join(_pages("\n{}", _plain_entry)).lstrip("\n") + "\n"


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


def _pages(heading: str, entry: Any) -> Iterator[str]:
    for section, members in groupby(all_knobs(), key=lambda knob: knob.section):
        yield heading.format(section)
        for knob in members:
            yield entry(knob)


def _markdown_entry(knob: Knob) -> str:
    marks = "".join(f" *{mark}*" for mark in _marks(knob))
    facts = f" ({'; '.join(_facts(knob))})" if _facts(knob) else ""
    return f"- **{knob.label}** `{knob.path}` = `{_default(knob)}`{marks}  \n  {knob.help}{facts}"


def _plain_entry(knob: Knob) -> str:
    marks = "".join(f" [{mark}]" for mark in _marks(knob))
    facts = f"\n      {'; '.join(_facts(knob))}" if _facts(knob) else ""
    return f"  {knob.path} = {_default(knob)}{marks}\n      {knob.label}. {knob.help}{facts}"


def _marks(knob: Knob) -> Iterator[str]:
    if knob.level == "expert":
        yield "expert"
    if knob.scope == "machine":
        yield "machine"
    if knob.live:
        yield "live"


def _facts(knob: Knob) -> list[str]:
    facts: list[str] = []
    if knob.choices:
        facts.append(f"one of {', '.join(str(choice) for choice in knob.choices)}")
    if knob.limits:
        facts.append(knob.limits)
    if knob.when:
        values = " or ".join(str(value).lower() for value in knob.when.values)
        facts.append(f"only with {knob.when.path} = {values}")
    return facts


def _default(knob: Knob) -> str:
    value = knob.default
    if isinstance(value, tuple):
        entries: tuple[Any, ...] = value
        return f"{len(entries)} of its kind" if entries else "none"
    assert not isinstance(value, Section)
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    return f"{text} {knob.unit}".strip() if text else '""'
