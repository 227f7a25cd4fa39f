from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from modules.data import image_errors
from modules.data.image.pixels import Crop, crop_for, open_image, pixels_of, size_conditioning
from modules.data.source.file_info import read_image_info
from modules.data.source.folders import on_disk
from modules.errors import UserError
from tests.data.pictures import grey_of_gamma, picture, preset_of, scanned, wide_colours

QUARTERS = np.array([[(255, 0, 0), (0, 255, 0), (0, 0, 255)], [(0, 0, 0), (255, 255, 255), (255, 255, 0)]], np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_rotation_by_exif_is_applied_and_the_header_agrees(tmp_path: Path, orientation: int, suffix: str) -> None:
    upright = Image.fromarray(QUARTERS)
    undo = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = upright
    for turn in undo.get(orientation, []):
        stored = stored.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if suffix == "webp" else {}
    stored.save(tmp_path / f"a.{suffix}", exif=exif, **options)
    assert np.array_equal(np.asarray(open_image(on_disk(tmp_path / f"a.{suffix}"))), QUARTERS)
    assert read_image_info(on_disk(tmp_path / f"a.{suffix}")) == (3, 2, None)


def test_exif_behind_the_pixels_of_a_png_is_found(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(QUARTERS).save(tmp_path / "a.png", exif=exif)
    data = (tmp_path / "a.png").read_bytes()
    start = data.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4], "big")
    tail = data.index(b"IEND") - 4
    (tmp_path / "b.png").write_bytes(data[:start] + data[end:tail] + data[start:end] + data[tail:])
    assert read_image_info(on_disk(tmp_path / "b.png"))[:2] == open_image(on_disk(tmp_path / "b.png")).size == (2, 3)


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    rgba = np.dstack([QUARTERS, np.array([[255, 0, 255], [128, 255, 0]], np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "a.png")
    found = np.asarray(open_image(on_disk(tmp_path / "a.png")))
    assert found[0].tolist() == [[255, 0, 0], [255, 255, 255], [0, 0, 255]]
    assert found[1].tolist() == [[127, 127, 127], [255, 255, 255], [255, 255, 255]]


def test_palettes_and_their_transparent_colour_are_honoured(tmp_path: Path) -> None:
    image = Image.fromarray(QUARTERS).convert("P", palette=Image.Palette.ADAPTIVE)
    image.save(tmp_path / "plain.png")
    assert np.array_equal(np.asarray(open_image(on_disk(tmp_path / "plain.png"))), QUARTERS)
    black = image.getpixel((0, 1))
    assert isinstance(black, int)
    image.save(tmp_path / "clear.gif", transparency=black)
    found = np.asarray(open_image(on_disk(tmp_path / "clear.gif")))
    assert found[1, 0].tolist() == [255, 255, 255]
    assert found[0].tolist() == QUARTERS[0].tolist()


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_are_scaled_and_not_clipped(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(np.array([[0, 257, 32896, 65535]], np.uint16)).save(tmp_path / f"a.{suffix}")
    found = np.asarray(open_image(on_disk(tmp_path / f"a.{suffix}")))
    assert found[0, :, 0].tolist() == [0, 1, 128, 255]


def test_32_bits_are_scaled_by_what_they_hold(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 100_000, 200_000]], np.int32)).save(tmp_path / "a.tif")
    assert np.asarray(open_image(on_disk(tmp_path / "a.tif")))[0, :, 1].tolist() == [0, 128, 255]


def test_grey_with_alpha_and_bits_are_read(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[10, 255], [10, 0]]], np.uint8)).save(tmp_path / "la.png")
    assert np.asarray(open_image(on_disk(tmp_path / "la.png")))[0, :, 2].tolist() == [10, 255]
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "bits.png")
    assert np.asarray(open_image(on_disk(tmp_path / "bits.png")))[0, :, 0].tolist() == [255, 0]


def test_cmyk_is_read_as_colours(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "red.jpg", quality=100)
    red, green, blue = np.asarray(open_image(on_disk(tmp_path / "red.jpg")))[4, 4].tolist()
    assert red > 200
    assert green < 60
    assert blue < 60


