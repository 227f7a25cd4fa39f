"""The tool that makes images ready for training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw
from PIL.PngImagePlugin import PngInfo

from modules.data.image.mask_files import MADE_BY, write_mask
from modules.errors import UserError
from modules.messages import Event, Mailbox, Note
from modules.tools import TOOLS
from modules.trainer.control import Control
from tests.masking import tiny


def picture(seed: int, size: tuple[int, int] = (96, 64)) -> Image.Image:
    """Shapes that no other seed has."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(int(each) for each in rng.integers(0, 255, 3)))
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        x, y, w, h = (int(each) for each in rng.integers(0, 60, 4))
        draw.ellipse((x, y, x + w, y + h), fill=tuple(int(each) for each in rng.integers(0, 255, 3)))
    return image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    return tmp_path / "pictures"


def prepare(folder: Path, **values: Any) -> tuple[Path, list[str]]:
    """The folder that was made, and what was said."""
    said: list[Event] = []
    made = TOOLS["prepare"].run({"source": str(folder), **values}, said.append, Control(Mailbox()))
    return Path(made), [event.text for event in said if isinstance(event, Note)]


def size_of(file: Path) -> tuple[int, int]:
    with Image.open(file) as image:
        return image.size


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {"prepared.jsonl"}


def test_what_needs_no_change_is_copied_byte_for_byte_with_its_captions_and_masks(folder: Path) -> None:
    picture(1).save(folder / "robot.png")
    picture(2).save(folder / "car.jpg")
    (folder / "robot.txt").write_text("a robot")
    (folder / "robot-masklabel.png").write_bytes((folder / "robot.png").read_bytes())
    made, _ = prepare(folder)
    assert made == folder.with_name("pictures prepared")
    assert names(made) == {"robot.png", "car.jpg", "robot.txt", "robot-masklabel.png"}
    assert all((made / name).read_bytes() == (folder / name).read_bytes() for name in names(made))


def test_images_masks_and_names_go_together(folder: Path) -> None:
    (folder / "in").mkdir()
    picture(1, (200, 100)).save(folder / "in" / "robot.jpg")
    mask = Image.new("L", (200, 100))
    mask.paste(255, (140, 40, 180, 80))
    write_mask(folder / "in" / "robot-masklabel.png", mask, {"model": "u2net"})
    (folder / "in" / "robot.txt").write_text("a robot")
    made, _ = prepare(folder, shape="size", size="50x50", names="number", prefix="bot-", format="png")
    assert names(made) == {"in/bot-0001.png", "in/bot-0001.txt", "in/bot-0001-masklabel.png"}
    with Image.open(made / "in/bot-0001.png") as image, Image.open(made / "in/bot-0001-masklabel.png") as cut:
        assert image.size == cut.size == (50, 50)
        assert image.format == "PNG"
        assert "u2net" in cut.info[MADE_BY]  # so that it can be made again
        # the mask's middle is at (160, 60): the part is 100 to 200 across, and half its size
        assert np.asarray(cut)[30, 30] == 255
        assert np.asarray(cut)[30, 5] == 0
        wanted = picture(1, (200, 100)).crop((100, 0, 200, 100)).resize((50, 50), Image.Resampling.LANCZOS)
        assert np.abs(np.asarray(image).astype(int) - np.asarray(wanted)).mean() < 8  # the JPEG's loss


def test_odd_files_become_what_training_sees(folder: Path) -> None:
    upright = picture(3, (60, 90))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned
    upright.rotate(90, expand=True).save(folder / "turned.png", exif=exif)
    picture(4).convert("CMYK").save(folder / "print.jpg")
    Image.fromarray(np.asarray(picture(5).convert("L")).astype(np.uint16) * 257).save(folder / "deep.png")
    picture(6).save(folder / "named.jpg", format="PNG")
    picture(7).save(folder / "moving.webp", save_all=True, append_images=[picture(8)], lossless=True)
    made, _ = prepare(folder)
    modes: dict[str, tuple[str | None, str]] = {}
    for name in names(made):
        with Image.open(made / name) as image:
            modes[name] = (image.format, image.mode)
            assert getattr(image, "n_frames", 1) == 1
            assert not image.getexif().get(0x0112)
    assert modes == {
        "turned.png": ("PNG", "RGB"), "print.jpg": ("JPEG", "RGB"), "deep.png": ("PNG", "RGB"),
        "named.jpg": ("JPEG", "RGB"), "moving.webp": ("WEBP", "RGB"),
    }  # fmt: skip
    with Image.open(made / "turned.png") as image:
        assert np.array_equal(np.asarray(image), np.asarray(upright))


