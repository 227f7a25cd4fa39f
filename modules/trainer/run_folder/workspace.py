"""The folder of a run: whose it is now, and how far the run in it had come."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from modules.errors import UserError
from modules.messages import Finished, MemoryPlan, Progress, Started
from modules.run_folders import LOCK, all_backups
from modules.sentences.problem import Problem, problem
from modules.system.disks import write_error
from modules.system.files import DISK_ERRNOS, FULL
from modules.system.locks import Lock, LockTaken
from modules.system.reading import open_file
from modules.trainer.backup import whole_backups
from modules.wire import decode

ASKED_S = 0.5  # whoever asks whether a run is under way holds its lock for a moment
TAIL = 2_000_000  # bytes of events that are read to find out how far a run had come


def run_lock(folder: Path) -> AbstractContextManager[object]:
    """The run's folder for this process alone, until the end of the block or of the process.

    Raises:
        UserError: another process trains in it.
    """
    try:
        return Lock(folder / LOCK, ASKED_S)
    except LockTaken as holder:
        process = [problem("run.process", number=str(holder))] if str(holder) else []
        raise UserError("run.in-use", folder=folder, process=process) from None
    except OSError as error:
        if error.errno in DISK_ERRNOS:
            raise
        return nullcontext()  # a disk that knows no locks: as safe as any other program on it


def backups_to_continue(folder: Path) -> Iterator[tuple[Path, list[Problem]]]:
    """Whole backups of a run, newest first, each with what is wrong with newer ones; none was ever made.

    Raises:
        UserError: there are backups and all of them are damaged.
    """
    found = False
    for backup, passed in whole_backups(folder / "backups"):
        found = True
        yield backup, passed
    damaged = len(all_backups(folder / "backups"))
    if damaged and not found:
        raise UserError("resume.damaged", folder=folder, count=damaged)


def step_reached(folder: Path) -> int:
    """The last step that a run tells of in its events; 0 where it tells of none. Reads the end of the file only."""
    try:
        with open_file(folder / "events.jsonl") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL))
            lines = file.read(TAIL).split(b"\n")
    except OSError:
        return 0
    for line in reversed(lines):
        try:
            event = decode(line.decode())
        except ValueError:  # torn, or the first one of the piece
            continue
        if isinstance(event, Progress | Finished):
            return event.step
        if isinstance(event, Started):  # it ended before it told of a step
            return max(event.resumed_from, 0)
    return 0


def memory_planned_for(folder: Path) -> tuple[str, int] | None:
    """The card that a run was last planned for ("": main memory), and the bytes that it might take there."""
    found: tuple[str, int] | None = None
    try:
        with open_file(folder / "events.jsonl") as file:
            for line in file:
                if b'"MemoryPlan"' in line:
                    plan = _decoded(line)
                    found = (plan.card, plan.usable) if isinstance(plan, MemoryPlan) and plan.here else found
    except OSError:
        return None
    return found


def _decoded(line: bytes) -> object:
    try:
        return decode(line.decode())
    except ValueError:  # torn
        return None


def check_writable(folder: Path) -> None:
    """Find out before hours of work whether files can be written to a folder, which may not exist yet.

    Raises:
        UserError: they cannot.
    """
    error = write_error(folder)
    if error is not None and error.errno not in FULL:  # a run waits for room
        raise UserError("folder.not-writable", folder=folder)
