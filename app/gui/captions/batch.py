"""Many files written as one change: all of them, or none. What undoes it is the same change the other way round.

What a kill cuts short is in a journal, and `put_back` takes it back the next time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from app.gui.captions.journal import Change, Changes, delete, interrupted, journal
from app.gui.session.worker import Report, Stop
from modules.data.source.folders import on_disk
from modules.errors import Problems, UserError
from modules.sentences.problem import Problem, as_it_is
from modules.system.files import flush_to_disk, staged_file

AT_ONCE = 8  # files that are written together; between two groups the user may cancel


class Cancelled(UserError):
    """The user wants no more of it: everything is as it was."""

    def __init__(self) -> None:
        super().__init__("captions.cancelled")


def reversed_changes(changes: Changes) -> dict[Path, Change]:
    """What takes these back."""
    return {path: Change(change.after, change.before) for path, change in changes.items()}


def write_all(changes: Changes, report: Report, stop: Stop) -> None:
    """Write all files. If one fails, or `stop` says so, those that were written get back what they held.

    Raises:
        Problems: another program has changed some of them; nothing was written.
        Cancelled: `stop` said so.
        UserError: one cannot be written.
    """
    try:
        _refuse_changed(changes)
        with ExitStack() as stack:
            if len(changes) > 1:
                stack.enter_context(journal(changes))
            threads = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
            _write(changes, report, stop, threads)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError("captions.not-written", file=error.filename or "?", reason=reason) from error


def _write(changes: Changes, report: Report, stop: Stop, threads: Executor) -> None:
    written: list[Path] = []
    try:
        for paths in _groups([*changes]):
            if stop():
                raise Cancelled
            report(len(written), len(changes))
            written += paths
            if errors := _put_together(threads, [(path, changes[path].after) for path in paths]):
                raise errors[0]
    except (OSError, Cancelled):
        _put_back(written, changes, report, threads)
        raise
    finally:
        for folder in {path.parent for path in changes}:
            flush_to_disk(folder)


class CutShort(NamedTuple):
    """A change that was killed: its journal, and what is to be done to take back what it wrote."""

    journal: Path
    files: int  # that were to be written
    back: Changes


def cut_short() -> CutShort | None:
    """What a kill has left half done. Files that were changed since are left alone."""
    found = interrupted()
    if found is None:
        return None
    path, changes = found
    written = {file: change for file, change in changes.items() if _holds(file, change.after)}
    if 0 < len(written) < len(changes):
        return CutShort(path, len(changes), reversed_changes(written))
    delete(path)  # it had not begun, or was done
    return None


def put_back(left: CutShort, report: Report, stop: Stop) -> int:
    """Take it back. Returns how many files.

    Raises:
        UserError: as `write_all`.
    """
    write_all(left.back, report, stop)
    delete(left.journal)
    return len(left.back)


def _holds(path: Path, data: bytes | None) -> bool:
    try:
        return content_of(path) == data
    except OSError:
        return False


def _put_back(written: Sequence[Path], changes: Changes, report: Report, threads: Executor) -> None:
    lost: list[OSError] = []
    left = len(written)
    for paths in _groups(written[::-1]):
        left -= len(paths)
        report(left, len(changes))
        lost += _put_together(threads, [(path, changes[path].before) for path in paths])
    if lost:
        name, reason = lost[0].filename or "?", lost[0].strerror or str(lost[0])
        raise UserError("captions.not-put-back", file=name, reason=reason, count=len(lost))


def _refuse_changed(changes: Changes) -> None:
    changed = [path for path, change in changes.items() if content_of(path) != change.before]
    if changed:
        raise Problems(Problem("captions.changed"), [as_it_is(str(path)) for path in changed[:20]])


def content_of(path: Path) -> bytes | None:
    """What a file holds; None where there is none."""
    try:
        with on_disk(path).open() as file:
            return file.read()
    except FileNotFoundError:
        return None


def _groups(paths: Sequence[Path]) -> Iterator[Sequence[Path]]:
    return (paths[start : start + AT_ONCE] for start in range(0, len(paths), AT_ONCE))


def _put_together(threads: Executor, files: Sequence[tuple[Path, bytes | None]]) -> list[OSError]:
    """Write a few files at once, which a disk flushes in hardly more time than one. Returns what failed."""
    return [error for error in threads.map(_tried, files) if error]


def _tried(file: tuple[Path, bytes | None]) -> OSError | None:
    try:
        _put(*file)
    except OSError as error:
        return error
    return None


def _put(path: Path, data: bytes | None) -> None:
    if data is None:
        path.unlink(missing_ok=True)
        return
    with staged_file(path, flush_folder=False) as draft:
        draft.write_bytes(data)