def test_another_profile_becomes_srgb_and_srgb_stays_as_it_is(folder: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture(1).save(folder / "plain.png", icc_profile=srgb)
    picture(2).convert("L").save(folder / "lab.png", icc_profile=b"no profile at all")
    made, _ = prepare(folder)
    assert (made / "plain.png").read_bytes() == (folder / "plain.png").read_bytes()
    assert (made / "lab.png").read_bytes() == (folder / "lab.png").read_bytes()


@pytest.mark.parametrize("way", ["white", "keep", "mask"])
def test_transparent_parts_become_white_stay_or_become_a_mask(folder: Path, way: str) -> None:
    image = picture(1).convert("RGBA")
    image.putalpha(Image.new("L", image.size, 255))
    image.paste((0, 0, 0, 0), (0, 0, 32, 64))
    image.save(folder / "robot.png")
    made, _ = prepare(folder, transparency=way)
    with Image.open(made / "robot.png") as result:
        assert result.mode == ("RGBA" if way == "keep" else "RGB")
        if way != "keep":
            assert result.getpixel((5, 5)) == (255, 255, 255)
    assert (made / "robot-masklabel.png").exists() == (way == "mask")
    if way == "mask":
        with Image.open(made / "robot-masklabel.png") as mask:
            assert (mask.getpixel((5, 5)), mask.getpixel((60, 5))) == (0, 255)


def test_of_copies_the_largest_is_kept_and_each_that_is_left_out_is_named(folder: Path) -> None:
    large = picture(1, (256, 192))
    large.save(folder / "a large.png")
    large.resize((128, 96)).save(folder / "b small.jpg", quality=80)
    picture(2, (256, 192)).save(folder / "other.png")
    (folder / "b small.txt").write_text("a robot")
    made, said = prepare(folder)
    assert names(made) == {"a large.png", "other.png"}
    assert "1 image was left out: b small.jpg (shows the same as a large.png)." in said
    made, _ = prepare(folder, copies="exact")
    assert {"b small.jpg", "b small.txt"} < names(made)
    made, _ = prepare(folder, kept="b small.jpg")
    assert "b small.jpg" in names(made)
    made, _ = prepare(folder, kept="b small.jpg", aside="other.png")
    assert names(made) == {"a large.png", "b small.jpg", "b small.txt"}


def test_small_images_are_kept_enlarged_or_left_out(folder: Path) -> None:
    picture(1, (64, 64)).save(folder / "small.png")
    picture(2, (256, 256)).save(folder / "large.png")
    values: dict[str, Any] = {"shape": "size", "size": "128x128"}
    for small, sizes in {
        "keep": [(128, 128), (64, 64)],
        "enlarge": [(128, 128)] * 2,
        "leave_out": [(128, 128)],
    }.items():
        made, _ = prepare(folder, small=small, **values)
        assert [size_of(made / name) for name in sorted(names(made))] == sizes
    made, said = prepare(folder, smallest=100)
    assert names(made) == {"large.png"}
    assert any("64 x 64: the shorter side is below 100 px" in line for line in said)


def test_a_second_run_makes_only_what_changed_and_keeps_what_a_person_did(folder: Path) -> None:
    for number in range(3):
        picture(number, (128, 96)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text("a robot")
    values: dict[str, Any] = {"shape": "longest", "pixels": 64}
    made, _ = prepare(folder, **values)
    before = {name: (made / name).stat().st_mtime_ns for name in names(made)}
    (made / "1.txt").write_text("a red robot")
    picture(9, (128, 96)).save(folder / "2.png")
    prepare(folder, **values)
    assert {name for name, at in before.items() if (made / name).stat().st_mtime_ns != at} == {
        "2.png",
        "2.txt",
        "1.txt",
    }
    made, said = prepare(folder, shape="longest", pixels=32)
    assert (made / "1.txt").read_text() == "a red robot"
    assert "1 file was changed since, and left as it is: 1.txt." in said
    prepare(folder, aside="0.png\n1.png", **values)
    assert names(made) == {"2.png", "2.txt", "1.txt"}


def test_a_folder_that_holds_something_else_is_refused(folder: Path) -> None:
    picture(1).save(folder / "robot.png")
    taken = folder.with_name("taken")
    taken.mkdir()
    (taken / "diary.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty"):
        prepare(folder, out=str(taken))
    (taken / "prepared.jsonl").write_text("{")
    with pytest.raises(UserError, match="is damaged, or was not written by this version"):
        prepare(folder, out=str(taken))
    for inside in (folder, folder / "new", folder.parent):
        with pytest.raises(UserError, match="cannot go into"):
            prepare(folder, out=str(inside))
    assert names(folder) == {"robot.png"}


def test_prepared_images_can_take_the_place_of_the_originals_which_stay(folder: Path) -> None:
    picture(1, (128, 96)).save(folder / "robot.png")
    (folder / "robot-tags.txt").write_text("robot")
    (folder / "notes.md").write_text("mine")
    before = {name: (folder / name).read_bytes() for name in names(folder)}
    made, said = prepare(folder, replace=True, shape="longest", pixels=64, names="number")
    assert made == folder
    assert names(folder) == {"0001.png", "0001-tags.txt", "notes.md"}
    kept = folder.with_name("pictures originals")
    assert {name: (kept / name).read_bytes() for name in names(kept)} == before
    assert f"The originals are in {kept}." in said


def test_what_a_png_says_of_itself_goes_along(folder: Path) -> None:
    about = PngInfo()
    about.add_text("parameters", "a robot, steps: 20")
    picture(1, (128, 96)).save(folder / "robot.png", pnginfo=about)
    made, _ = prepare(folder, shape="longest", pixels=64)
    with Image.open(made / "robot.png") as image:
        assert image.info["parameters"] == "a robot, steps: 20"


def test_images_of_a_list_get_their_captions_beside_them(folder: Path) -> None:
    picture(1).save(folder / "robot.png")
    table = folder / "list.jsonl"
    table.write_text(json.dumps({"image": "robot.png", "text": "a robot"}) + "\n")
    made, _ = prepare(table)
    assert names(made) == {"robot.png", "robot.txt"}
    assert (made / "robot.txt").read_text() == "a robot\n"


def test_a_torn_image_is_named_and_the_others_are_made(folder: Path) -> None:
    picture(1).save(folder / "robot.png")
    (folder / "torn.png").write_bytes((folder / "robot.png").read_bytes()[:200])
    made, said = prepare(folder)
    assert names(made) == {"robot.png"}
    assert any("torn.png" in line for line in said)


def test_images_without_one_that_is_left_are_said(folder: Path) -> None:
    picture(1).save(folder / "robot.png")
    with pytest.raises(UserError, match="No image of"):
        prepare(folder, aside="robot.png")


def test_a_crop_keeps_the_faces_in_its_middle(folder: Path) -> None:
    ramp = np.tile(np.arange(0, 256, 2, dtype=np.uint8)[None, :, None], (64, 1, 3))
    Image.fromarray(ramp).save(folder / "robot.png")
    yunet = tiny.yunet(folder.parent / "yunet.onnx", {(8, 1, 6): (16, 16, 0.9)})
    made, _ = prepare(folder, shape="size", size="32x64", focus="faces", faces_model=str(yunet))
    with Image.open(made / "robot.png") as image:
        left = int(np.asarray(image)[0, 0, 0]) // 2
    assert left == 104 - 16  # the middle of cell 6 of 8, in an image twice as wide as the model sees it


def test_a_kill_loses_nothing_and_the_next_run_goes_on(folder: Path) -> None:
    for number in range(4):
        picture(number, (128, 96)).save(folder / f"{number}.png")
    values: dict[str, Any] = {"shape": "longest", "pixels": 64}
    made, _ = prepare(folder, **values)
    record = made / "prepared.jsonl"
    whole = record.read_bytes()
    before = {name: (made / name).stat().st_mtime_ns for name in names(made)}
    for kept in range(len(whole.splitlines()[0]) + 1, len(whole), 211):
        record.write_bytes(whole[:kept])  # what was noted when it was killed
        _, said = prepare(folder, **values)
        assert said == ["4 images are ready, of 4."]
    (made / "3.png").unlink()
    prepare(folder, **values)
    assert names(made) == set(before)


def test_a_record_of_a_stranger_deletes_nothing_elsewhere(folder: Path) -> None:
    picture(1).save(folder / "robot.png")
    mine = folder.parent / "mine.png"
    picture(2).save(mine)
    made, _ = prepare(folder)
    about = mine.stat()
    lines = [{"image": "gone", "made": ["../mine.png", "0"]},
             {"file": "../mine.png", "stamp": [about.st_size, about.st_mtime_ns]}]  # fmt: skip
    with (made / "prepared.jsonl").open("a") as file:
        file.writelines(f"{json.dumps(line)}\n" for line in lines)
    with pytest.raises(UserError, match="is damaged, or was not written"):
        prepare(folder)
    assert mine.exists()


def test_images_of_one_name_have_the_same_caption(folder: Path) -> None:
    picture(1).save(folder / "robot.png")
    picture(2).save(folder / "robot.jpg")
    (folder / "robot.txt").write_text("a robot")
    made, _ = prepare(folder)
    assert names(made) == {"robot.jpg", "robot.txt", "robot_2.png", "robot_2.txt"}
