"""What chance makes of pictures: the effect of each setting, and that each showing is one of the cached looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modules.data.image.augment import COLOURS, augmentation_of, margin_for
from modules.data.image.variants import (
    Content,
    Variant,
    latents_key,
    load_pixels,
    mask_key,
    variant_count,
    variant_of,
    variants_of,
)
from modules.data.index import Item
from modules.data.source.folders import on_disk
from modules.preset.sections.concept import Concept

WIDE = (96, 160)


def item(path: Path = Path("a.png"), width: int = 160, height: int = 96, bucket: tuple[int, int] = (32, 48)) -> Item:
    return Item(0, 0, on_disk(path), "0/a.png", width, height, bucket, ("",), ())


def looks(concept: Concept, count: int = 400) -> list[Variant]:
    return [variant_of(item(), concept, Content("digest"), 1, epoch, "0/a.png", 0) for epoch in range(count)]


def concept_with(effect: str, amount: float, **others: Any) -> Concept:
    return Concept.model_validate({effect: amount, **others})


def shown(path: Path, variant: Variant) -> np.ndarray:
    with Image.open(path) as image:
        return load_pixels(on_disk(path), image.width, image.height, [variant])[0]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    noise = np.random.default_rng(1).integers(60, 196, (96, 160, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    return tmp_path / "a.png"


EVERYTHING: dict[str, Any] = {
    "flip": True, "flip_vertical": True, "random_crop": True, "rotation": 20, "brightness": 0.3, "contrast": 0.3,
    "saturation": 0.5, "hue": 40, "augmented": 0.7,
}  # fmt: skip


def test_every_showing_is_one_of_the_looks_that_are_cached() -> None:
    concept = Concept(**EVERYTHING, variants=3)
    cached = variants_of(item(), concept, Content("digest"))
    assert set(looks(concept)) == set(cached)
    assert len(cached) == variant_count(concept) == 12


def test_without_a_cache_every_showing_is_drawn_anew() -> None:
    concept = Concept(**EVERYTHING, variants=0)
    assert concept.live
    assert variants_of(item(), concept, Content("digest")) == []
    assert variant_count(concept) == 0
    assert len({variant.angle for variant in looks(concept)}) > 200
    assert looks(concept) == looks(concept)


def test_what_has_no_chance_is_cached_whatever_the_number_of_variants() -> None:
    concept = Concept(variants=0, rotation=5, rotation_fixed=True, hue=30, hue_fixed=True, flip=True)
    assert not concept.varies
    assert len(variants_of(item(), concept, Content("digest"))) == 2
    assert len(set(looks(concept))) == 2


def test_flips_come_as_they_are_asked_for() -> None:
    assert {variant.flip for variant in looks(Concept())} == {False}
    assert {variant.flip for variant in looks(Concept(flip=True))} == {False, True}
    assert {variant.flip for variant in looks(Concept(flip_always=True))} == {True}
    assert {(variant.flip, variant.upside_down) for variant in looks(Concept(flip=True, flip_vertical=True))} == {
        (False, False), (False, True), (True, False), (True, True)
    }  # fmt: skip


def test_a_flipped_image_is_mirrored_and_one_upside_down_is_turned_over(photo: Path) -> None:
    plain = looks(Concept(), 1)[0]
    image = shown(photo, plain)
    assert np.array_equal(shown(photo, Variant(plain.crop, True)), image[:, ::-1])
    assert np.array_equal(shown(photo, Variant(plain.crop, False, upside_down=True)), image[::-1])
    tall = item(height=200)
    top = variant_of(tall, Concept(), Content("x")).crop.top
    found = Variant(variant_of(tall, Concept(random_crop=True, variants=1), Content("x")).crop, False, upside_down=True)
    assert found.sizes(tall)[2] == found.crop.resized[0] - 32 - found.crop.top
    assert top == (found.crop.resized[0] - 32) // 2


@pytest.mark.parametrize("effect", ["rotation", "brightness", "contrast", "saturation", "hue"])
def test_an_effect_is_drawn_up_to_its_strength_to_both_sides_or_taken_as_it_is(effect: str) -> None:
    most = 30.0 if effect in ("rotation", "hue") else 0.3

    def amounts(concept: Concept) -> list[float]:
        changes = [augmentation_of(concept, epoch) for epoch in range(500)]
        return [change.angle if effect == "rotation" else dict(change.colours).get(effect, 0.0) for change in changes]

    drawn = amounts(concept_with(effect, most, variants=0))
    assert -most <= min(drawn) < -0.95 * most
    assert 0.95 * most < max(drawn) <= most
    assert abs(np.mean(drawn)) < 0.1 * most
    assert set(amounts(concept_with(effect, -most, **{f"{effect}_fixed": True}))) == {-most}
    assert set(amounts(Concept())) == {0.0}


def test_only_a_share_of_the_draws_is_changed() -> None:
    concept = Concept(brightness=0.5, augmented=0.25)
    changed = [bool(augmentation_of(concept, epoch).colours) for epoch in range(2000)]
    assert 0.21 < np.mean(changed) < 0.29


def test_brightness_contrast_saturation_and_hue_do_what_their_names_say() -> None:
    image = Image.fromarray(np.random.default_rng(1).integers(60, 196, (16, 16, 3), dtype=np.uint8))
    before = np.asarray(image).astype(float)

    def after(name: str, amount: float) -> np.ndarray:
        return np.asarray(COLOURS[name](image, amount)).astype(float)

    assert np.abs(after("brightness", 0.2) - before * 1.2).max() <= 1
    assert after("contrast", 0.5).std() > 1.4 * before.std()
    assert after("contrast", -1).std() < 1
    assert np.ptp(after("saturation", -1), axis=2).max() == 0
    assert np.abs(after("hue", 120)[..., 1] - before[..., 0]).max() <= 6  # red becomes green
    assert np.abs(after("hue", -120)[..., 2] - before[..., 0]).max() <= 6
    assert np.abs(after("hue", 360) - before).max() <= 6


@pytest.mark.parametrize("angle", [-45, -20, -3, 0.5, 7, 30, 45])
@pytest.mark.parametrize("bucket", [(32, 48), (48, 32), (40, 40)])
def test_a_turned_image_has_no_empty_corners(tmp_path: Path, angle: float, bucket: tuple[int, int]) -> None:
    Image.new("RGB", (160, 96), (200, 200, 200)).save(tmp_path / "a.png")
    concept = Concept(rotation=angle, rotation_fixed=True)
    variant = variant_of(item(bucket=bucket), concept, Content("digest"))
    image = shown(tmp_path / "a.png", variant)
    assert image.shape == (*bucket, 3)
    assert image.min() >= 199


def test_an_image_is_turned_counter_clockwise_around_its_middle(tmp_path: Path) -> None:
    line = np.zeros((201, 201, 3), np.uint8)
    line[98:103, 100:] = 255  # from the middle to the right
    Image.fromarray(line).save(tmp_path / "a.png")
    here = item(width=201, height=201, bucket=(96, 96))
    image = shown(tmp_path / "a.png", variant_of(here, Concept(rotation=30, rotation_fixed=True), Content("d")))[..., 0]
    rows, columns = np.nonzero(image > 128)
    assert rows.mean() < 48 < columns.mean()  # upwards, to the right
    angle = np.degrees(np.arctan2(48 - rows.mean(), columns.mean() - 48))
    assert angle == pytest.approx(30, abs=2)


def test_a_margin_is_just_large_enough() -> None:
    assert margin_for((64, 64), 0) == (0, 0)
    assert margin_for((64, 64), 45) == (15, 15)  # (64 * sqrt 2 - 64) / 2 = 13.3, and one
    assert margin_for((64, 64), -45) == margin_for((64, 64), 45)


def test_a_key_changes_with_what_is_seen_and_only_then() -> None:
    plain = variant_of(item(), Concept(), Content("d"))
    ways = [Concept(rotation=3, rotation_fixed=True), Concept(hue=3, hue_fixed=True), Concept(flip_always=True)]
    others = [variant_of(item(), concept, Content("d")) for concept in ways]
    assert len({latents_key("d", variant, lambda _: "vae") for variant in (plain, *others)}) == 4
    assert mask_key("d", others[1]) == mask_key("d", plain)  # colours do not move a mask
    assert mask_key("d", others[0]) != mask_key("d", plain)
