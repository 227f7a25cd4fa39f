"""`python -m modules.remote.there.files`: what this machine has, and files, until the line ends."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from modules.errors import UserError
from modules.host.server import version
from modules.remote.stream import CHUNK, Broken, Header, Stream
from modules.remote.there.store import Refused, Store
from modules.system.bundled import in_program_folder
from modules.system.card.present import cards_here
from modules.system.reading import open_file

WORKSPACE = "workspace"


class Files:
    """Answers one line. What the other side may read and write lies in this program's own workspace."""

    def __init__(self, stream: Stream, workspace: Path) -> None:
        self._stream, self._workspace = stream, workspace
        self._store = Store(workspace / "received")
        self._answers: dict[str, Callable[..., None]] = {
            "hello": self._hello, "missing": self._missing, "put": self._put, "folder": self._folder,
            "list": self._list, "get": self._get,
        }  # fmt: skip

    def serve(self) -> None:
        """Until the line ends."""
        while True:
            try:
                asked = self._stream.receive()
            except Broken:
                return
            self._answer(asked)

    def _answer(self, asked: Header) -> None:
        do = self._answers.get(str(asked.pop("do", "")))
        try:
            if do is None:
                raise Refused("not understood")
            do(**asked)
        except Broken:
            return
        except (UserError, Refused, OSError, TypeError) as error:
            self._stream.send({"error": str(error)})

    def _hello(self) -> None:
        self._workspace.mkdir(parents=True, exist_ok=True)
        self._stream.send(
            {
                "version": version(),
                "workspace": str(self._workspace),
                "free": shutil.disk_usage(self._workspace).free,
                "python": platform.python_version(),
                "system": platform.system(),
                "cards": [[name, memory] for name, memory in cards_here()],
            }
        )

    def _missing(self, files: list[tuple[str, int]]) -> None:
        self._stream.send({"missing": self._store.missing(files)})

    def _put(self, sha: str, size: int, offset: int, bytes: int) -> None:
        self._stream.send({"whole": self._store.put(sha, size, offset, bytes, self._stream)})

    def _folder(self, name: str, files: dict[str, str]) -> None:
        self._stream.send({"path": str(self._store.folder(name, files))})

    def _list(self, folder: str, since: int) -> None:
        place = self._own(folder)
        found = [(str(path.relative_to(place)), path.stat()) for path in place.rglob("*") if path.is_file()]
        new = [[name.replace(os.sep, "/"), at.st_size, at.st_mtime_ns] for name, at in found if at.st_mtime_ns >= since]
        self._stream.send({"files": new})

    def _get(self, path: str, offset: int) -> None:
        with open_file(self._own(path)) as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(offset)
            self._stream.send({"bytes": max(0, size - offset)}, _pieces(file, max(0, size - offset)))

    def _own(self, path: str) -> Path:
        place = Path(path).resolve()
        if not place.is_relative_to(self._workspace.resolve()):
            raise Refused(path)
        return place


def _pieces(file: Any, size: int) -> Iterator[bytes]:
    """Exactly so many bytes: a file that shrinks meanwhile breaks the line, and is asked for again."""
    while size:
        piece = file.read(min(size, CHUNK))
        if not piece:
            raise Broken("the file has become shorter")
        size -= len(piece)
        yield piece


def main() -> None:
    """Keep stdout for the line: everything else that is printed goes to stderr."""
    private = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    Files(Stream(sys.stdin.buffer, private), in_program_folder(WORKSPACE)).serve()


if __name__ == "__main__":
    main()
