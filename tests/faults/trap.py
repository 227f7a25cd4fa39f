"""A trap at the system calls of a process: it counts them, and at the chosen one the process is killed.

It is set in the process that is to die, from outside: the program has no hook for it. A call is known by its name and
by where it writes: "replace in backups". `half` leaves a file that was being written with a part of its bytes, as a
kill in the middle of the writing would.
"""

from __future__ import annotations

import builtins
import io
import mmap
import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PLACES = ("backups", "models", "samples", "tensorboard", "cache")
CALLS = ("replace", "rename", "fsync", "mkdir", "unlink", "rmdir")


@dataclass(frozen=True)
class Shot:
    """When a process dies. Without a point, it is left to whoever watches it."""

    signal: signal.Signals = signal.SIGKILL
    point: str = ""
    occurrence: int = 1
    after: bool = False
    half: float = -1.0  # the share of a file that is left; below nought: no file is torn
    twice: bool = False  # the signal comes a second time: Ctrl-C, and again


class TensorBoardWriter:
    """A page of memory that a process and the one that watches it both see, whatever becomes of either.

    Each thing that is said has a place of its own: several threads write, and a signal must not be lost between them.
    """

    PLACES = ("engine", "doing", "point")
    ROOM = 256

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, self.ROOM * len(self.PLACES))

    def write(self, **said: object) -> None:
        for name, value in said.items():
            start = self.PLACES.index(name) * self.ROOM
            self._memory[start : start + self.ROOM] = str(value).encode()[: self.ROOM].ljust(self.ROOM, b"\0")

    def read(self) -> dict[str, str]:
        starts = {name: number * self.ROOM for number, name in enumerate(self.PLACES)}
        found = {name: self._memory[start : start + self.ROOM].rstrip(b"\0") for name, start in starts.items()}
        return {name: text.decode(errors="replace") for name, text in found.items() if text}


class Trap:
    """Counts calls under a folder and shoots at the one that the shot names."""

    def __init__(self, workspace: Path, board: TensorBoardWriter, shot: Shot) -> None:
        self.workspace, self.board, self.shot = str(workspace), board, shot
        self.counts = Counter[str]()

    def set(self) -> None:
        """From here on every call is seen."""
        for name in CALLS:
            self._wrap(os, name)
        self._wrap(shutil, "rmtree")
        for where in (builtins, io):
            self._wrap(where, "open", sees=_writes)
        import torch

        self._wrap(torch, "save", path_at=1)
        from modules.formats import checkpoint, tensors

        for where in (tensors, checkpoint):
            if hasattr(where, "save_file"):
                self._wrap(where, "save_file", path_at=1)
        from PIL import Image

        self._wrap(Image.Image, "save", path_at=1)
        self._wrap_append()
        self._wrap_write()

    def _wrap(self, where: Any, name: str, path_at: int = 0, sees: Callable[..., bool] | None = None) -> None:
        inner = getattr(where, name)

        def wrapped(*given: Any, **named: Any) -> Any:
            place = self._place(given[path_at]) if len(given) > path_at else ""
            if not place or (sees and not sees(*given, **named)):
                return inner(*given, **named)
            hit = self._hit(f"{name} in {place}")
            if hit and not self.shot.after and self.shot.half < 0:
                self._shoot()
            result = inner(*given, **named)
            if hit and (self.shot.after or self.shot.half >= 0):
                self._tear(given[path_at])
                self._shoot()
            return result

        setattr(where, name, wrapped)

    def _wrap_append(self) -> None:
        """An append to a shard is one system call: half of it is written here in its place."""
        from modules.data.cache.shards import Writer, record_of

        inner = Writer.append

        def append(writer: Any, key: bytes, payload: bytes) -> Any:
            if self._hit("append in cache"):
                if self.shot.after:
                    inner(writer, key, payload)
                else:
                    record = record_of(key, payload)
                    writer._file.write(record[: int(len(record) * max(self.shot.half, 0.0))])
                self._shoot()
            return inner(writer, key, payload)

        Writer.append = append  # type: ignore[method-assign]

    def _wrap_write(self) -> None:
        """Lines of the events and of the log go through os.write; a half leaves a torn line."""
        inner = os.write

        def write(file: int, data: Any, /) -> int:
            place = self._place(file)
            if place and self._hit(f"write in {place}"):
                if self.shot.half >= 0:
                    inner(file, memoryview(data)[: int(len(data) * self.shot.half)])
                elif self.shot.after:
                    inner(file, data)
                self._shoot()
            return inner(file, data)

        os.write = write

    def _hit(self, point: str) -> bool:
        self.counts[point] += 1
        return point == self.shot.point and self.counts[point] == self.shot.occurrence

    def _tear(self, path: Any) -> None:
        if hasattr(path, "flush"):
            path.flush()
            path = path.name
        if self.shot.half >= 0 and os.path.isfile(path):  # noqa: PTH113
            os.truncate(path, int(os.path.getsize(path) * self.shot.half))  # noqa: PTH202

    def _shoot(self) -> None:
        self.board.write(point=self.shot.point + (", after" if self.shot.after else ""))
        os.kill(os.getpid(), self.shot.signal)
        if self.shot.twice:
            os.kill(os.getpid(), self.shot.signal)

    def _place(self, path: Any) -> str:
        """Where a path or an open file lies: a name of PLACES, "run" for the rest; "" outside of the workspace."""
        if isinstance(path, int):
            try:
                path = os.readlink(f"/proc/self/fd/{path}")  # noqa: PTH115
            except OSError:
                return ""
        if not isinstance(path, str | Path):
            path = getattr(path, "name", None)  # an open file
        if not isinstance(path, str | Path):
            return ""
        parts = Path(path).parts if str(path).startswith(self.workspace) else ()
        if not parts and not os.path.isabs(path):  # noqa: PTH117 - a name inside a folder that rmtree has open
            return "a folder that goes"
        return next((place for place in PLACES if place in parts), "run") if parts else ""


def _writes(_path: Any, mode: str = "r", *_more: Any, **_named: Any) -> bool:
    return any(letter in mode for letter in "wax+")


def drawn(points: Counter[str], left: float, dice: random.Random, number: signal.Signals) -> Shot:
    """A shot at one of these points, rare or not. `left`: the share of a run that is still to come."""
    point = dice.choice(sorted(points))
    occurrence = 1 + int(points[point] * left * dice.random() * 0.9)
    torn = (
        number == signal.SIGKILL
        and point.split()[0] in ("save", "save_file", "append", "write")
        and dice.random() < 0.7
    )
    after = not torn and dice.random() < 0.5
    return Shot(number, point, occurrence, after, dice.random() if torn else -1.0)
