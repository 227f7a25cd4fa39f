"""A source in memory, in a file without torch: processes that read it import this and no test."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from modules.data.source.source import CaptionFile, DataFile, Entry, Listing
from modules.system.stamps import NO_STAMP, Stamp

SCHEME = "memory:"


@dataclass
class MemorySource:
    """Files by key. With `knows`, sizes and captions are listed, as of a table, and captions are no files."""

    files: dict[str, bytes] = field(default_factory=dict)
    knows: bool = False
    title: str = "robots"
    folder: Path | None = None

    @property
    def place(self) -> str:
        return f"{SCHEME}{self.title}"

    def state(self) -> str:
        return ""

    def listing(self) -> Listing:
        images = sorted(key for key in self.files if key.endswith(".png") and "label" not in key)
        return Listing([self._entry(key) for key in images], [], [], [])

    def _entry(self, key: str) -> Entry:
        stem, file = key.removesuffix(".png"), DataFile(self, key)
        mask = f"{stem}-masklabel.png"
        text = self.files[f"{stem}.txt"].decode()
        caption = (text,) if self.knows else self._caption(f"{stem}.txt")
        size = Image.open(io.BytesIO(self.files[key])).size if self.knows else None
        return Entry(file, self.stamp(key), (caption,), mask if mask in self.files else "", size=size)

    def _caption(self, key: str) -> CaptionFile:
        return CaptionFile(DataFile(self, key), self.stamp(key), "")

    def open(self, key: str) -> io.BytesIO:
        if key not in self.files:
            raise FileNotFoundError(key)
        return io.BytesIO(self.files[key])

    def head(self, key: str, count: int) -> bytes:
        return self.open(key).read(count)

    def length(self, key: str) -> int:
        return len(self.open(key).read())

    def stamp(self, key: str) -> Stamp:
        data = self.files.get(key)
        return NO_STAMP if data is None else Stamp(len(data), zlib.crc32(data), 1)

    def archives(self) -> tuple[Stamp, ...]:
        return ()

    def caption_keys(self, key: str) -> tuple[str, ...]:
        return () if self.knows else (f"{key.removesuffix('.png')}.txt",)

    def address(self, key: str) -> str:
        return f"{self.place}#{key}"

    def path(self, key: str) -> Path | None:
        return None
