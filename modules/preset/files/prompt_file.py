"""Files of prompts in kohya's notation: a line each (.txt), or tables (.toml, .json).

A line is `prompt --n negative --w 512 --h 768 --d 42 --s 28 --l 7 --ss euler_a`; # begins a comment.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from modules.errors import Problems, UserError
from modules.preset.paths import Values
from modules.preset.sections.sampling import sampler_named

MAX_BYTES = 4_000_000


@dataclass(frozen=True)
class Option:
    """One of kohya's options: its name in tables, the setting it stands for, and how its text is read."""

    name: str
    setting: str
    read: Callable[[str], Any] = str


def _whole(text: str) -> int:
    return int(float(text))


OPTIONS: dict[str, Option] = {
    "n": Option("negative_prompt", "negative"),
    "w": Option("width", "width", _whole),
    "h": Option("height", "height", _whole),
    "d": Option("seed", "seed", _whole),
    "s": Option("sample_steps", "steps", _whole),
    "l": Option("scale", "guidance", float),
    "ss": Option("sample_sampler", "sampler"),
    # Of A1111's own files of prompts, where people put such lines, too
    "negative_prompt": Option("negative_prompt", "negative"),
    "steps": Option("sample_steps", "steps", _whole),
    "cfg_scale": Option("scale", "guidance", float),
    "seed": Option("seed", "seed", _whole),
    "width": Option("width", "width", _whole),
    "height": Option("height", "height", _whole),
    "sampler_name": Option("sample_sampler", "sampler"),
}
# What kohya's tools know and this program has no such models for: flux guidance, ControlNet, Lumina, flow shift.
OTHER_MODELS = {"g", "cn", "ctr", "rcfg", "fs", "am"}


@dataclass
class PromptFile:
    """The prompts of a file, and what of it could not be used, in words."""

    prompts: list[Values] = field(default_factory=list[Values])
    notes: list[str] = field(default_factory=list[str])


def read_prompts(path: Path) -> PromptFile:
    """The prompts of a file; each holds only what the file says of it.

    Raises:
        UserError: it cannot be read, or holds nothing to draw.
        Problems: values that are none, each with its place.
    """
    text = _text(path)
    entries = _tables(path, text) if path.suffix.lower() in (".toml", ".json") else _lines(text)
    found, problems = PromptFile(), list[str]()
    for where, entry in entries:
        _add_prompt(found, problems, where, entry)
    if problems:
        raise Problems(f"{path}: these prompts cannot be used:", problems)
    if not found.prompts:
        raise UserError(f"{path} holds no prompts.", advice="Write one on each line.")
    return found


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path} is too large for a file of prompts.", advice="Choose the right file.")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8.", advice="Save it as UTF-8.") from error


# Lines ----------------------------------------------------------------------------------------------------------------


def _lines(text: str) -> Iterator[tuple[str, Values]]:
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()  # noqa: PLW2901
        if line and not line.startswith("#"):
            yield f"line {number}", _parsed_line(line)


def _parsed_line(line: str) -> Values:
    words, *rest = re.split(r"(?:^|\s)--(?=[A-Za-z_]+(?:\s|$))", line)
    entry: Values = {"prompt": words.strip()}
    for part in rest:
        key, _, value = part.strip().partition(" ")
        if key.lower() == "prompt":  # A1111 names it, too
            entry["prompt"] = value.strip().strip('"')
        else:
            entry[key.lower()] = value.strip().strip('"')
    return entry


# Tables ---------------------------------------------------------------------------------------------------------------


def _tables(path: Path, text: str) -> Iterator[tuple[str, Values]]:
    try:
        held: Any = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: {error}.", advice="Correct it, or use a .txt file.") from error
    shared: Values = {}
    if isinstance(held, dict):  # kohya's TOML: [prompt] holds what all share, [[prompt.subset]] each of them
        table = cast("Values", held).get("prompt", held)
        table = cast("Values", table) if isinstance(table, dict) else cast("Values", held)
        shared = {key: value for key, value in table.items() if key != "subset"}
        held = table.get("subset", [{}] if "prompt" in shared else [])
    if not isinstance(held, list):
        raise UserError(f"{path} is no list of prompts.", advice="Put them into square brackets.")
    for number, entry in enumerate(cast("list[Any]", held), 1):
        own: Values = {"prompt": entry} if isinstance(entry, str) else entry if isinstance(entry, dict) else {}
        yield f"prompt {number}", {**shared, **own}


# Both -----------------------------------------------------------------------------------------------------------------


def _add_prompt(found: PromptFile, problems: list[str], where: str, entry: Values) -> None:
    prompt: Values = {"prompt": str(entry.get("prompt", ""))}
    tables = {option.name: option for option in OPTIONS.values()}
    for key, value in entry.items():
        option = OPTIONS.get(key) or tables.get(key)
        if option is not None:
            _set(prompt, problems, f"{where}, {key}", option, str(value))
        elif key not in {"prompt", "enum"}:
            why = "is for other models" if key in OTHER_MODELS else "is not known"
            found.notes.append(f"{where}: --{key} {why} and is left out.")
    if prompt["prompt"] or len(prompt) > 1:
        found.prompts.append(prompt)


def _set(prompt: Values, problems: list[str], where: str, option: Option, text: str) -> None:
    if option.setting == "sampler":
        named = sampler_named(text)
        if named is None:
            problems.append(f'{where}: no sampler is called "{text}".')
        else:
            prompt |= named
        return
    try:
        value = option.read(text)
    except (ValueError, OverflowError):
        problems.append(f"{where}: {text} is no number.")
        return
    sized = option.setting in ("width", "height")
    prompt[option.setting] = max(64, value - value % 8) if sized and value else value
