"""What a change of many files is about to write, kept on disk until it is written: a kill can then be undone."""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from modules.system.files import write_text
from modules.system.locks import Lock, is_locked
from modules.system.reading import read_json
from modules.system.user_folder import settings_folder


class Change(NamedTuple):
    """What a file holds, and what it is to hold; None: no file."""

    before: bytes | None
    after: bytes | None


Changes = Mapping[Path, Change]
_numbers = count()


@contextmanager
def journal(changes: Changes) -> Generator[None]:
    """While the block runs, a file says what it changes. It goes when the block ends, with or without an error.

    Raises:
        OSError: it cannot be written.
    """
    path = settings_folder() / f"captions-{os.getpid()}-{next(_numbers)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with Lock(_lock_of(path)):
            write_text(path, json.dumps([[str(file), *map(_text, change)] for file, change in changes.items()]))
            yield
    finally:
        delete(path)


def interrupted() -> tuple[Path, Changes] | None:
    """The journal of a process that was killed while it wrote; None if there is none."""
    for path in sorted(settings_folder().glob("captions-*.json")):
        if not is_locked(_lock_of(path)) and (changes := _read(path)):
            return path, changes
    return None


def delete(path: Path) -> None:
    """Forget a journal, and its lock."""
    for each in (path, _lock_of(path), _lock_of(path).with_name(f"{_lock_of(path).name}.pid")):
        with suppress(OSError):
            each.unlink(missing_ok=True)


def _read(path: Path) -> Changes:
    found: Any = None
    with suppress(OSError, ValueError):
        found = read_json(path)
    try:
        return {Path(file): Change(_bytes(before), _bytes(after)) for file, before, after in found}
    except (TypeError, ValueError):  # no journal of ours
        return {}


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")


def _text(data: bytes | None) -> str | None:
    return None if data is None else b64encode(data).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text, validate=True)
