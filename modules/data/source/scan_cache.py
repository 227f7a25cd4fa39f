"""What earlier scans have read, by file: an Arrow table in which each row is believed while its files do not change."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from modules.data.source.file_info import NO_STAMP, CaptionInfo, FileInfo, ImageInfo, Stamp, TextFile
from modules.data.source.folders import Entry
from modules.system.files import staged_file

SCHEMA = pa.schema(
    [
        ("path", pa.large_string()),
        *((name, pa.int64()) for name in ("size", "mtime_ns", "ctime_ns")),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("reason", pa.large_string()),
        ("captions", pa.large_list(pa.large_string())),
        *((name, pa.large_list(pa.int64())) for name in ("caption_sizes", "caption_mtimes_ns", "caption_ctimes_ns")),
        ("keys", pa.large_list(pa.large_string())),
        ("lines", pa.large_list(pa.large_list(pa.large_string()))),
    ],
    metadata={"seachange": "scan 2"},
)

# A file written twice within one tick of the file system's clock has the same stamp twice. So what was read of a file
# that had only just been written is believed for this scan and not kept for the next.
TICK_NS = 50_000_000


class CachedInfo(NamedTuple):
    """What was read of an image and its caption files, and the stamps of the files that it was read from."""

    stamp: Stamp
    image: ImageInfo
    texts: tuple[tuple[TextFile, CaptionInfo], ...]


NO_LINES = CaptionInfo([], "")  # of a file that is not there
NO_INFO = CachedInfo(NO_STAMP, ImageInfo(0, 0, ""), ())


class ScanCache:
    """Facts by path of the image."""

    def __init__(self) -> None:
        self._known: dict[str, CachedInfo] = {}

    @classmethod
    def read(cls, file: Path) -> ScanCache:
        """What a file remembers. Nothing, if it is missing, torn, or of another release: it can be made again."""
        memo = cls()
        try:
            with pa.memory_map(str(file)) as source:
                table = pa.ipc.open_file(source).read_all()
                if table.schema != SCHEMA or table.schema.metadata != SCHEMA.metadata:
                    return memo
                table.validate(full=True)  # else damaged offsets would be followed to anywhere in memory
                if any(column.null_count for column in table.itercolumns()):
                    return memo
                columns = [column.to_pylist() for column in table.itercolumns()]
        except (OSError, pa.ArrowException, ValueError, MemoryError):
            return memo
        for path, s, m, c, width, height, reason, *texts in zip(*columns, strict=True):
            if len({len(column) for column in texts}) != 1:
                return cls()
            read = tuple(
                (TextFile(Path(name), Stamp(*stamp), key), CaptionInfo(lines, ""))
                for name, *stamp, key, lines in zip(*texts, strict=True)
            )
            memo._known[path] = CachedInfo(Stamp(s, m, c), ImageInfo(width, height, reason), read)
        return memo

    def facts(self, entry: Entry) -> FileInfo:
        """What is known of an entry as it is now; None for what is not, or has no file."""
        known = self._known.get(str(entry.path), NO_INFO)
        read = dict(known.texts)
        texts = tuple(NO_LINES if text.stamp == NO_STAMP else read.get(text) for text in entry.captions)
        return FileInfo(known.image if known.stamp == entry.stamp else None, texts)

    def learn(self, entry: Entry, facts: FileInfo, read: Sequence[TextFile]) -> None:
        """Take in what was read of an entry, and of these caption files; what was not read of it is as before."""
        known = self._known.get(str(entry.path), NO_INFO)
        if facts.image:
            known = known._replace(stamp=entry.stamp, image=facts.image)
        if read:
            new = {text: found for text, found in zip(read, facts.captions, strict=True) if found}
            again = {(text.path, text.key) for text in new}
            kept = [known_text for known_text in known.texts if (known_text[0].path, known_text[0].key) not in again]
            known = known._replace(texts=(*kept, *new.items()))
        self._known[str(entry.path)] = known

    def write(self, file: Path, entries: Sequence[Entry], folders: Iterable[Path]) -> None:
        """Replace the file as a whole. It forgets what is no longer in these folders, and keeps what lies elsewhere."""
        now = time.time_ns()
        here = tuple(f"{folder}{os.sep}" for folder in folders)
        kept = {str(entry.path) for entry in entries}
        rows = [
            _row(path, known, now) for path, known in self._known.items() if path in kept or not path.startswith(here)
        ]
        columns = list(zip(*(row for row in rows if row), strict=True)) or [()] * len(SCHEMA)
        table = pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)
        with staged_file(file) as draft, pa.OSFile(str(draft), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
            writer.write_table(table)


def _row(path: str, known: CachedInfo, now: int) -> tuple[object, ...] | None:
    if _fresh(known.stamp, now):
        return None
    kept = [(text, said) for text, said in known.texts if not said.problem and not _fresh(text.stamp, now)]
    stamps = zip(*(text.stamp for text, _ in kept), strict=True) if kept else ([], [], [])
    return (
        path, *known.stamp, *known.image, [str(text.path) for text, _ in kept], *map(list, stamps),
        [text.key for text, _ in kept], [said.lines for _, said in kept],
    )  # fmt: skip


def _fresh(stamp: Stamp, now: int) -> bool:
    return now - max(stamp.mtime_ns, stamp.ctime_ns) < TICK_NS
