"""A folder as a source: its images, and the caption files of each, in an order that all systems agree on."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from modules.data.image_errors import PLUGIN_KINDS
from modules.data.source.pairing import Names, near_misses
from modules.data.source.source import CaptionFile, DataFile, Entry, Kinds, Listing, Remarks
from modules.errors import UserError, system_error
from modules.preset.sections.concept import Concept
from modules.sentences.problem import Problem, problem
from modules.system.reading import look_at
from modules.system.sorting import natural_key
from modules.system.stamps import NO_STAMP, Stamp, stamp_of

JPEG = (".jpg", ".jpeg", ".jpe", ".jfif", ".jfi")
KINDS = (*JPEG, ".png", ".webp", ".bmp", ".gif", ".avif", ".tif", ".tiff", *PLUGIN_KINDS)
# Pictures that are not read: counted, so that nobody misses them in silence.
OTHER_KINDS = (
    ".heic", ".heif", ".jxl", ".jp2", ".tga", ".psd", ".psb", ".xcf", ".kra", ".clip", ".svg", ".ico", ".exr", ".hdr",
    ".dds", ".pcx", ".ppm", ".pgm", ".qoi", ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf",
)  # fmt: skip
MASK, CONDITION = "-masklabel.png", "-condlabel.png"  # behind the name of the image that they belong to
NOT_IMAGES = (MASK, CONDITION)
KOHYA_LATENTS = re.compile(r"_\d{4}x\d{4}(_[a-z0-9]+)*\.npz$")

Files = dict[str, os.DirEntry[str]]  # by key
Unreadable = list[tuple[str, Problem]]  # keys, and why


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
        address = self.address(key)  # no Path: ten times as fast
        if not stat.S_ISREG(os.stat(address).st_mode):  # noqa: PTH116 - reading a pipe or a device may never end
            raise FileNotFoundError(errno.ENOENT, "it is not a file", address)
        return open(address, "rb")  # noqa: PTH123

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
            texts = [key for key, _ in unreadable if key.lower().endswith(endings)]
            found = self._entries(files, texts)
        except PermissionError as error:
            raise UserError("concept.forbidden", title=title, folder=error.filename) from error
        images = [(key, why) for key, why in unreadable if key.lower().endswith(KINDS)]
        if not found:
            first = [problem("concept.first", file=key.rpartition("/")[2], reason=why) for key, why in images[:1]]
            why = _why_empty(self.concept, self.folder, files)
            raise UserError("concept.empty", title=title, why=why, first=first, kinds=list(KINDS))
        own = {text.file.key for entry in found for text in entry.captions if isinstance(text, CaptionFile)}
        remarks = self._remarks(found, files, own)
        own |= {file.key for file, _ in remarks.near_misses}
        return Listing(
            sorted(found, key=lambda entry: natural_key(entry.file.key)),
            [(self.address(key), why) for key, why in images],
            [(self.address(key), why) for key, why in unreadable if key in texts],
            [self.address(key) for key in files if key.lower().endswith(endings) and key not in own],
            remarks,
        )

    def _entries(self, files: Files, unreadable: list[str]) -> list[Entry]:
        """`unreadable`: what is named as a caption and is none; its image is to be left out."""
        texts = [(source, Names([*files, *unreadable], source.ending)) for source in self.concept.caption_files]
        masks, conditions = (Names(files, end) for end in NOT_IMAGES)
        found: list[Entry] = []
        for key, entry in files.items():
            name = key.lower()
            if not name.endswith(KINDS) or name.endswith(NOT_IMAGES):
                continue
            stem = _stem(key)
            captions: list[CaptionFile] = []
            for source, named in texts:
                text = named.of(stem) or f"{stem}{source.ending}"
                stamp = stamp_of(files[text].stat()) if text in files else NO_STAMP
                captions.append(CaptionFile(DataFile(self, text), stamp, source.key))
            image = DataFile(self, key)
            found.append(Entry(image, stamp_of(entry.stat()), tuple(captions), masks.of(stem), conditions.of(stem)))
        return found

    def _remarks(self, entries: list[Entry], files: Files, taken: set[str]) -> Remarks:
        misses: dict[DataFile, str] = {}
        for number, source in enumerate(self.concept.caption_files):
            texts = [(entry, text) for entry in entries if isinstance(text := entry.captions[number], CaptionFile)]
            bare = {_stem(entry.file.key): None for entry, text in texts if text.file.key not in files}
            others = Names(files, source.ending).besides(taken)
            for key, stem in near_misses(bare, others, (*KINDS, source.ending.lower())):
                misses.setdefault(DataFile(self, key), f"{stem}{source.ending}")
        return Remarks(
            tuple(misses.items()), _not_taken(files), () if self.concept.subfolders else _nested(self.folder),
            kohya_latents=sum(KOHYA_LATENTS.search(key) is not None for key in files),
        )  # fmt: skip


def on_disk(path: Path) -> DataFile:
    """A file that belongs to no concept."""
    return DataFile(FolderSource(path.parent, Concept()), path.name)


def _files(
    folder: Path, above: str, deep: bool, seen: set[tuple[int, int]], unreadable: Unreadable, endings: tuple[str, ...]
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


def _why_unreadable(entry: os.DirEntry[str], endings: tuple[str, ...]) -> Problem | None:
    """Why something cannot be read as a file or opened as a folder; None if it can."""
    try:
        mode = entry.stat().st_mode
    except FileNotFoundError:
        return Problem("reason.link")
    except OSError as error:
        circle = error.errno == errno.ELOOP
        return Problem("reason.circle") if circle else problem("reason.unreadable", error=error.strerror)
    if stat.S_ISDIR(mode):
        return Problem("reason.folder") if entry.name.lower().endswith(endings) else None
    return None if stat.S_ISREG(mode) else Problem("reason.device")


def _not_taken(files: Files) -> Kinds:
    """How many pictures there are of each kind that is not read."""
    endings = Counter(f".{key.lower().rpartition('.')[2]}" for key in files if not key.lower().endswith(KINDS))
    return tuple((ending, count) for ending, count in endings.most_common() if ending in OTHER_KINDS)


def _nested(folder: Path) -> tuple[str, ...]:
    """The folders inside that hold images, by their names."""
    with os.scandir(folder) as entries:
        return tuple(sorted(each.name for each in entries if not each.name.startswith(".") and _holds_images(each)))


def _holds_images(entry: os.DirEntry[str]) -> bool:
    try:
        if not entry.is_dir():
            return False
        with os.scandir(entry) as entries:
            return any(inside.name.lower().endswith(KINDS) and not inside.name.startswith(".") for inside in entries)
    except OSError:  # not ours to read
        return False


def _stem(key: str) -> str:
    return key.rpartition(".")[0]


def _refuse_no_folder(title: str, concept: Concept, folder: Path) -> None:
    if not concept.path.strip():
        raise UserError("concept.no-folder", title=title)
    look_at(folder)
    if not folder.exists():
        raise UserError("concept.folder-missing", title=title, folder=folder)
    if not folder.is_dir():
        raise UserError("concept.file", title=title, folder=folder)


def _why_empty(concept: Concept, folder: Path, files: Files) -> Problem:
    kinds = in_kinds(_not_taken(files))
    code = "concept.other-kinds" if kinds else "concept.other-files" if files else "concept.no-images"
    found = problem(code, folder=folder, others=len(files), kinds=kinds)
    if concept.subfolders or not any(child.is_dir() for child in folder.iterdir()):
        return found
    return problem("concept.has-folders", found=found)


def in_kinds(counts: Iterable[tuple[str, int]]) -> list[str]:
    """ "3 .heic", "1 .tga"."""
    return [f"{count:,} {ending}" for ending, count in counts]