def test_a_broken_colour_profile_is_passed_over(tmp_path: Path) -> None:
    Image.fromarray(QUARTERS).save(tmp_path / "a.png", icc_profile=b"no profile at all")
    assert np.array_equal(np.asarray(open_image(on_disk(tmp_path / "a.png"))), QUARTERS)


WIDE = (230, 60, 40)  # of a Display P3 screen


def on_palette(alpha: int) -> Image.Image:
    image = Image.new("RGBA", (4, 4), (*WIDE, 255)).convert("RGB").quantize(2)
    if alpha < 255:
        image.info["transparency"] = bytes([alpha] * 2)
    return image


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("RGB", (4, 4), WIDE), (251, 25, 0)),
        (Image.new("RGBA", (4, 4), (*WIDE, 255)), (251, 25, 0)),
        (Image.new("RGBA", (4, 4), (*WIDE, 102)), (253, 163, 153)),  # 40 % of it over white
        (on_palette(255), (251, 25, 0)),
        (on_palette(102), (253, 163, 153)),
    ],
)
def test_a_profile_counts_whatever_the_format_and_before_anything_is_mixed(
    image: Image.Image, expected: tuple[int, int, int], tmp_path: Path
) -> None:
    image.save(tmp_path / "a.png", icc_profile=wide_colours(), **image.info)
    shown = np.asarray(open_image(on_disk(tmp_path / "a.png")))[2, 2].astype(int)
    assert np.abs(shown - expected).max() <= 1


def test_a_profile_of_greys_counts_with_and_without_transparency_and_with_16_bits(tmp_path: Path) -> None:
    images = (
        Image.new("L", (4, 4), 128),
        Image.new("LA", (4, 4), (128, 255)),
        Image.fromarray(np.full((4, 4), 128 * 257, np.uint16)),
    )
    for number, image in enumerate(images):
        path = tmp_path / f"{number}.png"
        image.save(path, icc_profile=grey_of_gamma(1.8))
        # (128/255) ^ 1.8 = 0.289 of the light, which sRGB writes as 147
        assert np.abs(np.asarray(open_image(on_disk(path))).astype(int) - 147).max() <= 1


def test_an_srgb_profile_changes_nothing(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(QUARTERS).save(tmp_path / "a.png", icc_profile=profile)
    assert np.array_equal(np.asarray(open_image(on_disk(tmp_path / "a.png"))), QUARTERS)


HEIC = (  # 64 x 48, red, as a phone saves it
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAAAAAERA"
    "AAEAAQAAAAABoQABAAAAAAAAAB0AAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/WlwcnAAAADdaXBjbwAA"
    "AHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq"
    "5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAAEAAAAABAAAA"
    "MAAAAAEAAAAAAAAAAv////AAAAACAAAAEHBpeGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWBAgMFhAAAACVtZGF0AAAAGSgBrxOA9SeBP//aBR//"
    "AJnh96AV+efLU8A="
)


def test_photos_of_iphones_are_read(tmp_path: Path) -> None:
    (tmp_path / "IMG_1.HEIC").write_bytes(b64decode(HEIC))
    (item,) = scanned(preset_of({"path": str(tmp_path)}))
    assert (item.width, item.height) == (64, 48)
    image = open_image(item.file)
    assert image.size == (64, 48)
    assert np.abs(np.asarray(image)[24, 32].astype(int) - (200, 40, 30)).max() < 12


def test_the_first_frame_of_an_animation_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    for name in ("a.gif", "a.webp", "a.png"):
        options = {"lossless": True} if name == "a.webp" else {}
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=50, **options)
        assert np.asarray(open_image(on_disk(tmp_path / name)))[0, 0].tolist()[:3] == [255, 0, 0]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "bmp", "tif", "avif"])
