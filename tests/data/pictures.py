"""Small folders of images to test with."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from modules.data.index import SCHEMA, Index
from modules.data.scan.scan import scan
from modules.data.source.folders import FolderSource
from modules.preset.preset import Preset
from modules.preset.sections.concept import Concept


def picture(path: Path, width: int = 32, height: int = 32, shade: int = 100, **options: Any) -> Path:
    """A gradient from left to right: no two columns are equal, so that mirroring shows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(0, 155, width)[None, :, None] + np.zeros((height, 1, 3)) + np.array([0, shade / 2, shade])
    Image.fromarray(ramp.clip(0, 255).astype(np.uint8)).save(path, **options)
    return path


def preset_of(*concepts: Mapping[str, Any], resolution: int = 32, **sections: Any) -> Preset:
    return Preset.model_validate(
        {"concepts": [dict(c) for c in concepts], "training": {"resolution": resolution}, **sections}
    )


def scanned(preset: Preset, cache: Path | None = None) -> Index:
    return scan(preset, cache=cache, report=lambda done, total: None, stop=lambda: False)


def aged(folder: Path) -> None:
    """Wait until the files of a folder are older than the tick within which a change may go unseen."""
    import time

    newest = max(p.stat().st_ctime_ns for p in folder.rglob("*"))
    while time.time_ns() - newest < 60_000_000:
        time.sleep(0.01)


def rewritten(path: Path, data: bytes) -> None:
    """Put other content of the same size and mtime into a file, as some tools do."""
    stat = path.stat()
    assert len(data) == stat.st_size
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def index_of(*members: tuple[int, int], concepts: tuple[Concept, ...] = (Concept(),)) -> Index:
    """An index of (concept, bucket) rows, without files."""
    numbers = [concept for concept, _ in members]
    buckets = [bucket for _, bucket in members]
    count = len(members)
    nothing = [""] * count
    names, sides = [f"{i}.png" for i in range(count)], [64] * count
    columns = [numbers, names, sides, sides, buckets, list(range(count)), nothing, nothing, [[]] * count]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)]
    shapes = [(32, 32 + 8 * i) for i in range(max(buckets, default=0) + 1)]
    return Index(
        pa.table(arrays, schema=SCHEMA),
        concepts,
        [FolderSource(Path("/nowhere"), concept) for concept in concepts],
        shapes,
    )


def colour_profile(space: bytes, tags: Mapping[bytes, bytes]) -> bytes:
    """A display profile (ICC version 4) of one colour space, as its standard lays it out."""
    table, data = b"", b""
    for name, content in tags.items():
        table += struct.pack(">4sII", name, 128 + 4 + 12 * len(tags) + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    head = struct.pack(">I4sI4s4s4s12s4s", 132 + len(table) + len(data), b"", 0x04000000, b"mntr", space, b"XYZ ",
                       bytes(12), b"acsp")  # fmt: skip
    white = struct.pack(">3i", 63190, 65536, 54061)  # D50
    return (head + bytes(28) + white).ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def _numbers(kind: bytes, *values: float) -> bytes:
    return kind + bytes(4) + struct.pack(f">{len(values)}i", *(round(65536 * value) for value in values))


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(256 * gamma))


def wide_colours() -> bytes:
    """The primaries of Display P3 (screens of Macs and iPhones), with a plain gamma of 2.2."""
    primaries = {b"r": (0.5151, 0.2412, -0.0011), b"g": (0.292, 0.6922, 0.0419), b"b": (0.1571, 0.0666, 0.7841)}
    tags = {name + b"XYZ": _numbers(b"XYZ ", *place) for name, place in primaries.items()}
    tags |= {name + b"TRC": _curve(2.2) for name in primaries} | {b"wtpt": _numbers(b"XYZ ", 0.9642, 1, 0.8249)}
    return colour_profile(b"RGB ", tags)


def grey_of_gamma(gamma: float) -> bytes:
    return colour_profile(b"GRAY", {b"kTRC": _curve(gamma), b"wtpt": _numbers(b"XYZ ", 0.9642, 1, 0.8249)})
