"""What earlier scans have read, by file: an Arrow table in which each row is believed while its files do not change."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from modules.data.facts import NO_STAMP, CaptionFacts, Facts, ImageFacts, Stamp
from modules.data.folders import Entry
from modules.system.files import staged_file

SCHEMA = pa.schema(
    [
        ("path", pa.large_string()),
        *((name, pa.int64()) for name in ("size", "mtime_ns", "ctime_ns")),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("reason", pa.large_string()),
        ("caption", pa.large_string()),
        *((name, pa.int64()) for name in ("caption_size", "caption_mtime_ns", "caption_ctime_ns")),
        ("lines", pa.large_list(pa.large_string())),
    ],
    metadata={"seachange": "scan 1"},
)

# A file written twice within one tick of the file system's clock has the same stamp twice. So what was read of a file
# that had only just been written is believed for this scan and not kept for the next.
TICK_NS = 50_000_000


class Known(NamedTuple):
    """What was read of an image and its caption, and the stamps of the files that it was read from."""

    stamp: Stamp
    image: ImageFacts
    caption: str
    caption_stamp: Stamp
    text: CaptionFacts


NOTHING = Known(NO_STAMP, ImageFacts(0, 0, ""), "", NO_STAMP, CaptionFacts([], ""))


class Memo:
    """Facts by path of the image."""

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}

    @classmethod
    def read(cls, file: Path) -> Memo:
        """What a file remembers. Nothing, if it is missing, torn, or of another release: it can be made again."""
        memo = cls()
        try:
            with pa.memory_map(str(file)) as source:
                table = pa.ipc.open_file(source).read_all()
                if table.schema != SCHEMA or table.schema.metadata != SCHEMA.metadata:
                    return memo
                columns = [column.to_pylist() for column in table.itercolumns()]
        except (OSError, pa.ArrowInvalid):
            return memo
        for path, s, m, c, width, height, reason, caption, cs, cm, cc, lines in zip(*columns, strict=True):
            image = ImageFacts(width, height, reason)
            memo._known[path] = Known(Stamp(s, m, c), image, caption, Stamp(cs, cm, cc), CaptionFacts(lines, ""))
        return memo

    def facts(self, entry: Entry) -> Facts:
        """What is known of an entry as it is now; None for what is not, or has no file."""
        known = self._known.get(str(entry.path), NOTHING)
        same = known.caption_stamp == entry.caption_stamp != NO_STAMP and known.caption == str(entry.caption)
        return Facts(known.image if known.stamp == entry.stamp else None, known.text if same else None)

    def learn(self, entry: Entry, facts: Facts) -> None:
        """Take in what was read of an entry; what was not read of it is as before."""
        known = self._known.get(str(entry.path), NOTHING)
        if facts.image:
            known = known._replace(stamp=entry.stamp, image=facts.image)
        if facts.caption:
            known = known._replace(caption=str(entry.caption), caption_stamp=entry.caption_stamp, text=facts.caption)
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


def _row(path: str, known: Known, now: int) -> tuple[object, ...] | None:
    if _fresh(known.stamp, now):
        return None
    if known.text.problem or _fresh(known.caption_stamp, now):
        known = known._replace(caption_stamp=NO_STAMP, text=CaptionFacts([], ""))
    return path, *known.stamp, *known.image, known.caption, *known.caption_stamp, known.text.lines


def _fresh(stamp: Stamp, now: int) -> bool:
    return now - max(stamp.mtime_ns, stamp.ctime_ns) < TICK_NS
