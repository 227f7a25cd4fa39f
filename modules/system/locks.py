"""Locks that die with their process: a file that was left behind by a kill never blocks anybody."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import lock_descriptor

from modules.system.reading import open_file

ASK_AGAIN_S = 0.01


class LockTaken(Exception):
    """Another process holds the lock. Its text is the number of that process, or "" where it cannot be read."""


class Lock:
    """A lock on a file, held from here until `release`, the end of a `with`, or the end of the process.

    The file stays: taking it away would let two processes lock two files of one name. Who holds it stands beside it, in
    `<name>.pid`: Windows lets nobody read what is locked. The bare primitive of `filelock`, because its FileLock makes
    do with a mark that outlives its process where a disk knows no locks.
    """

    def __init__(self, path: Path, seconds: float = 0.0) -> None:
        """Take it now, or within so many seconds.

        Raises:
            LockTaken: another process, or another Lock of this one, holds it.
            OSError: the file cannot be made, or its disk knows no locks.
        """
        # A bare handle: a file object that somebody forgets would be closed, and the lock gone, when Python tidies up.
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            taken = not _locked(self._handle, seconds)
        except OSError:
            self.release()
            raise
        beside = path.with_name(f"{path.name}.pid")
        if taken:
            self.release()
            raise LockTaken(_read(beside))
        with suppress(OSError):  # on a full disk it is held without a name
            _write(beside, str(os.getpid()))

    def release(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


def _locked(handle: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not lock_descriptor(handle, blocking=False):
        if time.monotonic() >= until:
            return False
        time.sleep(ASK_AGAIN_S)
    return True


def is_locked(path: Path) -> bool:
    """Whether somebody holds a lock on this file now; found out by taking it for a moment."""
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return not lock_descriptor(handle, blocking=False)
    except OSError:  # a disk that knows no locks
        return False
    finally:
        os.close(handle)


def _read(beside: Path) -> str:
    try:
        with open_file(beside) as file:
            return file.read(32).decode("ascii", "replace").strip()
    except OSError:
        return ""


def _write(beside: Path, text: str) -> None:
    """Never into a pipe: that may wait for ever."""
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NONBLOCK", 0), 0o644)
    try:
        os.write(handle, text.encode("ascii"))
    finally:
        os.close(handle)
