"""Locks that die with their process: a file that was left behind by a kill never blocks anybody."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

LOCK_TAKEN_ERRNOS = {
    errno.EACCES,
    errno.EAGAIN,
    errno.EWOULDBLOCK,
    errno.EDEADLK,
}  # what systems say of a lock that another holds


class LockTaken(Exception):
    """Another process holds the lock. Its text is the number of that process, or "" where it cannot be read."""


class Lock:
    """A lock on a file, held from here until `release`, the end of a `with`, or the end of the process.

    The file stays: taking it away would let two processes lock two files of one name.
    """

    def __init__(self, path: Path) -> None:
        """Take it now or not at all.

        Raises:
            Taken: another process, or another Lock of this one, holds it.
            OSError: the file cannot be made, or its disk knows no locks.
        """
        self._file: BinaryIO = path.open("a+b", buffering=0)
        try:
            _lock(self._file)
        except OSError as error:
            self._file.seek(0)
            holder = self._file.read(32).decode("ascii", "replace").strip()
            self._file.close()
            if error.errno in LOCK_TAKEN_ERRNOS:
                raise LockTaken(holder) from None
            raise
        self._write_pid()

    def _write_pid(self) -> None:
        """Say who holds it. On a full disk it is held without a name."""
        try:
            self._file.truncate(0)
            self._file.write(str(os.getpid()).encode())
        except OSError:
            return

    def release(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


if os.name == "nt":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        # Windows keeps others from the bytes that are locked: so far behind the end nobody reads.
        file.seek(2**30)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # pyright: ignore[reportAttributeAccessIssue]

else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
