"""Reading JSON that a stranger wrote: bounded, exact, and refused in words."""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections import Counter
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn, cast

from modules.errors import Problems, UserError, printable, system_error
from modules.preset.paths import Values

MAX_BYTES = 5_000_000
MAX_DEPTH = 50
STRING = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)', re.DOTALL)  # one without end is sought only once


def read_object(path: Path) -> Values:
    """The object in a JSON file.

    Raises:
        UserError: no such file, too large, no UTF-8, or as `parse_object`.
    """
    return parse_object(_text(path), path)


def parse_object(text: str, path: Path | str) -> Values:
    """The object in a text; `path` says in messages where it stands.

    Raises:
        UserError: no JSON (with line and column), no object, nested too deeply, or a key twice, or a number that is
            none.
    """
    if _depth(text) > MAX_DEPTH:
        raise UserError(f"{path} is nested more than {MAX_DEPTH} levels deep.", advice="That is no file of settings.")
    twice: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> Values:
        if len(found := dict(pairs)) < len(pairs):
            twice.extend(sorted(name for name, times in Counter(name for name, _ in pairs).items() if times > 1))
        return found

    try:
        values = json.loads(
            text,
            object_pairs_hook=members,
            parse_constant=_refuse_number,
            parse_float=_finite_float,
            parse_int=_bounded_int,
        )
        json.dumps(values, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path} is no valid JSON: {error.msg.lower()} in line {error.lineno}, column {error.colno}.",
            advice="Mend that place: a comma or a quote is often missing just before it.",
        ) from error
    except UnicodeEncodeError as error:
        raise UserError(f"{path} holds half of a character (\\ud800 to \\udfff alone).", advice="Mend it.") from error
    if twice:
        raise Problems(f"{path}: settings that stand there twice:", [f"{name}: keep one of them." for name in twice])
    if not isinstance(values, dict):
        raise UserError(f"{path} holds no settings.", advice="A preset begins with { and ends with }.")
    return cast("Values", values)


def _text(path: Path) -> str:
    about = _stat(path)
    if stat.S_ISDIR(about.st_mode):
        raise UserError(f"{path} is a folder.", advice="Name a preset or project file (.json) in it.")
    if not stat.S_ISREG(about.st_mode):  # reading a pipe or a device may never end
        raise UserError(f"{path} is no file, but a pipe or a device.", advice="Name a preset or project file (.json).")
    if about.st_size > MAX_BYTES:
        raise UserError(
            f"{path} is larger than {MAX_BYTES // 1_000_000} MB.", advice="That is no preset. Was another file meant?"
        )
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is no text in UTF-8 (byte {error.start}).", advice="Save it as UTF-8 in your editor."
        ) from error
    except PermissionError as error:
        raise UserError(f"{path} may not be read.", advice="Check the permissions of the file.") from error


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"There is no file {printable(path, line=True)}.", advice=_similar_files(path)) from error
    except PermissionError as error:
        raise UserError(f"{path} may not be read.", advice="Check the permissions of its folder.") from error
    except OSError as error:  # a name of 300 letters, links in a circle
        raise system_error(error) or UserError(f"{path} cannot be used: {error}.") from error
    except ValueError as error:
        raise UserError(f"There is no file {printable(path, line=True)}.", advice="Check the path.") from error


def _similar_files(path: Path) -> str:
    if not path.parent.is_dir():
        return f"There is no folder {path.parent} either."
    names = sorted(file.name for file in path.parent.glob("*.json"))
    near = get_close_matches(path.name, names, 3, 0.4) or names[:5]
    return f"In that folder there are: {', '.join(near)}." if near else "That folder holds no preset."


def _depth(text: str) -> int:
    """How deeply brackets are nested, counted before the parser sees them."""
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _refuse_number(word: str) -> NoReturn:
    raise UserError(f"A preset holds {word}, which is no number.", advice="Write a finite number in its place.")


def _finite_float(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_number(text)


def _bounded_int(text: str) -> int:
    return int(text) if len(text) <= 30 else _refuse_number(f"{text[:10]}... with {len(text)} digits")
