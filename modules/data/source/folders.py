"""A folder as a source: its images, and the caption files of each, in an order that all systems agree on."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np

from modules.data.image_errors import PLUGIN_KINDS
from modules.data.source.entries import CaptionColumn, Entries, Stamps, absent
from modules.data.source.pairing import Names, near_misses
from modules.data.source.source import DataFile, Kinds, Listing, Remarks
from modules.errors import UserError, system_error
from modules.preset.sections.concept import Concept
from modules.preset.text.caption_sources import CaptionSource
from modules.sentences.problem import Problem, problem
from modules.system.files_below import FilesBelow
from modules.system.reading import look_at
from modules.system.sorting import natural_order
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

# No waiting for a pipe's other end, and on Windows no line endings.
FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)
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

    def length(self, key: str) -> int:
        return os.stat(self.address(key)).st_size  # noqa: PTH116

    def stamp(self, key: str) -> Stamp:
        try:
            return stamp_of(os.stat(self.address(key)))  # noqa: PTH116
        except OSError:
            return NO_STAMP

    def archives(self) -> tuple[Stamp, ...]:
        return ()

    def caption_keys(self, key: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(f"{_stem(key)}{source.ending}" for source in self.concept.caption_files))

    def address(self, key: str) -> str:
        if key.startswith("/") or key[1:2] == ":":
            return os.path.join(self.folder, key.replace("/", os.sep))  # noqa: PTH118 - a whole path, of a list
        return self._prefix + key.replace("/", os.sep)

    @cached_property
    def _prefix(self) -> str:
        return os.path.join(self.folder, "")  # noqa: PTH118 - no Path: twenty times as fast, for every row

    def path(self, key: str) -> Path:
        return self.folder / key

    def head(self, key: str, count: int) -> bytes:
        # Three calls of the system instead of seven. What is no file by now gives nothing, and no pipe is waited for.
        file = os.open(self.address(key), FLAGS)
        try:
            return os.read(file, count)
        except BlockingIOError:
            return b""
        finally:
            os.close(file)

    def state(self) -> str:
        """Of loose files nothing less than the listing tells."""
        return ""

    def listing(self) -> Listing:
        """Naturally sorted: 2 before 10, capitals or not."""
        title = self.concept.name or self.folder.name or f"number {self.number + 1}"
        try:
            _refuse_no_folder(title, self.concept, self.folder)
        except OSError as error:  # a name that is too long, links in a circle
            raise system_error(error) or error from error
        endings = tuple(dict.fromkeys(source.ending.lower() for source in self.concept.caption_files))
        files = FilesBelow(endings, deep=self.concept.subfolders)
        try:
            files.walk(self.folder)
            images = [(key, why) for key, why in files.unreadable if key.lower().endswith(KINDS)]
            entries = self._entries(files)
            if not entries:
                first = [problem("concept.first", file=key.rpartition("/")[2], reason=why) for key, why in images[:1]]
                why = _why_empty(self.concept, self.folder, files)
                raise UserError("concept.empty", title=title, why=why, first=first, kinds=list(KINDS))
        except PermissionError as error:
            raise UserError("concept.forbidden", title=title, folder=error.filename) from error
        own = {key for column in entries.captions for key in column.keys}
        remarks = self._remarks(entries, files, own)
        own |= {file.key for file, _ in remarks.near_misses}
        texts = [(key, why) for key, why in files.unreadable if key.lower().endswith(endings)]
        return Listing(
            entries,
            [(self.address(key), why) for key, why in images],
            [(self.address(key), why) for key, why in texts],
            [self.address(key) for key in self._texts(files, endings) if key not in own],
            remarks,
        )

    def _texts(self, files: FilesBelow, endings: tuple[str, ...]) -> list[str]:
        """Every file that is named as a caption is."""
        places = {place for ending in endings for place in files.ending_in(ending)}
        return [files.keys[place] for place in sorted(places)]

    def _entries(self, files: FilesBelow) -> Entries:
        beside = [Names((files.keys[place] for place in files.ending_in(end)), end) for end in NOT_IMAGES]
        others = {place for end in NOT_IMAGES for place in files.ending_in(end)}
        places = sorted({place for kind in KINDS for place in files.endings.get(kind, ())} - others)
        keys = [files.keys[place] for place in places]
        order = natural_order(keys)
        places, keys = [places[i] for i in order], [keys[i] for i in order]
        stems, stamps = [_stem(key) for key in keys], files.stamps()
        masks, conditions = ([names.of(stem) for stem in stems] for names in beside)
        captions = [self._captions(source, stems, files, stamps) for source in self.concept.caption_files]
        return Entries(self, keys, stamps[places], captions, masks, conditions)

    def _captions(self, source: CaptionSource, stems: list[str], files: FilesBelow, stamps: Stamps) -> CaptionColumn:
        # What is named as a caption and is none stands here as one that is missing; its image is to be left out.
        there = {files.keys[place]: place for place in files.ending_in(source.ending)}
        names = Names(chain(there, (key for key, _ in files.unreadable)), source.ending)
        keys = [names.of(stem) or f"{stem}{source.ending}" for stem in stems]
        found = np.array([there.get(key, -1) for key in keys], dtype=np.int64)
        stamps = np.where((found >= 0)[:, None], stamps[found], absent(1)) if len(stamps) else absent(len(keys))
        return CaptionColumn(keys, stamps, source.key, {})

    def _lone(self, files: FilesBelow, source: CaptionSource, taken: set[str]) -> dict[str, str]:
        """Captions that belong to no image, by their stems."""
        return Names((files.keys[place] for place in files.ending_in(source.ending)), source.ending).besides(taken)

    def _remarks(self, entries: Entries, files: FilesBelow, taken: set[str]) -> Remarks:
        misses: dict[DataFile, str] = {}
        for source, column in zip(self.concept.caption_files, entries.captions, strict=True):
            missing = np.flatnonzero(column.stamps[:, 0] == NO_STAMP.size).tolist()
            if missing and (others := self._lone(files, source, taken)):
                bare = {_stem(entries.keys[place]): None for place in missing}
                for key, stem in near_misses(bare, others, (*KINDS, source.ending.lower())):
                    misses.setdefault(DataFile(self, key), f"{stem}{source.ending}")
        archives = (files.keys[place] for place in files.endings.get(".npz", ()))
        latents = sum(KOHYA_LATENTS.search(key) is not None for key in archives)
        nested = tuple(sorted(each.name for each in files.folders if _holds_images(each)))
        return Remarks(tuple(misses.items()), _not_taken(files), nested, kohya_latents=latents)


def on_disk(path: Path) -> DataFile:
    """A file that belongs to no concept."""
    return DataFile(FolderSource(path.parent, Concept()), path.name)


def _not_taken(files: FilesBelow) -> Kinds:
    """How many pictures there are of each kind that is not read."""
    counts = [(ending, len(places)) for ending, places in files.endings.items() if ending in OTHER_KINDS]
    return tuple(sorted(counts, key=lambda each: -each[1]))


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


def _why_empty(concept: Concept, folder: Path, files: FilesBelow) -> Problem:
    kinds = in_kinds(_not_taken(files))
    code = "concept.other-kinds" if kinds else "concept.other-files" if files.keys else "concept.no-images"
    found = problem(code, folder=folder, others=len(files.keys), kinds=kinds)
    if concept.subfolders or not any(child.is_dir() for child in folder.iterdir()):
        return found
    return problem("concept.has-folders", found=found)


def in_kinds(counts: Iterable[tuple[str, int]]) -> list[str]:
    """ "3 .heic", "1 .tga"."""
    return [f"{count:,} {ending}" for ending, count in counts]
