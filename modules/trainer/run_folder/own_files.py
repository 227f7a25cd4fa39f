"""Which models a run has written itself: those may be replaced, whatever else has their names may not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from modules.errors import UserError
from modules.preset.files.jsonfile import read_object
from modules.system.files import write_text

FILE = "models.json"  # in the folder of the run


class OwnFiles:
    """A list in the run's folder: name, step, and what the file looked like when it was written.

    A name is claimed before it is written, so that a kill in between leaves no file that nobody knows.
    """

    def __init__(self, folder: Path, *, continued: bool) -> None:
        """`continued`: the run was in this folder before."""
        self._folder, self._new = folder, set[str]()
        try:
            self._known: dict[str, Any] = read_object(folder / FILE) if continued else {}
        except UserError:  # none was written yet, or by an older version
            self._known = {}

    def claim(self, path: Path, step: int) -> None:
        """To be called before a model is written."""
        self._new.add(self._name(path))
        self._record(path, step, [])

    def written(self, path: Path, step: int) -> None:
        """To be called when it is there."""
        self._record(path, step, _stamp(path))

    def step_of(self, path: Path) -> int:
        """The step of the model that the run wrote there before it was continued; -1 if what is there is another's."""
        name = self._name(path)
        entry = self._known.get(name)
        if not isinstance(entry, dict) or name in self._new or not path.exists():
            return -1
        values = cast("dict[str, Any]", entry)
        step, stamp = values.get("step"), values.get("stamp")
        return step if isinstance(step, int) and stamp in ([], _stamp(path)) else -1

    def set_aside(self, path: Path, other: Path) -> None:
        """Give a model that the run wrote another name."""
        step = self.step_of(path)
        path.replace(other)
        self._known.pop(self._name(path), None)
        self.written(other, step)

    def _record(self, path: Path, step: int, stamp: list[int]) -> None:
        self._known[self._name(path)] = {"step": step, "stamp": stamp}
        write_text(self._folder / FILE, json.dumps(self._known, indent=1, ensure_ascii=False) + "\n")

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix() if path.is_relative_to(self._folder) else str(path)


def _stamp(path: Path) -> list[int]:
    """Size and time of a file; of a folder of the newest file in it."""
    files = [file.stat() for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    return [sum(file.st_size for file in files), max((file.st_mtime_ns for file in files), default=0)]
