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

from modules.errors import Problems, UserError, system_error
from modules.preset.files.text_file import NotText, decoded
from modules.preset.paths import Values
from modules.sentences.printable import printable
from modules.sentences.problem import Problem, problem

MAX_BYTES = 5_000_000
MAX_DEPTH = 50
STRING = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)', re.DOTALL)  # one without end is sought only once


def read_object(path: Path) -> Values:
    """The object in a JSON file.

    Raises:
        UserError: no such file, too large, no text, or as `parse_object`.
    """
    return parse_object(_text(path), path)


def parse_object(text: str, path: Path | str) -> Values:
    """The object in a text; `path` says in messages where it stands.

    Raises:
        UserError: no JSON (with line and column), no object, nested too deeply, or a key twice, or a number that is
            none.
    """
    if _depth(text) > MAX_DEPTH:
        raise UserError(problem("json.too-deep", file=str(path), most=MAX_DEPTH))
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
        reason, line, column = error.msg.lower(), error.lineno, error.colno
        wrong = problem("json.invalid", file=str(path), reason=reason, line=line, column=column)
        raise UserError(wrong) from error
    except UnicodeEncodeError as error:
        raise UserError(problem("json.half-a-character", file=str(path))) from error
    if twice:
        raise Problems(problem("json.keys-twice", file=str(path)), [problem("json.key-twice", name) for name in twice])
    if not isinstance(values, dict):
        raise UserError(problem("json.no-object", file=str(path)))
    return cast("Values", values)


def _text(path: Path) -> str:
    about = _stat(path)
    if stat.S_ISDIR(about.st_mode):
        raise UserError(problem("file.folder", file=str(path)))
    if not stat.S_ISREG(about.st_mode):  # reading a pipe or a device may never end
        raise UserError(problem("file.not-a-file", file=str(path)))
    if about.st_size > MAX_BYTES:
        raise UserError(problem("file.too-large", file=str(path), most=MAX_BYTES // 1_000_000))
    try:
        return decoded(path.read_bytes()).text
    except NotText as error:
        raise UserError(problem("file.not-text", file=str(path), byte=error.place)) from error
    except PermissionError as error:
        raise UserError(problem("file.not-readable", file=str(path))) from error


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(
            problem("file.missing", file=printable(path, line=True), advice=_similar_files(path))
        ) from error
    except PermissionError as error:
        raise UserError(problem("file.folder-not-readable", file=str(path))) from error
    except OSError as error:  # a name of 300 letters, links in a circle
        raise system_error(error) or UserError(
            problem("file.unusable", file=str(path), reason=str(error), advice="")
        ) from error
    except ValueError as error:
        shown = printable(path, line=True)
        raise UserError(problem("file.missing", file=shown, advice=Problem("file.check-path"))) from error


def _similar_files(path: Path) -> Problem:
    if not path.parent.is_dir():
        return problem("file.no-folder", folder=str(path.parent))
    names = sorted(file.name for file in path.parent.glob("*.json"))
    near = get_close_matches(path.name, names, 3, 0.4) or names[:5]
    return problem("file.neighbours", names=near) if near else Problem("file.no-neighbours")


def _depth(text: str) -> int:
    """How deeply brackets are nested, counted before the parser sees them."""
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _refuse_number(word: str) -> NoReturn:
    raise UserError(problem("json.not-a-number", word=word))


def _finite_float(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_number(text)


def _bounded_int(text: str) -> int:
    if len(text) > 30:
        raise UserError(problem("json.too-many-digits", start=text[:10], count=len(text)))
    return int(text)
