"""A lock on a file that goes with the process: a window that crashed leaves nothing locked behind."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self


class LockTaken(Exception):
    """Another window holds the lock."""


class Lock:
    """Held from the moment it is made until `release`.

    Raises:
        Taken: another one holds it, and still did after `seconds`.
        OSError: the file cannot be made, or its disk knows no locks.
    """

    def __init__(self, path: Path, seconds: float = 0.0) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        until = time.monotonic() + seconds
        while not _locked(self._handle):
            if time.monotonic() >= until:
                os.close(self._handle)
                raise LockTaken(str(path))
            time.sleep(0.01)

    def release(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)  # the system lets go of the lock with the file
        self._handle = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


if sys.platform == "win32":
    import msvcrt

    def _locked(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _locked(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
