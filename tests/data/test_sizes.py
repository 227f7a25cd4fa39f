"""Several resolutions, fixed sizes, bucket options; kinds of concepts and their balance in an epoch."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.data.balance import balanced
from modules.data.index import Index
from modules.data.order import FILLED, epoch_length, epoch_order
from modules.preset.sections.concept import Concept
from modules.preset.text.resolutions import Exact, Square, parse
from tests.data.pictures import picture, preset_of, scanned


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(10):
        picture(tmp_path / "set" / f"{i}.png", 300 if i % 3 else 200, 200, shade=20 * i)
    return tmp_path / "set"


def found(folder: Path, resolution: int = 64, training: dict[str, Any] | None = None, **concept: Any) -> Index:
    preset = preset_of({"path": str(folder), "captions": "none", **concept}, resolution=resolution)
    return scanned(preset.model_copy(update={"training": preset.training.model_copy(update=training or {})}))


def test_sizes_are_read_from_a_text() -> None:
    assert parse("") == ()
    assert parse("512, 768;1024  512") == (Square(512), Square(768), Square(1024))
    assert parse("832x1216") == (Exact(832, 1216),)
    assert [str(size) for size in parse("512, 640X448")] == ["512", "640x448"]
    for text, why in {
        "big": "must be sizes", "515": "take 512 or 520", "4": "between", "512x": "must be", "99999": "between",
        ", ".join(str(8 * i) for i in range(1, 11)): "at most 8",
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=why):
            parse(text)


def test_every_image_takes_its_turn_in_every_resolution(folder: Path) -> None:
    index = found(folder, training={"resolutions": "64, 96, 128"})
    assert (len(index), index.images, index.images_of().tolist()) == (30, 10, [10])
    assert len({item.key for item in index}) == 30
    seen: Counter[int] = Counter()
    for epoch in range(3):
        order = epoch_order(index, 1, seed=1, epoch=epoch)
        due = order.rows.ravel()[order.turns.ravel() < FILLED]
        assert Counter(index.image_numbers[due].tolist()) == Counter(range(10))  # each image once an epoch
        assert len({int(np.sqrt(np.prod(index[int(row)].bucket)) // 16) for row in due}) >= 3  # in all sizes at once
        seen.update(due.tolist())
    assert seen == Counter(range(30))


@pytest.mark.parametrize("repeats", [0.4, 1, 1.7, 2, 5])
def test_no_image_is_shown_more_than_once_oftener_than_another(folder: Path, repeats: float) -> None:
    index = found(folder, training={"resolutions": "64, 96"}, repeats=repeats)
    lengths: set[int] = set()
    images, rows = Counter[int](), Counter[int]()
    for epoch in range(9):
        order = epoch_order(index, 3, seed=1, epoch=epoch)
        lengths.add(len(order))
        due = order.rows.ravel()[order.turns.ravel() < FILLED]
        rows.update(due.tolist())
        images.update(index.image_numbers[due].tolist())
        assert sum(images.values()) == (epoch + 1) * round(10 * repeats)
        assert max(images.values()) - min(images[i] for i in range(10)) <= 1
        assert max(rows.values()) - min(rows[i] for i in range(20)) <= 1
    assert lengths == {epoch_length(index, 3)}


def test_batches_hold_one_size(folder: Path) -> None:
    index = found(folder, training={"resolutions": "64, 96, 128x64"})
    order = epoch_order(index, 4, seed=1, epoch=0)
    assert all(len({index[row].bucket for row, _ in order[i]}) == 1 for i in range(len(order)))


def test_a_concept_has_a_resolution_of_its_own(folder: Path) -> None:
    assert {item.bucket for item in found(folder, resolutions="64x128")} == {(128, 64)}  # width x height
    largest = max(max(item.bucket) for item in found(folder, resolution=64))
    assert min(max(item.bucket) for item in found(folder, resolution=64, resolutions="128")) > largest


def test_with_buckets_off_all_images_are_squares(folder: Path) -> None:
    assert len({item.bucket for item in found(folder)}) == 2
    assert {item.bucket for item in found(folder, training={"buckets": False})} == {(64, 64)}


def test_the_shortest_side_and_the_step_of_buckets_are_kept_to(tmp_path: Path) -> None:
    picture(tmp_path / "long.png", 800, 200)
    assert found(tmp_path, 128)[0].bucket == (64, 256)
    assert found(tmp_path, 128, {"min_side": 96})[0].bucket[0] == 96
    for step in (32, 64):
        index = found(tmp_path, 128, {"bucket_step": step})
        assert all(side % step == 0 for shape in index.buckets for side in shape)


def test_small_images_keep_their_size_where_nothing_is_enlarged(tmp_path: Path) -> None:
    picture(tmp_path / "small.png", 75, 50)
    picture(tmp_path / "tiny.png", 5, 5)
    picture(tmp_path / "wide.png", 400, 30)
    picture(tmp_path / "large.png", 300, 300)
    assert [item.bucket for item in found(tmp_path, 128)] != [(48, 72)]
    sizes = {item.file.name: item.bucket for item in found(tmp_path, 128, {"enlarge": False, "bucket_step": 8})}
    assert sizes == {"small.png": (48, 72), "tiny.png": (8, 8), "wide.png": (24, 400), "large.png": (128, 128)}


# Kinds ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def kinds(tmp_path: Path) -> Index:
    counts = {"train": 6, "class": 20, "prior": 3, "validation": 4}
    for kind, count in counts.items():
        for i in range(count):
            picture(tmp_path / kind / f"{i}.png", shade=10 * i)
    concepts: list[dict[str, Any]] = [
        {"path": str(tmp_path / kind), "captions": "none", "kind": kind, "flip": True} for kind in counts
    ]
    concepts[0]["repeats"] = 2.0
    return scanned(preset_of(*concepts))


def test_images_for_validation_are_never_learnt_from(kinds: Index) -> None:
    assert len(kinds) == 33
    shown = {int(row) for epoch in range(8) for row in epoch_order(kinds, 7, 1, epoch).rows.ravel()}
    assert {kinds.concepts[kinds[row].concept].kind for row in shown} == {"train", "class", "prior"}
    assert len(shown) == 29


def test_an_index_has_a_view_of_each_kind(kinds: Index) -> None:
    validation = kinds.of_kind("validation")
    assert len(validation) == 4
    assert [item.key for item in validation] == [f"3/{i}.png" for i in range(4)]
    assert len(kinds.of_kind("train", "prior")) == 9
    assert not kinds.concepts[3].flip  # what is measured is always seen in the same way
    assert not any(concept.flip for concept in kinds.plain().concepts)


def test_class_images_are_shown_as_often_as_the_images_they_go_with(kinds: Index) -> None:
    counts: Counter[str] = Counter()
    rows: Counter[int] = Counter()
    for epoch in range(10):
        order = epoch_order(kinds, 1, 1, epoch)
        rows.update(order.rows.ravel().tolist())
        counts.update(kinds.concepts[kinds[int(row)].concept].kind for row in order.rows.ravel())
    assert counts == {"train": 120, "class": 100, "prior": 20}  # 20 : 3, as nearly as whole images go
    assert [rows[row] for row in range(6, 26)] == [5] * 20  # every one of them has its turn


def test_several_folders_of_class_images_keep_their_shares() -> None:
    concepts = [Concept(), Concept(kind="class"), Concept(kind="class", repeats=3), Concept(kind="validation")]
    found = balanced(concepts, [40, 10, 10, 5])
    assert [concept.samples for concept in found] == [0, 10, 30, 0]
    assert balanced(concepts[:1], [40]) == concepts[:1]
    assert balanced(concepts[1:], [0, 10, 5])[1].samples == 0  # nothing that they could be balanced with
