"""The content of files by a hash, remembered while the files do not change: ten thousand images are not read again."""

from __future__ import annotations

import json
import threading
import time
import zlib
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from modules.system.files import sha256_of

# See modules/data/source/scan_cache.py: a file changed within one tick of the clock looks unchanged.
TICK_NS = 50_000_000


class FileHashes:
    """sha256 of files, kept in `<folder>/digests.log`: one line a file, each with a checksum, only ever appended to.

    Torn or damaged lines are passed over; the file is then read anew. Several threads and processes may use it.
    """

    def __init__(self, folder: Path) -> None:
        self._log = folder / "digests.log"
        self._known: dict[str, tuple[list[int], str]] = {}
        self._file: BinaryIO | None = None
        self._guard = threading.Lock()
        if self._log.exists():
            for line in self._log.read_bytes().split(b"\n"):
                self._believe(line)

    def _believe(self, line: bytes) -> None:
        check, _, body = line.partition(b" ")
        if check == b"%08x" % zlib.crc32(body):
            path, stamp, digest = json.loads(body)
            self._known[path] = stamp, digest

    def of(self, path: Path) -> str:
        """Hex sha256 of a file's bytes.

        Raises:
            OSError: it cannot be read.
        """
        name = str(path.absolute())
        stamp = _stamp(path)
        known = self._known.get(name)
        if known and known[0] == stamp:
            return known[1]
        digest = sha256_of(path)
        settled = time.time_ns() - max(stamp[1], stamp[2]) > TICK_NS
        if settled and stamp == _stamp(path):
            with self._guard:
                self._known[name] = stamp, digest
                with suppress(OSError):  # a full disk is no fault of the image; the next run reads it once more
                    self._append(name, stamp, digest)
        return digest

    def _append(self, name: str, stamp: list[int], digest: str) -> None:
        body = json.dumps([name, stamp, digest]).encode()
        if self._file is None:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered: a line is one write at the end of the file, so that two processes do not mix theirs.
            self._file = self._log.open("ab", buffering=0)
            self._file.write(b"\n")  # ends a line that a kill may have torn
        self._file.write(b"%08x %s\n" % (zlib.crc32(body), body))

    def close(self) -> None:
        """Let go of the file."""
        if self._file:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
