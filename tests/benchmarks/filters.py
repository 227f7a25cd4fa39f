"""CPU seconds of filters and weights over millions of images, and a real archive read by them from end to end.

python -m tests.benchmarks.filters [images]

Rows are made up, as a scan keeps them: 190 bytes of tags, a rating, a score and a weight each. The archive holds copies
of the starter's drawings under other numbers, with a JSON beside each.
"""

from __future__ import annotations

import io
import json
import random
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from modules.data.index import WEIGHTED, Index
from modules.data.order import epoch_length, epoch_order
from modules.data.scan.concept_table import OWN, ConceptTable, texts
from modules.data.scan.filters import filtered
from modules.data.scan.scan import scan
from modules.data.source.folders import FolderSource
from modules.data.source.source import Remarks
from modules.preset.preset import Preset
from modules.preset.sections.concept import Concept
from modules.system.bundled import resolve

T = TypeVar("T")
PART = 500_000
REAL = 2_000  # images of the archive
TAGS = "1girl, {}, solo, long hair, blue eyes, looking at viewer, smile, robot, standing, outdoors, " + 100 * "x"
HAIR = ("red_hair", "red hair", "blue hair", "green hair", "blonde hair")
RATINGS = ("general", "sensitive", "questionable", "explicit")
FACTS = ("rating", "score", "weight")
SETTINGS: dict[str, dict[str, object]] = {
    "with one of two tags": {"needs_tags": "red hair | blue hair"},
    "without three tags": {"without_tags": "comic, monochrome, red hair"},
    "smallest side": {"min_size": 1024},
    "rating": {"ratings": "g, s"},
    "score": {"min_score": "10"},
    "all of these, and weights": {
        "needs_tags": "red hair | blue hair", "without_tags": "comic", "min_size": 800, "ratings": "g, s",
        "min_score": "5", "weight_column": "weight",
    },
}  # fmt: skip


def clocked(what: str, work: Callable[[], T]) -> T:
    before = time.process_time()
    found = work()
    print(f"{what:40} {time.process_time() - before:7.2f} CPU s")
    return found


def made_up(images: int, facts: tuple[str, ...]) -> pa.Table:
    """Rows with these facts behind their captions."""
    draw, parts = np.random.default_rng(1), list[pa.Table]()
    for start in range(0, images, PART):
        count = min(PART, images - start)
        keys = pa.array([f"0001.tar/{number}.webp" for number in range(start, start + count)], pa.large_string())
        tags = [TAGS.format(HAIR[number]) for number in draw.integers(0, len(HAIR), count).tolist()]
        drawn = {
            "rating": [RATINGS[number] for number in draw.integers(0, 4, count).tolist()],
            "score": [str(number) for number in draw.integers(-5, 60, count).tolist()],
            "weight": [str(number / 4) for number in draw.integers(1, 12, count).tolist()],
        }
        said = [each for row in zip(tags, *(drawn[name] for name in facts), strict=True) for each in row]
        inner = pa.LargeListArray.from_arrays(pa.array(np.arange(len(said) + 1)), pa.array(said, pa.large_string()))
        lines = pa.LargeListArray.from_arrays(pa.array(np.arange(count + 1) * (1 + len(facts))), inner)
        sides = [pa.array(draw.integers(600, 2400, count, dtype=np.int32)) for _ in "wh"]
        parts.append(pa.table([keys, *sides, texts([], count), texts([], count), lines], schema=OWN))
    return pa.concat_tables(parts)


def facts_for(concept: Concept) -> tuple[str, ...]:
    asked = {"rating": concept.ratings, "score": concept.min_score, "weight": concept.weight_column}
    return tuple(name for name in FACTS if asked[name])


def time_filters(images: int) -> None:
    for what, settings in SETTINGS.items():
        concept = Concept.model_validate(settings)
        rows = ConceptTable(made_up(images, facts_for(concept)), [], Remarks(), [])
        left = clocked(what, lambda rows=rows, concept=concept: filtered(rows, concept))
        print(f"{'':40} {len(left):,} of {images:,} left")


def time_weights(images: int) -> None:
    draw = np.random.default_rng(1)
    numbers = {"width": 64, "height": 64, "concept": 0}
    columns = {name: pa.array(np.full(images, value, np.int32)) for name, value in numbers.items()}
    columns |= {name: texts([], images) for name in ("path", "mask", "condition")}
    columns["bucket"] = pa.array(draw.integers(0, 40, images, dtype=np.int32))
    columns["image"] = pa.array(np.arange(images, dtype=np.int32))
    columns["lines"] = pa.LargeListArray.from_arrays(
        pa.array(np.zeros(images + 1, np.int64)), pa.array([], WEIGHTED.field("lines").type.value_type)
    )
    columns["weight"] = pa.array(draw.random(images, dtype=np.float32) * 2)
    table = pa.table([columns[name] for name in WEIGHTED.names], schema=WEIGHTED)
    for concept in (Concept(), Concept(weight_column="weight")):
        index = Index(
            table, [concept], [FolderSource(Path("/nowhere"), concept)], [(64, 64 + 8 * i) for i in range(40)]
        )
        name = "with weights" if concept.weight_column else "without"
        batches = clocked(f"length of an epoch, {name}", lambda index=index: epoch_length(index, 16))
        order = clocked(f"order of an epoch, {name}", lambda index=index: epoch_order(index, 16, 1, 3))
        assert len(order) == batches


def archive(folder: Path) -> Path:
    """A tar of real small images."""
    drawings = sorted(path for path in resolve("starter:robot").iterdir() if path.suffix == ".png")
    draw = random.Random(1)
    with tarfile.open(folder / "0001.tar", "w") as tar:
        for number in range(REAL):
            facts = {"tags": f"robot, {draw.choice(HAIR)}", "rating": draw.choice(RATINGS), "score": number % 50}
            data = {".png": drawings[number % len(drawings)].read_bytes(), ".json": json.dumps(facts).encode()}
            for ending, content in data.items():
                about = tarfile.TarInfo(f"{number}{ending}")
                about.size = len(content)
                tar.addfile(about, io.BytesIO(content))
    return folder / "0001.tar"


def time_archive(folder: Path) -> None:
    settings = {"path": str(archive(folder)), "caption_ending": ".json:tags", "needs_tags": "red hair", "ratings": "g"}
    preset = Preset.model_validate({"concepts": [settings]})
    time.sleep(0.2)  # what was written just now is not remembered
    for what in ("first scan, with JSON of each image", "again"):
        index = clocked(
            f"{REAL:,} images of a tar, {what}",
            lambda: scan(preset, cache=folder / "cache", report=lambda *_: None, stop=lambda: False),
        )
        print(f"{'':40} {len(index):,} left")
    clocked("their bytes, one after another", lambda: [index[row].file.sha256() for row in range(len(index))])


def main() -> None:
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        time_archive(Path(folder))
    time_filters(images)
    time_weights(images)


if __name__ == "__main__":
    main()
