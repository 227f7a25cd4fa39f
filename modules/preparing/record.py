"""What a folder of prepared images was made of, as it goes: a line for each image and file, behind those before."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any

from modules.errors import UserError
from modules.preparing.beside import files_beside
from modules.preparing.planning import Planned
from modules.preparing.settings import Settings
from modules.system.files import write_text
from modules.system.reading import open_file

RECORD, VERSION = "prepared.jsonl", 1
# Settings that change no pixel of a single image: what is made stays made.
NOT_PIXELS = (
    "source", "subfolders", "out", "replace", "smallest", "copies", "aside", "kept", "points", "device", "offline",
)  # fmt: skip


class Record:
    """An image whose file, settings and frame are the same is not made again.

    A file that a person has changed since it was written is neither written over nor deleted; `kept` names these.
    Threads may write at once.
    """

    def __init__(self, folder: Path) -> None:
        """Read what is there.

        Raises:
            UserError: something else lies in the folder.
        """
        self.folder, self.kept = folder, set[str]()
        self._file = folder / RECORD
        self._made: dict[str, list[str]] = {}  # by the key of an image its name and its mark
        self._files: dict[str, list[int]] = {}  # by the name of a file its size and time
        self._lock = Lock()
        if self._file.is_file():
            self._read()
        elif folder.exists() and not (folder.is_dir() and all(path.name.startswith(".") for path in folder.iterdir())):
            raise UserError("prepare.not-empty", "out", folder=folder)

    def begin(self, planned: Sequence[Planned]) -> None:
        """Delete what was made of images that the plan leaves out, or makes under another name.

        Raises:
            OSError: the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        names = {each.key: each.name for each in planned}
        gone = {key: made[0] for key, made in self._made.items() if names.get(key) != made[0]}
        owned = files_beside(self._files, gone.values())
        for name in {*gone.values(), *(each for files in owned.values() for each, _ in files)}:
            if name in self._files and self.may_write(name):
                (self.folder / name).unlink(missing_ok=True)
                del self._files[name]
        for key in gone:
            del self._made[key]
        lines = [{"prepared": VERSION}, *({"image": key, "made": made} for key, made in self._made.items())]
        lines += [{"file": name, "stamp": stamp} for name, stamp in self._files.items()]
        write_text(self._file, "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines))

    def has(self, planned: Planned, settings: Settings) -> bool:
        """Whether it was made like this and is still there."""
        known = self._made.get(planned.key)
        return known == [planned.name, _mark(planned, settings)] and (self.folder / planned.name).is_file()

    def add(self, planned: Planned, settings: Settings) -> None:
        """An image is made, with all that lies beside it."""
        self._made[planned.key] = [planned.name, _mark(planned, settings)]
        self._append({"image": planned.key, "made": self._made[planned.key]})

    def may_write(self, name: str, data: memoryview | None = None) -> bool:
        """Whether a file is not there, or is as it was written. `data`: what would be written, and may be there."""
        path = self.folder / name
        found = _stamp(path)
        free = found is None or found == self._files.get(name)
        if not free and data is not None and found and found[0] == len(data):  # killed before it was noted
            with open_file(path) as file:
                free = memoryview(file.read()) == data
        if not free:
            self.kept.add(name)
        return free

    def wrote(self, name: str) -> None:
        """A file is as it was written now."""
        if (found := _stamp(self.folder / name)) is not None:
            self._files[name] = found
            self._append({"file": name, "stamp": found})

    def _append(self, line: dict[str, Any]) -> None:
        with self._lock, self._file.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(line, ensure_ascii=False)}\n")

    def _read(self) -> None:
        try:
            for line in self._lines():
                if "image" in line:
                    self._made[str(line["image"])] = [_inside(line["made"][0]), str(line["made"][1])]
                else:
                    self._files[_inside(line["file"])] = [int(line["stamp"][0]), int(line["stamp"][1])]
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise UserError("prepare.record", "out", file=self._file) from error

    def _lines(self) -> Iterator[dict[str, Any]]:
        with open_file(self._file) as file:
            text = file.read().decode("utf-8")
        first, *lines = text.split("\n")
        if json.loads(first)["prepared"] != VERSION:
            raise ValueError
        for line in lines[:-1]:  # the last is empty, or torn by a kill
            yield json.loads(line)


def _inside(name: object) -> str:
    """A name that leads nowhere else: files of strangers are deleted by no one's record."""
    path = PurePosixPath(str(name))
    if path.is_absolute() or ".." in path.parts or "\\" in str(name) or ":" in str(name):
        raise ValueError(name)
    return str(name)


def _stamp(path: Path) -> list[int] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return [about.st_size, about.st_mtime_ns]


def _mark(planned: Planned, settings: Settings) -> str:
    """Changes when the image would be made otherwise."""
    asked = settings.model_dump(mode="json", exclude=set(NOT_PIXELS))
    target = planned.target
    parts = [asked, planned.entry.stamp, target and [target.box, target.size], planned.name]
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]