def test_torn_and_empty_and_foreign_files_are_errors_in_words(tmp_path: Path, suffix: str) -> None:
    whole = picture(tmp_path / f"whole.{suffix}", 64, 64)
    data = whole.read_bytes()
    for name, content in (("torn", data[: len(data) // 2]), ("empty", b""), ("text", b"<html>not found</html>")):
        path = tmp_path / f"{name}.{suffix}"
        path.write_bytes(content)
        with pytest.raises(UserError, match=f"{name}.{suffix}"):
            open_image(on_disk(path))
    with pytest.raises(UserError, match="not there"):
        open_image(on_disk(tmp_path / "missing.png"))


def test_an_image_made_to_fill_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = picture(tmp_path / "a.png", 40, 40)
    monkeypatch.setattr(image_errors, "LIMIT_WHOLE", 1000)
    with pytest.raises(UserError, match="40 x 40 pixels"):
        open_image(on_disk(path))


@pytest.mark.parametrize(("width", "height"), [(32, 32), (100, 37), (37, 100), (33, 31), (1000, 700), (7, 9), (1, 500)])
@pytest.mark.parametrize("bucket", [(32, 32), (24, 40), (40, 24)])
@pytest.mark.parametrize("place", [(0.0, 0.0), (0.5, 0.5), (0.999999, 0.999999)])
def test_a_cut_covers_its_bucket_and_lies_inside(
    width: int, height: int, bucket: tuple[int, int], place: tuple[float, float]
) -> None:
    crop = crop_for(width, height, bucket, place)
    assert crop.resized[0] == bucket[0] or crop.resized[1] == bucket[1]
    assert 0 <= crop.top <= crop.resized[0] - bucket[0]
    assert 0 <= crop.left <= crop.resized[1] - bucket[1]
    image = Image.new("RGB", (width, height), (9, 9, 9))
    for flip in (False, True):
        found = pixels_of(image, crop, flip=flip)
        assert found.shape == (*bucket, 3)
        assert found.dtype == np.uint8
        assert (found == 9).all()


def test_random_places_reach_both_ends() -> None:
    cuts = {crop_for(40, 10, (10, 10), (0.5, i / 1000)).left for i in range(1000)}
    assert cuts == set(range(31))


def test_an_image_of_its_buckets_size_is_not_touched(tmp_path: Path) -> None:
    image = open_image(on_disk(picture(tmp_path / "a.png", 40, 24)))
    assert np.array_equal(pixels_of(image, crop_for(40, 24, (24, 40)), flip=False), np.asarray(image))


def test_a_cut_shows_what_it_says() -> None:
    image = Image.fromarray(np.arange(40, dtype=np.uint8)[None, :, None].repeat(10, 0).repeat(3, 2))
    crop = crop_for(40, 10, (10, 10), (0.5, 0.25))
    assert pixels_of(image, crop, flip=False)[0, :, 0].tolist() == list(range(crop.left, crop.left + 10))
    assert pixels_of(image, crop, flip=True)[0, :, 0].tolist() == list(range(crop.left + 9, crop.left - 1, -1))


def test_sizes_are_true_also_of_a_mirrored_image() -> None:
    crop = crop_for(400, 100, (50, 60), (0.5, 0.1))
    assert crop.resized == (50, 200)
    assert size_conditioning(400, 100, crop, flip=False) == (100, 400, 0, crop.left, 50, 60)
    # In the mirrored image of 200 columns, the same cut begins where it ended before.
    assert size_conditioning(400, 100, crop, flip=True) == (100, 400, 0, 200 - 60 - crop.left, 50, 60)


def test_resizing_keeps_a_fine_pattern_grey() -> None:
    # Without averaging, taking every eighth column of black and white stripes gives plain black.
    stripes = Image.fromarray((np.arange(512) % 2 * 255).astype(np.uint8)[None, :, None].repeat(512, 0).repeat(3, 2))
    found = pixels_of(stripes, crop_for(512, 512, (64, 64)), flip=False)
    assert 120 < found.min() <= found.max() < 135


def test_a_large_jpeg_is_decoded_smaller_and_shows_the_same(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg", 803, 600, quality=95)
    crop = crop_for(803, 600, (64, 64))
    small = open_image(on_disk(path), crop.scale(600))
    assert 2 * 86 <= small.width < 803
    difference = pixels_of(small, crop, flip=False).astype(int) - pixels_of(open_image(on_disk(path)), crop, flip=False)
    assert np.abs(difference).max() <= 3


def test_cuts_are_values() -> None:
    assert crop_for(64, 64, (32, 32)) == Crop((32, 32), 0, 0, (32, 32))
