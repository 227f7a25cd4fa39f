"""A file of lines that a run adds to, and that neither a kill nor a full disk makes wrong or ends the run with."""

from __future__ import annotations

import os
import threading
from collections import deque
from pathlib import Path


class AppendLog:
    """Appends whole lines. What the disk does not take is kept in memory and written with what comes later.

    Any thread may add. Its owner must be the only one who writes the file (the run holds the lock of its folder).
    """

    MAX_BYTES = 32 * 2**20  # bytes that are kept; beyond them the oldest lines are lost, and counted

    def __init__(self, path: Path, *, records: bool) -> None:
        """`records`: each line is a record, so that a torn one is cut off; in a text for people it is only ended."""
        self.path, self._records = path, records
        self.trouble: OSError | None = None  # why the last attempt failed; None if it did not
        self.lost = 0
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._file: int | None = None
        self._lock = threading.Lock()

    def add(self, line: str) -> None:
        """Write a line, without its newline."""
        with self._lock:
            data = f"{line}\n".encode(errors="replace")
            self._waiting.append(data)
            self._waiting_bytes += len(data)
            while self._waiting_bytes > self.MAX_BYTES:
                self._waiting_bytes -= len(self._waiting.popleft())
                self.lost += 1
            self._write()

    def close(self) -> int:
        """Try once more to write what is waiting; gives how many lines were not written."""
        with self._lock:
            if self._waiting:
                self._write()
            if self._file is not None:
                os.close(self._file)
                self._file = None
            return len(self._waiting) + self.lost

    def _write(self) -> None:
        try:
            file = self._open()
            start = os.lseek(file, 0, os.SEEK_END)
            try:
                rest = memoryview(b"".join(self._waiting))
                while rest:
                    rest = rest[os.write(file, rest) :]
            except OSError:
                os.ftruncate(file, start)  # all of them later: no half line now
                raise
        except OSError as error:
            self.trouble = error
            return
        self.trouble, self._waiting_bytes = None, 0
        self._waiting.clear()

    def _open(self) -> int:
        """The file, opened anew if it was deleted or replaced: lines for a file without a name would be lost."""
        if self._file is not None:
            try:
                here = os.path.samestat(self.path.stat(), os.fstat(self._file))
            except FileNotFoundError:
                here = False
            if here:
                return self._file
            os.close(self._file)
            self._file = None
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            self._repair(file)
        except OSError:
            os.close(file)
            raise
        self._file = file
        return file

    def _repair(self, file: int) -> None:
        """End a line that a kill tore, or take it away."""
        end = whole_end(file)
        if end == os.fstat(file).st_size:
            return
        if self._records:
            os.ftruncate(file, end)
        else:
            os.lseek(file, 0, os.SEEK_END)
            os.write(file, b"\n")


def whole_end(file: int) -> int:
    """Where the last whole line of a file ends."""
    end = os.lseek(file, 0, os.SEEK_END)
    while end:
        start = max(0, end - 2**16)
        os.lseek(file, start, os.SEEK_SET)
        found = os.read(file, end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
