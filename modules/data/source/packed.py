"""Files that hold many images, one of them or a folder of them: what archives and Parquet files have in common."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

import pyarrow as pa

from modules.data.source.folders import KINDS
from modules.data.source.source import Entry, Listing
from modules.errors import UserError
from modules.preset.sections.concept import Concept
from modules.sentences.printable import printable
from modules.sentences.problem import Problem, problem
from modules.system.sorting import natural_key
from modules.system.stamps import Stamp, stamp_of


@dataclass(frozen=True)
class PackedSource(ABC):
    """Keys begin with the path of a file in the folder. `single`: the one file that is meant."""

    ENDING: ClassVar[str]

    folder: Path
    concept: Concept
    number: int = 0
    single: str = ""

    def __hash__(self) -> int:
        return hash((self.folder, self.single))

    @property
    def title(self) -> str:
        return self.single[: -len(self.ENDING)] or self.folder.name

    @property
    def place(self) -> str:
        return str(self.folder / self.single) if self.single else str(self.folder)

    @abstractmethod
    def open(self, key: str) -> BinaryIO: ...

    def head(self, key: str, count: int) -> bytes:
        with self.open(key) as file:
            return file.read(count)

    def length(self, key: str) -> int:
        with self.open(key) as file:
            return file.seek(0, os.SEEK_END)

    @abstractmethod
    def stamp(self, key: str) -> Stamp: ...

    def caption_keys(self, key: str) -> tuple[str, ...]:
        """None: what is in such a file is not changed one by one."""
        return ()

    def address(self, key: str) -> str:
        return os.path.join(self.folder, key.replace("/", os.sep))  # noqa: PTH118 - ten times as fast, for every row

    def path(self, key: str) -> Path | None:
        return None

    def listing(self) -> Listing:
        """Files naturally sorted, and so what is in each. A damaged one is named, and the others are taken."""
        entries: list[Entry] = []
        bad: list[tuple[str, Problem]] = []
        for name in self._names():
            try:
                found, torn = self._entries(name)
            except OSError as error:
                found, torn = [], problem("reason.unreadable", error=error.strerror or str(error))
            except (UserError, pa.ArrowException, ValueError) as error:
                found, torn = [], problem("reason.damaged", error=printable(error, line=True))
            entries += found
            bad += [(self.address(name), torn)] if torn else []
        if not entries:
            first = [problem("concept.first", file=Path(place).name, reason=why) for place, why in bad[:1]]
            why, title = problem("concept.no-images", folder=self.place), self.concept.name or self.title
            raise UserError("concept.empty", title=title, why=why, first=first, kinds=list(KINDS))
        return Listing(entries, bad, [], [])

    def state(self) -> str:
        """What changes when any of the files does, or an index beside one; "" while one is being written.

        Raises:
            OSError: one has just gone.
        """
        paths = [self.folder / name for name in self._names()]
        beside = [path for path in (each.with_suffix(".json") for each in paths) if path.exists()]
        stamps = [(str(path), stamp_of(path.stat())) for path in (*paths, *beside)]
        return "" if any(stamp.is_fresh() for _, stamp in stamps) else repr((stamps, self.concept.caption_files))

    def archives(self) -> list[Stamp]:
        """As `Source.archives`; not of those that have just gone."""
        found: list[Stamp] = []
        for name in self._names():
            with suppress(OSError):
                found.append(stamp_of((self.folder / name).stat()))
        return found

    def _names(self) -> list[str]:
        """Naturally sorted."""
        return [self.single] if self.single else sorted(files_below(self.folder, self.ENDING), key=natural_key)

    @abstractmethod
    def _entries(self, name: str) -> tuple[list[Entry], Problem | None]:
        """The images of a file, and why it ends early if it does.

        Raises:
            OSError, UserError, pa.ArrowException: it cannot be read.
        """
        ...


def files_below(folder: Path, ending: str) -> Iterator[str]:
    """The paths inside a folder of all files in it and below it that end so, with "/"."""
    for inside, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.lower().endswith(ending) and not name.startswith("."):
                yield (Path(inside) / name).relative_to(folder).as_posix()


def is_packed(folder: Path, ending: str) -> bool:
    """Whether a folder and those in it have files of this ending, and no image beside any of them."""
    found = False
    for name in _names_below(folder):
        if name.endswith(KINDS):
            return False
        found = found or name.endswith(ending)
    return found


def _names_below(folder: Path | str) -> Iterator[str]:
    """In small letters, as the disk gives them: the first image of a million is found at once."""
    folders: list[str] = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                yield entry.name.lower()
    for each in folders:
        yield from _names_below(each)
