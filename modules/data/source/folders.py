"""A folder as a source: its images, and the caption files of each, in an order that all systems agree on."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from modules.data.source.source import CaptionFile, DataFile, Entry, Listing
from modules.errors import UserError, system_error
from modules.preset.sections.concept import Concept
from modules.sentences.problem import Problem, problem
from modules.system.sorting import natural_key
from modules.system.stamps import NO_STAMP, Stamp, stamp_of

KINDS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".avif", ".tif", ".tiff")
MASK, CONDITION = "-masklabel.png", "-condlabel.png"  # behind the name of the image that they belong to
NOT_IMAGES = (MASK, CONDITION)

Files = dict[str, os.DirEntry[str]]  # by key
Unreadable = list[tuple[str, str]]  # keys, and why


@dataclass(frozen=True)
class FolderSource:
    """The folder of the preset's `number`-th concept. Keys are paths inside it."""

    folder: Path
    concept: Concept
    number: int = 0

    def __hash__(self) -> int:
        return hash(self.folder)  # a concept has sixty settings

    @property
    def title(self) -> str:
        return self.folder.name

    @property
    def place(self) -> str:
        return str(self.folder)

    def open(self, key: str) -> BinaryIO:
        path = self.path(key)
        if path.exists() and not path.is_file():  # reading a pipe or a device may never end
            raise FileNotFoundError(errno.ENOENT, "it is not a file", str(path))
        return path.open("rb")

    def stamp(self, key: str) -> Stamp:
        try:
            return stamp_of(self.path(key).stat())
        except OSError:
            return NO_STAMP

    def caption_keys(self, key: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(f"{_stem(key)}{source.ending}" for source in self.concept.caption_files))

    def address(self, key: str) -> str:
        return os.path.join(self.folder, key.replace("/", os.sep))  # noqa: PTH118 - ten times as fast, for every row

    def path(self, key: str) -> Path:
        return self.folder / key

    def listing(self) -> Listing:
        """Naturally sorted: 2 before 10, capitals or not."""
        title = self.concept.name or self.folder.name or f"number {self.number + 1}"
        try:
            _refuse_no_folder(title, self.concept, self.folder)
        except OSError as error:  # a name that is too long, links in a circle
            raise system_error(error) or error from error
        unreadable: Unreadable = []
        endings = tuple(dict.fromkeys(source.ending.lower() for source in self.concept.caption_files))
        try:
            walked = _files(self.folder, "", self.concept.subfolders, set(), unreadable, endings)
            files = dict(walked)
            found = self._entries(files)
        except PermissionError as error:
            raise UserError("concept.forbidden", title=title, folder=error.filename) from error
        images = [(key, why) for key, why in unreadable if key.lower().endswith(KINDS)]
        if not found:
            first = [problem("concept.first", file=key.rpartition("/")[2], reason=why) for key, why in images[:1]]
            why = _why_empty(self.concept, self.folder, len(files))
            raise UserError("concept.empty", title=title, why=why, first=first, kinds=list(KINDS))
        own = {text.file.key for entry in found for text in entry.captions if isinstance(text, CaptionFile)}
        return Listing(
            sorted(found, key=lambda entry: natural_key(entry.file.key)),
            [(self.address(key), why) for key, why in images],
            [(self.address(key), why) for key, why in unreadable if key.lower().endswith(endings)],
            [self.address(key) for key in files if key.lower().endswith(endings) and key not in own],
        )

    def _entries(self, files: Files) -> list[Entry]:
        texts = [(source, _by_stem(source.ending, files)) for source in self.concept.caption_files]
        beside = {key.lower(): key for key in files if key.lower().endswith(NOT_IMAGES)}
        found: list[Entry] = []
        for key, entry in files.items():
            name = key.lower()
            if not name.endswith(KINDS) or name.endswith(NOT_IMAGES):
                continue
            captions: list[CaptionFile] = []
            for source, named in texts:
                text = named.get(_stem(key))
                stamp = stamp_of(files[text].stat()) if text else NO_STAMP
                captions.append(CaptionFile(DataFile(self, text or f"{_stem(key)}{source.ending}"), stamp, source.key))
            mask, condition = (beside.get(f"{_stem(name)}{end}", "") for end in NOT_IMAGES)
            found.append(Entry(DataFile(self, key), stamp_of(entry.stat()), tuple(captions), mask, condition))
        return found


def on_disk(path: Path) -> DataFile:
    """A file that belongs to no concept."""
    return DataFile(FolderSource(path.parent, Concept()), path.name)


def _files(
    folder: Path,
    above: str,
    deep: bool,
    seen: set[tuple[int, int]],
    unreadable: Unreadable,
    endings: tuple[str, ...],
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """(key, entry) of every printable file. A folder that links lead to twice is taken once.

    What is neither a file nor a folder goes into `unreadable`: reading a pipe or a device may never end.
    """
    about = folder.stat()
    if (about.st_dev, about.st_ino) in seen:
        return
    seen.add((about.st_dev, about.st_ino))
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        if entry.name.startswith("."):
            continue
        why = _why_unreadable(entry, endings)
        if why:
            unreadable.append((f"{above}{entry.name}", why))
        elif not entry.is_dir():
            yield f"{above}{entry.name}", entry
        elif deep:
            yield from _files(Path(entry.path), f"{above}{entry.name}/", deep, seen, unreadable, endings)


def _why_unreadable(entry: os.DirEntry[str], endings: tuple[str, ...]) -> str:
    """Why something cannot be read as a file or opened as a folder; "" if it can."""
    try:
        mode = entry.stat().st_mode
    except FileNotFoundError:
        return "it is a link to something that is not there"
    except OSError as error:
        circle = error.errno == errno.ELOOP
        return "it is a link that leads back to itself" if circle else f"it cannot be read ({error.strerror})"
    if stat.S_ISDIR(mode):
        return "it is a folder" if entry.name.lower().endswith(endings) else ""
    return "" if stat.S_ISREG(mode) else "it is a pipe or a device, not a file"


def _by_stem(ending: str, files: Iterable[str]) -> dict[str, str]:
    """The files with an ending, in capitals or not, by what stands before it."""
    return {key[: -len(ending)]: key for key in files if key.lower().endswith(ending.lower())}


def _stem(key: str) -> str:
    return key.rpartition(".")[0]


def _refuse_no_folder(title: str, concept: Concept, folder: Path) -> None:
    if not concept.path.strip():
        raise UserError("concept.no-folder", title=title)
    if not folder.exists():
        raise UserError("concept.folder-missing", title=title, folder=folder)
    if not folder.is_dir():
        raise UserError("concept.file", title=title, folder=folder)


def _why_empty(concept: Concept, folder: Path, others: int) -> Problem:
    found = problem("concept.other-files" if others else "concept.no-images", folder=folder, others=others)
    if concept.subfolders or not any(child.is_dir() for child in folder.iterdir()):
        return found
    return problem("concept.has-folders", found=found)
