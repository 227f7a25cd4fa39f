"""The content of files by a hash, remembered while the files do not change: ten thousand images are not read again."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from modules.data.source.source import DataFile
from modules.system.read_cache import ReadCache, Row

HASHES = "sha256 1"
WRITE_EVERY = 200  # files: a killed run reads as many again


class FileHashes:
    """sha256 of files, kept in the read cache of a folder. Several threads may ask."""

    def __init__(self, folder: Path) -> None:
        self._cache = ReadCache(folder)
        self._new: dict[str, Row] = {}
        self._guard = threading.Lock()

    def of(self, file: DataFile) -> str:
        """Hex sha256 of a file's bytes.

        Raises:
            OSError: it cannot be read.
        """
        name, stamp = str(file), file.stamp()
        if (new := self._new.get(name)) and new[0] == stamp and not stamp.is_fresh():
            return new[1].decode()
        if known := self._cache.get(HASHES, {name: stamp}).get(name):
            return known.decode()
        digest = file.sha256()
        if stamp == file.stamp():  # else it was written while it was read
            self._keep(name, (stamp, digest.encode()))
        return digest

    def _keep(self, name: str, row: Row) -> None:
        with self._guard:
            self._new[name] = row
            if len(self._new) >= WRITE_EVERY:
                self._write()

    def _write(self) -> None:
        self._cache.put(HASHES, self._new)
        self._new = {}

    def close(self) -> None:
        """Keep what was found, and let go of the file."""
        with self._guard:
            self._write()
        self._cache.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
