"""Files of prompts in kohya's notation: a line each (.txt), or tables (.toml, .json).

A line is `prompt --n negative --w 512 --h 768 --d 42 --s 28 --l 7 --ss euler_a`; # begins a comment. `--w=512`,
`-w 512` and the long dash that text editors make of `--` are taken for the same.
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
from modules.preset.files.text_file import NotText, decoded
from modules.preset.paths import Values
from modules.preset.sections.sampling import sampler_named
from modules.sentences.problem import Problem, problem
from modules.system.reading import read_bytes

OPTION = re.compile(r"(?:^|(?<=\s))(--|[-\u2013\u2014])([A-Za-z_]+)(?:[\s=]|$)")
NUMBER = re.compile(r"\s*\d[\d.]*(\s|$)")


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
    "g": Option("guidance_scale", "distilled_guidance", float),
    "fs": Option("flow_shift", "flow_shift", float),
    # Of A1111's own files of prompts, where people put such lines, too
    "negative_prompt": Option("negative_prompt", "negative"),
    "steps": Option("sample_steps", "steps", _whole),
    "cfg_scale": Option("scale", "guidance", float),
    "seed": Option("seed", "seed", _whole),
    "width": Option("width", "width", _whole),
    "height": Option("height", "height", _whole),
    "sampler_name": Option("sample_sampler", "sampler"),
}
# What kohya's tools know and this program has no such models for: ControlNet, Lumina.
OTHER_MODELS = {"cn", "ctr", "rcfg", "am"}


@dataclass
class PromptFile:
    """The prompts of a file, and what of it could not be used."""

    prompts: list[Values] = field(default_factory=list[Values])
    notes: list[Problem] = field(default_factory=list[Problem])


def read_prompts(path: Path, size_step: int = 8) -> PromptFile:
    """The prompts of a file; each holds only what the file says of it. Sides are rounded down to multiples of a step.

    Raises:
        UserError: it cannot be read, or holds nothing to draw.
        Problems: values that are none, each with its place.
    """
    text = text_of(path)
    entries = _tables(path, text) if path.suffix.lower() in (".toml", ".json") else _lines(text)
    found, problems = PromptFile(), list[Problem]()
    for where, entry in entries:
        _add_prompt(found, problems, where, entry, size_step)
    if problems:
        raise Problems(problem("prompts.wrong", file=str(path)), problems)
    if not found.prompts:
        raise UserError(problem("prompts.none", file=str(path)))
    return found


def prompts_of(text: str, size_step: int = 8) -> list[Values]:
    """The prompts of lines of text; what of a line cannot be used is left out."""
    found = PromptFile()
    for where, entry in _lines(text):
        _add_prompt(found, [], where, entry, size_step)
    return found.prompts


def text_of(path: Path) -> str:
    """What stands in a text file.

    Raises:
        UserError: it cannot be read, or is no text.
    """
    try:
        return decoded(read_bytes(path)).text
    except UserError:
        raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(problem("prompts.not-readable", file=str(path), reason=reason)) from error
    except NotText as error:
        raise UserError(problem("file.not-text", file=str(path), byte=error.place)) from error


# Lines ----------------------------------------------------------------------------------------------------------------


def _lines(text: str) -> Iterator[tuple[str, Values]]:
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()  # noqa: PLW2901
        if line and not line.startswith("#"):
            yield f"line {number}", _parsed_line(line)


def _parsed_line(line: str) -> Values:
    found = [match for match in OPTION.finditer(line) if match[1] != "-" or _is_number_option(match, line)]
    starts = [match.start() for match in found] + [len(line)]
    entry: Values = {"prompt": line[: starts[0]].strip()}
    for match, end in zip(found, starts[1:], strict=True):  # A1111 names the prompt, too
        entry[match[2].lower()] = line[match.end() : end].strip().strip('"')
    left = [match[0].strip() for match in OPTION.finditer(entry["prompt"])]
    return entry | {word: "" for word in left if word[1:].lower() in OPTIONS}


def _is_number_option(match: re.Match[str], line: str) -> bool:
    """One dash may belong to the prompt ("rock -n roll"), unless a size or a number of steps follows it."""
    option = OPTIONS.get(match[2].lower())
    return option is not None and option.read is not str and bool(NUMBER.match(line, match.end()))


# Tables ---------------------------------------------------------------------------------------------------------------


def _tables(path: Path, text: str) -> Iterator[tuple[str, Values]]:
    try:
        held: Any = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(problem("prompts.damaged", file=str(path), reason=str(error))) from error
    shared: Values = {}
    if isinstance(held, dict):  # kohya's TOML: [prompt] holds what all share, [[prompt.subset]] each of them
        table = cast("Values", held).get("prompt", held)
        table = cast("Values", table) if isinstance(table, dict) else cast("Values", held)
        shared = {key: value for key, value in table.items() if key != "subset"}
        held = table.get("subset", [{}] if "prompt" in shared else [])
    if not isinstance(held, list):
        raise UserError(problem("prompts.no-list", file=str(path)))
    for number, entry in enumerate(cast("list[Any]", held), 1):
        own: Values = {"prompt": entry} if isinstance(entry, str) else entry if isinstance(entry, dict) else {}
        yield f"prompt {number}", {**shared, **own}


# Both -----------------------------------------------------------------------------------------------------------------


def _add_prompt(found: PromptFile, problems: list[Problem], where: str, entry: Values, size_step: int) -> None:
    prompt: Values = {"prompt": str(entry.get("prompt", ""))}
    tables = {option.name: option for option in OPTIONS.values()}
    for key, value in entry.items():
        option = OPTIONS.get(key) or tables.get(key)
        if option is not None:
            _set(prompt, problems, f"{where}, {key}", option, str(value))
        elif key not in {"prompt", "enum"}:
            code = "prompts.other-model" if key in OTHER_MODELS else "prompts.unknown-option"
            code = "prompts.one-dash" if key.startswith("-") else code
            found.notes.append(problem(code, where=where, option=key))
    for side in ("width", "height"):
        if prompt.get(side):
            prompt[side] = max(64, prompt[side] - prompt[side] % size_step)
    if prompt["prompt"] or len(prompt) > 1:
        found.prompts.append(prompt)


def _set(prompt: Values, problems: list[Problem], where: str, option: Option, text: str) -> None:
    if option.setting == "sampler":
        named = sampler_named(text)
        if named is None:
            problems.append(problem("prompts.no-sampler", where=where, name=text))
        else:
            prompt |= named
        return
    try:
        prompt[option.setting] = option.read(text)
    except (ValueError, OverflowError):
        problems.append(problem("prompts.no-number", where=where, text=text))
