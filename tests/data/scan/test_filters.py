"""Filters and weights of a concept: the same for every kind of source, and counted."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modules.data.index import Index
from modules.errors import UserError
from modules.preset.sections.concept import Concept
from tests.data.pictures import picture, preset_of, scanned

ROWS: list[dict[str, Any]] = [
    {"tags": "1girl, red_hair", "rating": "g", "score": 7, "split": "train", "weight": 2},
    {"tags": "1girl, Red Hair, comic", "rating": "general", "score": -1.5, "split": "train", "weight": 0.5},
    {"tags": "saber \\(fate\\), blue hair", "rating": "s", "score": 30, "split": "val", "weight": 0},
    {"tags": "1girls, dark red hair"},
]


def folder(at: Path) -> Path:
    for number, row in enumerate(ROWS):
        picture(at / f"{number}.png", 64 + number, 64, number)
        (at / f"{number}.txt").write_text(row["tags"])
        (at / f"{number}.json").write_text(json.dumps(row))
    return at


def archive(at: Path) -> Path:
    at.mkdir()
    with tarfile.open(at / "0.tar", "w") as tar:
        for file in sorted(folder(at / "files").iterdir()):
            tar.add(file, file.name)
    for file in (at / "files").iterdir():
        file.unlink()
    return at / "0.tar"


def listed(at: Path) -> Path:
    folder(at)
    lines = [json.dumps({"file_name": f"{number}.png", **row}) for number, row in enumerate(ROWS)]
    (at / "list.jsonl").write_text("\n".join(lines))
    return at / "list.jsonl"


def parquet(at: Path) -> Path:
    folder(at)
    pictures = [{"bytes": (at / f"{number}.png").read_bytes(), "path": f"{number}.png"} for number in range(len(ROWS))]
    columns = {name: [row.get(name) for row in ROWS] for name in ROWS[0]}
    pq.write_table(pa.table({"image": pictures, **columns}), at / "set.parquet")
    return at / "set.parquet"


Kind = Callable[[Path], Path]
KINDS: list[Kind] = [folder, archive, listed, parquet]


def names(index: Index) -> str:
    """The numbers of the images."""
    return "".join(item.file.name[0] for item in index)


def left(path: Path, **settings: Any) -> str:
    return names(scanned(preset_of({"path": str(path), **settings})))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_source_is_filtered_by_what_is_known_of_its_images(kind: Kind, tmp_path: Path) -> None:
    path = kind(tmp_path / "set")
    assert left(path) == "0123"
    assert left(path, needs_tags="red hair") == "01"  # whole tags: neither "1girls" nor "dark red hair"
    assert left(path, needs_tags="1GIRL, red_hair | blue hair", without_tags="comic") == "0"
    assert left(path, needs_tags="saber (fate)") == "2"
    assert left(path, ratings="G") == "01"
    assert left(path, ratings="general, s") == "012"
    assert left(path, splits="train") == "01"
    assert left(path, min_score="-1.5") == "012"  # what has no score is left out
    assert left(path, min_score="7", without_tags="blue hair") == "0"
    assert left(path, weight_column="weight") == "013"


def test_sizes_filter_by_the_shorter_side(tmp_path: Path) -> None:
    picture(tmp_path / "0.png", 100, 40)
    picture(tmp_path / "1.png", 41, 100)
    assert left(tmp_path, min_size=41) == "1"


def test_captions_stay_as_they_are_beside_filters(tmp_path: Path) -> None:
    path = folder(tmp_path)
    index = scanned(preset_of({"path": str(path), "more_captions": ".json:tags", "several": "join", "ratings": "g"}))
    assert [item.caption_texts for item in index] == [(("1girl, red_hair",),) * 2, (("1girl, Red Hair, comic",),) * 2]
    assert [caption for item in index for caption in item.captions] == [
        f"{row['tags']}, {row['tags']}" for row in ROWS[:2]
    ]


def test_what_was_read_once_serves_every_filter(tmp_path: Path) -> None:
    """A scan that is remembered is filtered anew, and one with other facts is read anew."""
    path, cache = folder(tmp_path / "set"), tmp_path / "cache"
    for _ in range(2):
        for score, wanted in (("7", "02"), ("8", "2"), ("", "0123")):
            assert names(scanned(preset_of({"path": str(path), "min_score": score}), cache)) == wanted


def test_how_many_are_left_out_is_said(tmp_path: Path) -> None:
    index = scanned(preset_of({"path": str(folder(tmp_path)), "ratings": "g, s", "min_score": "0"}))
    assert index.remarks[0].left_out == (("ratings", 1), ("min_score", 1))
    index = scanned(preset_of({"path": str(tmp_path), "needs_tags": "1girl, red hair", "captions": "file"}))
    assert index.remarks[0].left_out == (("needs_tags", 2),), "several tags are one filter"
    said = next(note for note in index.notes if note.code == "concept.left-out")
    assert (said.values["left"], said.values["total"]) == (2, 4)


def test_filters_that_leave_nothing_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        scanned(preset_of({"path": str(folder(tmp_path)), "ratings": "x"}))
    assert "leave none of 4 images (4 by rating)" in str(caught.value)


@pytest.mark.parametrize("wrong", ["seven", "1,5", "nan"])
def test_a_score_is_a_number(wrong: str) -> None:
    with pytest.raises(ValueError, match="not a number"):
        Concept(min_score=wrong)


def test_a_fact_that_is_no_number_counts_as_missing(tmp_path: Path) -> None:
    picture(tmp_path / "0.png")
    picture(tmp_path / "1.png")
    picture(tmp_path / "2.png")
    (tmp_path / "list.csv").write_text("file_name,score,weight\n0.png,high,much\n1.png,5,2\n2.png,-1,1e300\n")
    path = tmp_path / "list.csv"
    assert left(path, min_score="1") == "1"
    index = scanned(preset_of({"path": str(path), "weight_column": "weight"}))
    assert index.weights is not None and index.weights.tolist() == [1, 2, 10_000]
    assert index.shown_of().tolist() == [10_003]
