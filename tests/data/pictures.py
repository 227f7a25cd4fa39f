"""Small folders of images to test with."""

from __future__ import annotations

import os
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
