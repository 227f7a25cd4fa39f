"""The check says what becomes of masks, of chance with a cache, of several sizes, and of kinds of concepts."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from modules.check.images.findings import findings
from modules.messages import Finding
from modules.preset.preset import Preset
from modules.sentences.render import PLAIN
from tests.check.images.test_findings import noise
from tests.check.rooms import mended, preset_for, said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(6):
        noise(tmp_path / "pictures" / f"{number}.png", seed=number)
    return tmp_path / "pictures"


def look(folder: Path, *settings: str) -> tuple[Preset, dict[str, Finding]]:
    preset = preset_for(folder.parent / "workspace", [folder], *settings)
    return preset, said(findings, preset)


def test_images_without_a_mask_are_counted(folder: Path) -> None:
    for number in range(4):
        Image.new("L", (64, 64), 255).save(folder / f"{number}-masklabel.png")
    _, found = look(folder, "concepts.0.masks=file")
    assert found["images.masks"].title == '2 of 6 images (33\u00a0%) of "pictures" have no mask.'
    assert found["images.masks"].severity == "info"
    assert [Path(item).name for item in found["images.masks"].items] == ["4.png", "5.png"]
    assert "images.masks" not in look(folder)[1]


def test_an_image_whose_mask_is_torn_is_told_as_one_that_is_skipped(folder: Path) -> None:
    Image.new("L", (64, 64), 255).save(folder / "2-masklabel.png")
    Image.new("L", (64, 64), 255).save(folder / "3-masklabel.png")
    data = (folder / "3-masklabel.png").read_bytes()
    (folder / "3-masklabel.png").write_bytes(data[: len(data) // 2])
    _, found = look(folder, "concepts.0.masks=file")
    (item,) = found["images.unreadable"].items
    assert PLAIN.words(item).endswith("3.png: its mask cannot be used: it is torn: its end is missing")
    assert "images.unreadable" not in look(folder)[1]


def test_masks_of_which_there_are_none_hurt_and_can_be_done_without(folder: Path) -> None:
    preset, found = look(folder, "concepts.0.masks=alpha")
    finding = found["images.masks"]
    assert finding.severity == "warning"
    assert mended(preset, finding).concepts[0].masks == "none"


def test_chance_is_never_silently_frozen(folder: Path) -> None:
    preset, found = look(folder, "concepts.0.rotation=5", "concepts.0.variants=1")
    assert found["images.frozen"].severity == "warning"
    assert mended(preset, found["images.frozen"], 0).concepts[0].variants == 4
    assert mended(preset, found["images.frozen"], 1).concepts[0].live
    _, found = look(folder, "concepts.0.hue=5", "concepts.0.variants=3", "concepts.0.flip=true")
    assert found["images.variants"].title.startswith("3 variants of each image")
    assert "36 images" in found["images.variants"].text
    _, found = look(folder, "concepts.0.random_crop=true", "concepts.0.variants=0")
    assert found["images.live"].severity == "info"
    quiet = {"images.frozen", "images.variants", "images.live"}
    assert not quiet & set(look(folder, "concepts.0.flip=true", "concepts.0.variants=1")[1])


def test_several_sizes_are_told_and_images_are_not_counted_twice(folder: Path) -> None:
    _, found = look(folder, "training.resolutions=64, 48x64")
    assert found["images.in-turn"].title == 'Each image of "pictures" is shown in 2 resolutions (64, 48x64), in turn.'
    assert found["images.buckets"].title.startswith("6 images in 2 buckets")
    assert "images.copies" not in found


def test_kinds_are_told(folder: Path, tmp_path: Path) -> None:
    for number in range(30):
        noise(tmp_path / "dogs" / f"{number}.png", seed=100 + number)
    for number in range(2):
        noise(tmp_path / "held out" / f"{number}.png", seed=200 + number)
    settings = ("concepts.1.kind=class", "concepts.2.kind=validation")
    preset = preset_for(tmp_path / "workspace", [folder, tmp_path / "dogs", tmp_path / "held out"], *settings)
    found = said(findings, preset)
    assert found["images.kinds"].title == "Not simply trained on: 30 class images and 2 validation images."
    assert "images.balance" not in found
    assert "images.left-out" not in found
