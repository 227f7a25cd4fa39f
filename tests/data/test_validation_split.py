"""Which images are not learnt from, and what is left of them to be drawn by chance: nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from modules.data.image.variants import Content, variants_of
from modules.data.index import Index
from modules.data.order import epoch_length, epoch_order
from modules.data.scan.scan import scan
from modules.data.text.captions import possible_captions
from modules.preset.validate import preset_of


def indexed(tmp_path: Path, *concepts: dict[str, object], share: float = 0.25, enabled: bool = True) -> Index:
    for number, concept in enumerate(concepts):
        folder = tmp_path / str(concept["path"])
        if not folder.exists():
            folder.mkdir()
            for image in range(8):
                Image.new("RGB", (64 + 8 * (image % 2), 64), (image, number, 0)).save(folder / f"{image}.png")
                (folder / f"{image}.txt").write_text(f"first {image}, b, c\nsecond {image}", encoding="utf-8")
    here = [{**concept, "path": str(tmp_path / str(concept["path"]))} for concept in concepts]
    validation = {"enabled": enabled, "share": share}
    preset = preset_of({"version": 6, "concepts": here, "training": {"resolution": 64}, "validation": validation})
    return scan(preset, cache=tmp_path, report=lambda *_: None, stop=lambda: False)


def test_a_share_of_each_training_concept_is_held_out(tmp_path: Path) -> None:
    index = indexed(tmp_path, {"path": "a"}, {"path": "b"}, {"path": "c", "kind": "class"})
    held = index.validation_images()
    assert [item.concept for item in held] == [0, 0, 1, 1]
    assert {item.key for item in held}.isdisjoint(item.key for item in index.training_rows())
    assert len(index.training_rows()) == 20


def test_at_least_one_of_two_is_held_out_and_none_of_one(tmp_path: Path) -> None:
    assert len(indexed(tmp_path, {"path": "a"}, share=0.001).validation_images()) == 1
    for path in sorted((tmp_path / "a").glob("*.png"))[1:]:
        path.unlink()
    assert not len(indexed(tmp_path, {"path": "a"}).validation_images())


def test_nothing_is_held_out_without_validation_or_with_images_for_it(tmp_path: Path) -> None:
    assert not len(indexed(tmp_path, {"path": "a"}, enabled=False).validation_images())
    index = indexed(tmp_path, {"path": "a"}, {"path": "b", "kind": "validation"})
    assert {item.concept for item in index.validation_images()} == {1}
    assert len(index.training_rows()) == 8


def test_the_same_images_are_held_out_whatever_else_there_is(tmp_path: Path) -> None:
    alone = [item.key for item in indexed(tmp_path, {"path": "a"}).validation_images()]
    beside = [item.key for item in indexed(tmp_path, {"path": "a", "repeats": 3}, {"path": "b"}).validation_images()]
    assert beside[:2] == alone


@pytest.mark.parametrize("epoch", [0, 1, 7])
def test_what_is_held_out_is_never_shown(epoch: int, tmp_path: Path) -> None:
    index = indexed(tmp_path, {"path": "a", "repeats": 1.5})
    order = epoch_order(index, 2, 3, epoch)
    assert len(order) == epoch_length(index, 2)
    assert index.trained[order.rows].all()


def test_of_what_is_measured_nothing_is_left_to_chance(tmp_path: Path) -> None:
    drawn: dict[str, object] = {
        "path": "a", "flip": True, "random_crop": True, "hue": 20.0, "rotation": 5.0, "caption_dropout": 0.5,
        "shuffle_tags": True, "tag_dropout": 0.5, "prefix": "a photo of ", "resolutions": "64, 128",
        "loss_weight": 3.0, "variants": 0,
    }  # fmt: skip
    index = indexed(tmp_path, drawn)
    held = index.validation_images()
    assert len(held) == 2
    for item in held:
        concept = held.concepts[item.concept]
        number = item.file.path.stem
        assert possible_captions(item.caption_texts, concept) == [f"a photo of first {number}, b, c"]
        assert len(variants_of(item, concept, Content("digest"))) == 1
        assert concept.loss_weight == 1
        assert item.bucket == (64, 64) or item.bucket[0] * item.bucket[1] <= 72 * 72
