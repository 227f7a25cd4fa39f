"""Many files written as one change: all of them, or none. What undoes it is the same change the other way round."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from app.gui.session.worker import Report, Stop
from modules.data.source.folders import on_disk
from modules.errors import Problems, UserError
from modules.sentences.problem import Problem, as_it_is
from modules.system.files import flush_to_disk, staged_file


class Change(NamedTuple):
    """What a file holds, and what it is to hold; None: no file."""

    before: bytes | None
    after: bytes | None


Changes = Mapping[Path, Change]


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
    written: list[Path] = []
    try:
        _refuse_changed(changes)
        for path, change in changes.items():
            if stop():
                raise Cancelled
            report(len(written), len(changes))
            written.append(path)
            _put(path, change.after)
    except (OSError, Cancelled) as error:
        _put_back(written, changes, report)
        if isinstance(error, Cancelled):
            raise
        reason = error.strerror or str(error)
        raise UserError("captions.not-written", file=error.filename or "?", reason=reason) from error
    finally:
        for folder in {path.parent for path in changes}:
            flush_to_disk(folder)


def _put_back(written: list[Path], changes: Changes, report: Report) -> None:
    lost: list[OSError] = []
    for left, path in reversed([*enumerate(written)]):
        report(left, len(changes))
        try:
            _put(path, changes[path].before)
        except OSError as error:
            lost.append(error)
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


def _put(path: Path, data: bytes | None) -> None:
    if data is None:
        path.unlink(missing_ok=True)
        return
    with staged_file(path, flush_folder=False) as draft:
        draft.write_bytes(data)
