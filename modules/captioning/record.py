"""What captions replaced, kept in the cache's folder, so that one step brings it back. No torch.

A line for each file, flushed before the file itself is written: whatever ends the work, what was there is known.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from modules.errors import UserError
from modules.preset.files.absolute_paths import with_absolute_paths
from modules.preset.rules.rules import validate
from modules.system import reading
from modules.system.bundled import resolve
from modules.system.files import staged_file, write_text

FOLDER = "made captions"
FORMAT = "seachange-made-captions"
MOST_HEAD, MOST = 2**16, 2**34  # bytes of a first line, and of all: our own


def cache_folder() -> Path:
    """Where it is kept: the usual cache, whatever the project's is."""
    return Path(with_absolute_paths(validate({}, trains=False)).general.cache)


def source_name(path: str) -> str:
    """What a record calls the place of the images."""
    return str(resolve(path).absolute())


class CaptionRecord:
    """Writes captions and remembers what they replaced. The file is made with the first one."""

    def __init__(self, cache: Path, source: str) -> None:
        self._source = source
        self.file = cache / FOLDER / f"{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 10**9:09d}.jsonl"
        self._open: IO[str] | None = None
        self.written = 0

    def write(self, path: Path, text: str) -> None:
        """Put a caption into a file.

        Raises:
            UserError: it cannot be written.
        """
        data = f"{text}\n".encode()
        try:
            before = _content(path)
            if before != data:
                self._remember(path, before, data)
                with staged_file(path, flush_folder=False) as draft:
                    draft.write_bytes(data)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError("captioning.not-written", file=path, reason=reason, count=self.written) from error
        self.written += 1

    def _remember(self, path: Path, before: bytes | None, after: bytes) -> None:
        if self._open is None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._open = self.file.open("w", encoding="utf-8")
            self._open.write(json.dumps({"format": FORMAT, "source": self._source}) + "\n")
        self._open.write(json.dumps(_line(path, before, after)) + "\n")
        self._open.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._open is not None:
            self._open.close()


@dataclass(frozen=True)
class TakenBack:
    """How many files are as they were before, and which were changed since and stay."""

    count: int
    changed: list[Path]


def newest_record(cache: Path, source: str) -> Path | None:
    """Of what was written last for a source, and not taken back."""
    return next(
        (file for file in sorted((cache / FOLDER).glob("*.jsonl"), reverse=True) if _source(file) == source), None
    )


def take_back(file: Path) -> TakenBack:
    """Bring back what was there before a record's captions. Files that another program has changed since stay.

    Raises:
        UserError: a file cannot be written; nothing is lost, and it can be tried again.
    """
    lines = [*_lines(file)]
    changed: list[dict[str, Any]] = []
    back = 0
    for line in reversed(lines):  # two images may share a file
        path = Path(line["path"])
        try:
            now = _content(path)
            if now is not None and hashlib.sha256(now).hexdigest() == line["after"]:
                _put(path, line["before"])
                back += 1
            elif not _is(now, line["before"]):
                changed.append(line)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError("captioning.not-put-back", file=path, reason=reason) from error
    if changed:  # what they held is still known
        head = json.dumps({"format": f"{FORMAT}-left", "source": ""})
        write_text(file, "\n".join([head, *map(json.dumps, reversed(changed))]) + "\n")
    else:
        file.unlink(missing_ok=True)
    return TakenBack(back, [Path(line["path"]) for line in reversed(changed)])


def _line(path: Path, before: bytes | None, after: bytes) -> dict[str, Any]:
    held = None if before is None else base64.b64encode(before).decode()
    return {"path": str(path), "before": held, "after": hashlib.sha256(after).hexdigest()}


def _is(now: bytes | None, before: str | None) -> bool:
    return now == (None if before is None else base64.b64decode(before))


def _put(path: Path, before: str | None) -> None:
    if before is None:
        path.unlink(missing_ok=True)
        return
    with staged_file(path, flush_folder=False) as draft:
        draft.write_bytes(base64.b64decode(before))


def _source(file: Path) -> str:
    """Of a record; "" of what is none."""
    try:
        with reading.open_file(file) as lines:
            head = json.loads(lines.readline(MOST_HEAD))
        return str(head["source"]) if head.get("format") == FORMAT else ""
    except (OSError, ValueError, KeyError, AttributeError):
        return ""


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    """A last line that is torn was written of a file that was not yet."""
    for number, line in enumerate(reading.read_text(file, MOST).splitlines()):
        try:
            if number:
                yield json.loads(line)
        except ValueError:
            return


def _content(path: Path) -> bytes | None:
    try:
        return reading.read_bytes(path, MOST)
    except FileNotFoundError:
        return None
