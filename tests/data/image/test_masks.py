"""Masks: where they come from, and that they stay on the image whatever is done to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modules.data.image.masks import Box, box_of, crop_around, crop_keeping, downscaled, open_mask
from modules.data.image.pixels import Crop, crop_for
from modules.data.image.variants import Content, Variant, load_masks, load_pixels, variant_of
from modules.data.index import Item
from modules.data.source.folders import on_disk
from modules.errors import UserError
from modules.preset.sections.concept import Concept
from tests.data.pictures import picture, preset_of, scanned

BOX: Box = (0.75, 0.05, 0.95, 0.2)  # below, at the left


def inside(crop: Crop, box: Box) -> bool:
    """Whether a cut holds the box, but for a pixel of rounding."""
    (height, width), (high, wide) = crop.resized, crop.bucket
    return (
        crop.top <= box[0] * height + 1
        and crop.left <= box[1] * width + 1
        and box[2] * height <= crop.top + high + 1
        and box[3] * width <= crop.left + wide + 1
    )


def test_masks_and_conditions_are_no_images_and_belong_to_one(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.png", "A-MASKLABEL.PNG", "b-masklabel.png", "b-condlabel.png", "c-masklabel.png"):
        picture(tmp_path / name)
    for name in ("A-MASKLABEL.PNG",):
        (tmp_path / name).rename(tmp_path / "a-MaskLabel.png")
    index = scanned(preset_of({"path": str(tmp_path), "masks": "file"}))
    assert [item.file.name for item in index] == ["a.jpg", "b.png"]
    assert [item.mask.name if item.mask else "" for item in index] == ["a-MaskLabel.png", "b-masklabel.png"]
    assert [item.condition.name if item.condition else "" for item in index] == ["", "b-condlabel.png"]
    without = scanned(preset_of({"path": str(tmp_path)}))
    assert [item.mask for item in without] == [None, None]


def test_a_mask_is_grey_and_what_is_transparent_in_it_is_black(tmp_path: Path) -> None:
    Image.new("L", (4, 4), 200).save(tmp_path / "grey.png")
    Image.new("I;16", (4, 4), 51400).save(tmp_path / "deep.png")
    drawn = Image.new("RGBA", (4, 4), (255, 255, 255, 0))
    drawn.putpixel((1, 1), (255, 255, 255, 255))
    drawn.save(tmp_path / "layer.png")
    assert np.asarray(open_mask(on_disk(tmp_path / "grey.png"), alpha=False)).tolist() == [[200] * 4] * 4
    assert np.asarray(open_mask(on_disk(tmp_path / "deep.png"), alpha=False)).tolist() == [[200] * 4] * 4
    layer = np.asarray(open_mask(on_disk(tmp_path / "layer.png"), alpha=False))
    assert (layer[1, 1], layer.sum()) == (255, 255)
    assert np.array_equal(np.asarray(open_mask(on_disk(tmp_path / "layer.png"), alpha=True)), layer)
    assert np.asarray(open_mask(on_disk(tmp_path / "grey.png"), alpha=True)).min() == 255  # none: all of it counts


def test_a_mask_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a-masklabel.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"The mask .*a-masklabel.png cannot be used: it is not an image"):
        open_mask(on_disk(tmp_path / "a-masklabel.png"), alpha=False)


def test_latents_see_the_mean_of_each_square() -> None:
    mask = np.zeros((16, 24), np.uint8)
    mask[:8, :4] = 255
    mask[8:, 16:] = 51
    assert downscaled(mask).tolist() == [[0.5, 0, 0], [0, 0, pytest.approx(0.2)]]
    assert downscaled(mask).dtype == np.float32


def test_the_box_of_a_mask_is_where_it_is_white() -> None:
    mask = Image.new("L", (40, 20), 100)
    assert box_of(mask) is None
    mask.paste(255, (10, 5, 20, 20))
    assert box_of(mask) == (0.25, 0.25, 1.0, 0.5)
    assert box_of(Image.new("L", (40, 20), 255)) is None


@pytest.mark.parametrize(("width", "height"), [(300, 100), (100, 300)])
def test_a_crop_keeps_what_the_mask_shows(width: int, height: int) -> None:
    assert not inside(crop_for(width, height, (64, 64)), BOX)
    assert inside(crop_keeping(width, height, (64, 64), BOX, None), BOX)
    cuts = [crop_keeping(width, height, (64, 64), BOX, (i / 50, i / 50)) for i in range(50)]
    assert all(inside(crop, BOX) for crop in cuts)
    assert len({(crop.top, crop.left) for crop in cuts}) > 5
    middle: Box = (0.4, 0.4, 0.6, 0.6)
    assert crop_keeping(width, height, (64, 64), middle, None) == crop_for(width, height, (64, 64))


def test_what_is_larger_than_a_crop_is_cut_around_its_middle() -> None:
    crop = crop_keeping(300, 100, (64, 64), (0, 0.3, 1, 0.9), None)
    assert crop.left + 32 == pytest.approx(0.6 * crop.resized[1], abs=1)


def test_a_crop_around_the_mask_is_close_has_the_bucket_s_form_and_enlarges_nothing() -> None:
    bucket = (64, 96)
    crop = crop_around(1200, 900, bucket, BOX, 0.2, None)
    assert inside(crop, BOX)
    high, wide = (BOX[2] - BOX[0]) * crop.resized[0], (BOX[3] - BOX[1]) * crop.resized[1]
    assert max(high / 64, wide / 96) == pytest.approx(1 / 1.4, abs=0.02)
    looser = crop_around(1200, 900, bucket, BOX, 0.2, (0.99, 0.99))
    assert looser.resized[0] < crop.resized[0]
    small = crop_around(200, 150, bucket, BOX, 0.2, None)
    assert small.resized[0] <= 151  # as large as it is, and no larger
    tiny = crop_around(48, 32, bucket, BOX, 0.2, None)
    assert tiny == Crop((64, 96), 0, 0, bucket)


@pytest.mark.parametrize("crop", ["no", "keep", "around"])
def test_a_mask_goes_where_its_image_goes(tmp_path: Path, crop: str) -> None:
    """The image is its own mask: after cutting, turning and flipping they still agree, though it has half the size."""
    y, x = np.mgrid[0:240, 0:400]
    spot = 255 / (1 + np.exp((np.hypot(y - 150, x - 120) - 60) / 4))
    Image.fromarray(spot.astype(np.uint8)).convert("RGB").save(tmp_path / "a.png")
    Image.fromarray(spot.astype(np.uint8)).resize((200, 120), Image.Resampling.BOX).save(tmp_path / "m.png")
    chances = {"flip": True, "flip_vertical": True, "random_crop": True, "rotation": 25, "variants": 0}
    concept = Concept.model_validate({**chances, "masks": "file", "mask_crop": crop})
    box = box_of(open_mask(on_disk(tmp_path / "m.png"), alpha=False))
    here = Item(0, 0, on_disk(tmp_path / "a.png"), "0/a.png", 400, 240, (64, 80), ("",), ())
    found: list[Variant] = []
    for epoch in range(12):
        variant = variant_of(here, concept, Content("d", "m", box), epoch)
        (mask,) = load_masks(on_disk(tmp_path / "m.png"), False, [variant])
        (image,) = load_pixels(on_disk(tmp_path / "a.png"), 400, 240, [variant])
        assert np.abs(mask.astype(float) - image[..., 0]).mean() < 2
        assert mask.max() > 240
        found.append(variant)
    assert len({(variant.flip, variant.upside_down) for variant in found}) == 4
