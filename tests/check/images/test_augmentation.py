"""The check says what becomes of chance with a cache, of several sizes, and of kinds of concepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.check.images.findings import findings
from modules.messages import Finding
from modules.preset.preset import Preset
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
