"""Tar archives as a source: one, or a folder of them, with captions and masks in them and indexes beside them."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from modules.data.source.folders import KINDS, NOT_IMAGES
from modules.data.source.packed import PackedSource, is_packed
from modules.data.source.pairing import Names
from modules.data.source.source import CaptionFile, DataFile, Entry
from modules.data.source.tar_file import Member, TarFile, section, tar_file
from modules.preset.sections.concept import Concept
from modules.preset.text.caption_sources import CaptionSource
from modules.sentences.problem import Problem
from modules.system.sorting import natural_key
from modules.system.stamps import NO_STAMP, Stamp

ENDING = ".tar"
# Where captions are if no file has the ending that the concept asks for: WebDataset's shards have any of them.
INSTEAD = (".txt", ".caption", ".json")


class TarSource(PackedSource):
    """Keys are `<archive>/<name in it>`."""

    ENDING = ENDING

    def open(self, key: str) -> BinaryIO:
        archive, member = self._found(key)
        return section(archive, member)

    def length(self, key: str) -> int:
        return self._found(key)[1].size

    def stamp(self, key: str) -> Stamp:
        """Of the archive: a file in it changes with the whole."""
        try:
            archive, _ = self._found(key)
            return tar_file(archive).stamp
        except OSError:
            return NO_STAMP

    def _found(self, key: str) -> tuple[Path, Member]:
        archive = _archive_of(self.folder, key)
        held = tar_file(self.folder / archive) if archive else None
        member = held.members.get(key[len(archive) + 1 :]) if held else None
        if member is None:
            raise FileNotFoundError(errno.ENOENT, "it is not in the archive", self.address(key))
        return self.folder / archive, member

    def _entries(self, name: str) -> tuple[list[Entry], Problem | None]:
        held = tar_file(self.folder / name)
        return list(self._images(name, held)), held.torn

    def _images(self, archive: str, held: TarFile) -> Iterator[Entry]:
        names = list(held.members)
        texts = {source: _texts(names, source) for source in self.concept.caption_files}
        beside = [Names(names, ending) for ending in NOT_IMAGES]
        images = [name for name in names if name.lower().endswith(KINDS) and not name.lower().endswith(NOT_IMAGES)]
        for name in sorted(images, key=natural_key):
            stem, told = name.rpartition(".")[0], held.members[name].captions
            captions = [self._caption(archive, held, named, stem, source) for source, named in texts.items()]
            if told and captions and isinstance(captions[0], CaptionFile) and captions[0].stamp == NO_STAMP:
                captions[0] = told
            mask, condition = (f"{archive}/{key}" if (key := named.of(stem)) else "" for named in beside)
            yield Entry(DataFile(self, f"{archive}/{name}"), held.stamp, tuple(captions), mask, condition)

    def _caption(
        self, archive: str, held: TarFile, named: Names, stem: str, source: CaptionSource
    ) -> CaptionFile | tuple[str, ...]:
        """WebDataset's key of a file ends at the first dot of its name: "1.cropped.jpg" belongs to "1.txt"."""
        path = PurePosixPath(stem)
        short = str(path.with_name(path.name.partition(".")[0])) if path.name.partition(".")[0] else stem
        found = named.of(stem) or named.of(short)
        file = DataFile(self, f"{archive}/{found or stem + source.ending}")
        return CaptionFile(file, held.stamp if found else NO_STAMP, source.key)


def _texts(names: list[str], source: CaptionSource) -> Names:
    """The captions of an archive with the ending that is asked for, or with one that shards usually have."""
    endings = dict.fromkeys([source.ending, *(INSTEAD if source.ending in INSTEAD and not source.key else ())])
    found = (Names(names, ending) for ending in endings)
    return next((named for named in found if named.besides(())), Names((), source.ending))


def tars_at(path: Path, concept: Concept, number: int) -> TarSource | None:
    """The source of an archive, or of a folder that has archives and no images beside them."""
    if path.name.lower().endswith(ENDING) and path.is_file():
        return TarSource(path.parent, concept, number, path.name)
    return TarSource(path, concept, number) if is_packed(path, ENDING) else None


@lru_cache(1024)
def _archive_of(folder: Path, key: str) -> str:
    """The part of a key that is an archive; "" where none is."""
    parts = key.split("/")
    for count in range(1, len(parts)):
        archive = "/".join(parts[:count])
        if archive.lower().endswith(ENDING) and (folder / archive).is_file():
            return archive
    return key if key.lower().endswith(ENDING) else ""
