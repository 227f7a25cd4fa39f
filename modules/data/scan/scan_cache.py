"""What earlier scans have read of images and captions: each is believed while its file does not change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from modules.data.source.file_info import CaptionInfo, FileInfo, ImageInfo, ReadJob
from modules.data.source.source import CaptionFile, Entry, Source
from modules.sentences.problem import reason_from
from modules.system.read_cache import ReadCache, Row
from modules.system.stamps import NO_STAMP

IMAGES, CAPTIONS = "images 1", "captions 1"
NO_LINES = CaptionInfo([])  # of a file that is not there


def known_infos(cache: ReadCache, entries: Sequence[Entry]) -> list[FileInfo]:
    """What is known of each entry as it is now: by its source, or from an earlier scan; None for what is not."""
    images = cache.get(IMAGES, {str(entry.file): entry.stamp for entry in entries if not entry.size})
    captions = cache.get(
        CAPTIONS, {_name(text): text.stamp for entry in entries for text in _files(entry) if text.stamp != NO_STAMP}
    )

    def image(entry: Entry) -> ImageInfo | None:
        if entry.size:
            return ImageInfo(*entry.size)
        found = images.get(str(entry.file))
        if found is None:
            return None
        width, height, reason = json.loads(found)
        return ImageInfo(width, height, reason_from(reason))

    def caption(text: CaptionFile | tuple[str, ...]) -> CaptionInfo | None:
        if not isinstance(text, CaptionFile):
            return CaptionInfo(list(text))
        if text.stamp == NO_STAMP:
            return NO_LINES
        found = captions.get(_name(text))
        return None if found is None else CaptionInfo(json.loads(found))

    return [FileInfo(image(entry), tuple(caption(text) for text in entry.captions)) for entry in entries]


def job_of(entry: Entry, known: FileInfo) -> ReadJob:
    """What must still be read of an image and of its captions."""
    pairs = zip(entry.captions, known.captions, strict=True)
    unread = tuple(text for text, info in pairs if info is None and isinstance(text, CaptionFile))
    return ReadJob(None if known.image else entry.file, unread)


def completed(known: FileInfo, read: FileInfo) -> FileInfo:
    """What was known of an entry, and what its job has read now."""
    rest = iter(read.captions)
    return FileInfo(known.image or read.image, tuple(info or next(rest) for info in known.captions))


def keep(cache: ReadCache, entries: Sequence[Entry], jobs: Sequence[ReadJob], read: Sequence[FileInfo]) -> None:
    """Keep what these jobs have read. A caption file that is to be mended is read again."""
    images: dict[str, Row] = {}
    captions: dict[str, Row] = {}
    for entry, job, info in zip(entries, jobs, read, strict=True):
        if info.image:
            images[str(entry.file)] = entry.stamp, json.dumps(info.image, default=asdict).encode()
        for text, found in zip(job.captions, info.captions, strict=True):
            if found and not found.problem and not found.legacy:
                captions[_name(text)] = text.stamp, json.dumps(found.lines).encode()
    cache.put(IMAGES, images)
    cache.put(CAPTIONS, captions)


def forget_gone(cache: ReadCache, entries: Sequence[Entry]) -> None:
    """Forget what is no longer in their sources. What is there and not among them may be another concept's."""
    here = {str(entry.file) for entry in entries} | {_name(text) for entry in entries for text in _files(entry)}
    for source in {id(entry.file.source): entry.file.source for entry in entries}.values():
        prefix = source.address("")

        def is_gone(name: str, source: Source = source, start: int = len(prefix)) -> bool:
            return name not in here and source.stamp(name[start:].partition("\n")[0]) == NO_STAMP

        for table in (IMAGES, CAPTIONS):
            cache.forget(table, [name for name in cache.names(table, prefix) if is_gone(name)])


def _files(entry: Entry) -> list[CaptionFile]:
    return [text for text in entry.captions if isinstance(text, CaptionFile)]


def _name(text: CaptionFile) -> str:
    return f"{text.file}\n{text.field}"
