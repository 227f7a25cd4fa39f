"""Which program wrote a file, told by what is in it and never by its name; and what its settings come to here."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from modules.errors import UserError
from modules.exchange import diffusion_pipe, header, invoke
from modules.exchange.ai_toolkit import job as ai_toolkit
from modules.exchange.imported import Imported, flattened
from modules.exchange.kohya import arguments as kohya
from modules.exchange.kohya import command_line, musubi
from modules.exchange.kohya import window as kohya_gui
from modules.exchange.onetrainer import configuration as onetrainer
from modules.exchange.simpletuner import arguments as simpletuner
from modules.exchange.simpletuner import data as simpletuner_data
from modules.exchange.yaml_file import parse_yaml
from modules.preset.files.jsonfile import MAX_DEPTH, STRING, parse_object
from modules.preset.files.text_file import NotText, decoded
from modules.preset.paths import Values
from modules.system.reading import UnusableFile, open_file, read_bytes

MOST = 5_000_000  # bytes of a file of settings


def refuse_foreign(path: Path) -> None:
    """Say how another program's file is imported, where a preset is expected; what cannot be read is others' to say.

    Raises:
        UserError: it is another program's.
    """
    try:
        found = foreign(path)
    except (OSError, UserError):
        return
    if found:
        raise UserError("import.foreign", file=path, program=found.program)


def foreign(path: Path) -> Imported | None:
    """The settings of another program in a file, or in the header of a model; None where it is no such file.

    Raises:
        UserError: it cannot be read, or is a model without settings in its header.
    """
    if _is_weights(path):
        return header.read(path)
    try:
        text = decoded(read_bytes(path, MOST)).text
    except (OSError, NotText):
        return None
    return foreign_text(text, str(path), path.absolute().parent)


def foreign_text(text: str, where: str, folder: Path | None = None) -> Imported | None:
    """The same in a text.

    Raises:
        UserError: it is meant as another program's YAML, and is damaged or asks for code.
    """
    try:
        values = parse_object(text, where) if text.lstrip("\ufeff \t\r\n").startswith("{") else {}
        ours = "version" in values or isinstance(values.get("model"), dict)
        return None if ours else read_text(text, where, folder)
    except UserError as error:
        if error.problem.code.startswith("import.yaml"):
            raise
        return None


def read(path: Path) -> Imported:
    """The settings in a file of another program, or in the header of a model.

    Raises:
        UserError: it cannot be read, or nobody knows whose it is.
    """
    path = path.expanduser()
    if _is_weights(path):
        return header.read(path)
    try:
        text = decoded(read_bytes(path, MOST)).text
    except NotText as error:
        raise UserError("import.not-text", file=path) from error
    except UnusableFile:
        raise
    except (OSError, ValueError) as error:
        raise UserError(
            "import.not-readable", file=path, reason=str(getattr(error, "strerror", error)).lower()
        ) from error
    return read_text(text, str(path), path.absolute().parent)


def _is_weights(path: Path) -> bool:
    """By its first bytes: the length of a header, and a bracket."""
    try:
        with open_file(path) as file:
            start = file.read(10)
    except UnusableFile:
        raise
    except (OSError, ValueError) as error:  # a path with a zero byte, too
        reason = str(getattr(error, "strerror", "") or error).lower()
        raise UserError("import.not-readable", file=path, reason=reason) from error
    return len(start) == 10 and start[8:9] == b"{" and start[5:8] == b"\0\0\0"


def read_text(text: str, where: str, folder: Path | None = None) -> Imported:
    """The same of a text; `where`: what messages call it; `folder`: where files that it names are sought.

    Raises:
        UserError: it cannot be read, or nobody knows whose it is.
    """
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith("{"):
        return _of_object(parse_object(text, where), where, folder)
    if command_line.recognizes(text):
        return _of_command(text, folder)
    if simpletuner.recognizes_environment(text):
        return simpletuner.read(simpletuner.of_environment(text), folder)
    if start.startswith("[") and (found := _datasets(text)) is not None:
        return simpletuner.of_datasets(found)
    values = _toml(text)
    if values is None:
        values = parse_yaml(text, where)
    if values is not None:
        return _of_object(values, where, folder)
    raise UserError("import.unknown-program", file=where)


def _of_command(text: str, folder: Path | None) -> Imported:
    arguments, script = command_line.arguments_of(text), command_line.script_of(text)
    if simpletuner.recognizes(arguments):
        return simpletuner.read(arguments, folder)
    if musubi.recognizes(arguments, script):
        return musubi.read(arguments, folder, script)
    return kohya.read(arguments, folder, script=script)


def _datasets(text: str) -> list[Any] | None:
    """SimpleTuner's list of datasets; None where it is none."""
    try:
        found = None if _deep(text) else json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if simpletuner_data.recognizes(found) else None


def _of_object(values: Values, where: str, folder: Path | None) -> Imported:
    flattened(values)  # refuses what is nested without end
    plain = kohya_gui.table(values)
    for tables in (values, plain):
        if found := _by_names(tables, folder):
            return found
    raise UserError("import.unknown-program", file=where)


def _by_names(values: Values, folder: Path | None) -> Imported | None:
    """By the names that one program alone has; sd-scripts' are those that others took over, so that they come last."""
    if ai_toolkit.recognizes(values):
        return ai_toolkit.read(values, folder)
    if invoke.recognizes(values):
        return invoke.read(values)
    if diffusion_pipe.recognizes(values):
        return diffusion_pipe.read(values, folder)
    if simpletuner.recognizes(values):
        return simpletuner.read(values, folder)
    return _older(values, folder)


def _older(values: Values, folder: Path | None) -> Imported | None:
    if onetrainer.recognizes(values):
        return onetrainer.read(values, folder)
    if musubi.recognizes(values):
        return musubi.read(values, folder)
    if kohya_gui.recognizes(values):
        return kohya_gui.read(values, folder)
    return kohya.read(values, folder) if kohya.recognizes(values) else None


def _toml(text: str) -> Values | None:
    """A table, or None where it is none."""
    if text.count("[") > 200_000 or _deep(text):
        return None
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None


def _deep(text: str) -> bool:
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", STRING.sub("", text)):
        depth = max(0, depth + (1 if bracket in "[{" else -1))
        deepest = max(deepest, depth)
    return deepest > MAX_DEPTH
