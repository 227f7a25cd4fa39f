"""The check says which images have no mask, and which masks teach nothing or fit no image."""

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

FILES = "concepts.0.masks=file"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(6):
        noise(tmp_path / "pictures" / f"{number}.png", seed=number)
    return tmp_path / "pictures"


def look(folder: Path, *settings: str) -> tuple[Preset, dict[str, Finding]]:
    preset = preset_for(folder.parent / "workspace", [folder], *settings)
    return preset, said(findings, preset)


def mask(folder: Path, number: int, shade: int, size: tuple[int, int] = (64, 64), spot: int = 0) -> None:
    """One of one shade, with a white spot of so many pixels on a side."""
    made = Image.new("L", size, shade)
    made.paste(255, (8, 8, 8 + spot, 8 + spot))
    made.save(folder / f"{number}-masklabel.png")


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


def test_masks_that_are_black_all_over_are_named(folder: Path) -> None:
    for number in range(6):
        mask(folder, number, shade=0, spot=4 * (number % 3))
    _, found = look(folder, FILES)
    finding = found["images.black-masks"]
    assert finding.severity == "warning" and finding.values["part"] == 2
    assert [Path(item).name for item in finding.items] == ["0-masklabel.png", "3-masklabel.png"]
    assert "images.white-masks" not in found and "images.black-masks" not in look(folder)[1]


def test_masks_that_are_all_white_are_as_good_as_none(folder: Path) -> None:
    for number in range(3):
        mask(folder, number, shade=255)
    assert "images.white-masks" in look(folder, FILES)[1]
    Image.new("L", (64, 64), 200).save(folder / "3-masklabel.png")
    assert "images.white-masks" not in look(folder, FILES)[1]


def test_a_mask_on_an_empty_layer_is_not_taken_for_white(folder: Path) -> None:
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(folder / "0-masklabel.png")
    found = look(folder, FILES)[1]
    assert "images.white-masks" not in found and "images.black-masks" not in found


def test_masks_of_other_proportions_are_named_and_smaller_ones_are_not(folder: Path) -> None:
    mask(folder, 0, 0, (32, 32), spot=20)
    mask(folder, 1, 0, (64, 63), spot=20)  # a pixel less is rounding
    mask(folder, 2, 0, (64, 48), spot=20)
    finding = look(folder, FILES)[1]["images.other-masks"]
    assert [Path(item).name for item in finding.items] == ["2-masklabel.png"]
    assert "other proportions than its image" in finding.title
