"""What was sent, by its content: a file that is here already is not sent again, under whatever name it comes."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from modules.remote.stream import CHUNK, Stream
from modules.system.reading import is_inside_name, open_file

SHA = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"[\w-][\w .-]{0,99}")


class Refused(ValueError):
    """What was asked for is nothing that our own side would ask for."""


class Store:
    """A folder of files named by their sha256, and of folders that were put together from them by links."""

    def __init__(self, folder: Path) -> None:
        self._objects, self._trees = folder / "objects", folder / "folders"

    def missing(self, files: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
        """Which of these (sha256, size) are not here, each with how many bytes of it are."""
        lacking: list[tuple[str, int]] = []
        for sha, size in files:
            if _size(self._object(sha)) != size:
                lacking.append((sha, max(0, min(size, _size(self._part(sha))))))
        return lacking

    def put(self, sha: str, size: int, offset: int, count: int, stream: Stream) -> bool:
        """Take `count` bytes from `offset` on; False where the whole is not what its name says, which is thrown away.

        What has come before the line breaks is kept, and the rest is asked for the next time.
        """
        part = self._part(sha)
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as file:
            file.truncate(offset)
            file.seek(offset)
            stream.take(count, file.write)
        if part.stat().st_size < size:
            return True
        if sha256_of(part) != sha:
            part.unlink()
            return False
        part.replace(self._object(sha))
        return True

    def folder(self, name: str, files: Mapping[str, str]) -> Path:
        """The folder of this name with exactly these files, relative path to sha256."""
        if not NAME.fullmatch(name) or not all(map(is_inside_name, files)):
            raise Refused(name)
        place = self._trees / name
        place.mkdir(parents=True, exist_ok=True)
        wanted = {place / path: self._object(sha) for path, sha in files.items()}
        for path in sorted(place.rglob("*"), reverse=True):
            if path not in wanted:
                _remove(path)
        for path, content in wanted.items():
            if not _same(path, content):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.unlink(missing_ok=True)
                _link(content, path)
        return place

    def _object(self, sha: str) -> Path:
        if not SHA.fullmatch(sha):
            raise Refused(sha)
        return self._objects / sha[:2] / sha

    def _part(self, sha: str) -> Path:
        return self._object(sha).with_suffix(".part")


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file."""
    digest = hashlib.sha256()
    with open_file(path) as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def _link(content: Path, path: Path) -> None:
    try:
        os.link(content, path)
    except OSError:  # a file system without links
        shutil.copyfile(content, path)


def _same(path: Path, content: Path) -> bool:
    with suppress(OSError):
        return path.samefile(content)
    return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _remove(path: Path) -> None:
    with suppress(OSError):  # a folder that still holds something wanted stays
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
