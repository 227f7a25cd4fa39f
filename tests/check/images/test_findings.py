"""The check says of images what a person would want to know, with numbers, and each of its mends helps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modules.check.images.findings import findings
from modules.messages import Event, Finding, Mailbox, Stage, Stop
from modules.preset.preset import Preset
from modules.sentences.render import PLAIN
from modules.trainer.control import Interrupted
from tests.check.rooms import mended, preset_for, said, subject_of
from tests.data.pictures import scanned


def noise(path: Path, width: int = 64, height: int = 64, seed: int = 0, **options: object) -> Path:
    """A picture with shapes of its own: no two seeds look alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shapes = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(shapes).resize((width, height), Image.Resampling.BICUBIC).save(path, **options)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten different pictures that fit."""
    for number in range(10):
        noise(tmp_path / "pictures" / f"{number}.png", seed=number)
    return tmp_path / "pictures"


def look(folder: Path, *settings: str) -> tuple[Preset, dict[str, Finding]]:
    preset = preset_for(folder.parent / "workspace", [folder], *settings)
    return preset, said(findings, preset)


def test_of_pictures_that_fit_only_their_shapes_are_told(folder: Path) -> None:
    _, found = look(folder)
    assert set(found) == {"images.buckets"}
    assert found["images.buckets"].title == "10 images in 1 bucket."
    assert found["images.buckets"].bars == [("64x64", 10)]


def test_nothing_is_said_without_images(tmp_path: Path) -> None:
    assert list(findings(subject_of(preset_for(tmp_path)))) == []


# Broken ---------------------------------------------------------------------------------------------------------------


def test_a_torn_image_is_found_by_its_pixels_and_a_broken_one_by_its_header(folder: Path) -> None:
    noise(folder / "torn.jpg", 256, 256, seed=50)
    data = (folder / "torn.jpg").read_bytes()
    (folder / "torn.jpg").write_bytes(data[: len(data) * 2 // 3])
    (folder / "none.png").write_bytes(b"no picture")
    _, found = look(folder)
    finding = found["images.unreadable"]
    assert finding.severity == "warning"
    assert finding.title == "2 of 12 images (17\u00a0%) cannot be read and will be skipped."
    assert sorted(PLAIN.words(item).split(": ")[1] for item in finding.items) == [
        "it is not an image, or it is damaged at the beginning",
        "it is torn",
    ]


def test_a_set_of_nothing_but_torn_images_cannot_start(tmp_path: Path) -> None:
    noise(tmp_path / "pictures" / "a.png", 64, 64)
    data = (tmp_path / "pictures" / "a.png").read_bytes()
    (tmp_path / "pictures" / "a.png").write_bytes(data[: len(data) // 2])
    _, found = look(tmp_path / "pictures")
    assert {name: finding.severity for name, finding in found.items()} == {"images.unreadable": "error"}


# Left out -------------------------------------------------------------------------------------------------------------


def test_kinds_that_are_not_read_are_counted(folder: Path) -> None:
    for name in ("a.tga", "b.TGA", "c.psd"):
        (folder / name).touch()
    _, found = look(folder)
    assert found["images.not-taken"].title == "3 images are of a kind that is not read: 2 .tga and 1 .psd."
    assert found["images.not-taken"].severity == "warning"


def test_images_in_folders_inside_are_told_and_taken_if_one_wants(folder: Path) -> None:
    noise(folder / "more" / "x.png", seed=99)
    preset, found = look(folder)
    finding = found["images.nested"]
    assert finding.title == '1 folder inside of "pictures" holds images that are not trained.'
    assert finding.items == ["more"]
    assert "images.nested" not in said(findings, mended(preset, finding))


def test_repeats_in_the_names_of_folders_are_offered(folder: Path) -> None:
    renamed = folder.rename(folder.with_name("10_robot"))
    preset, found = look(renamed)
    finding = found["images.folder-repeats"]
    assert finding.fixes[0].changes == {"concepts.0.repeats": 10.0}
    assert "images.folder-repeats" not in said(findings, mended(preset, finding))
    noise(renamed.parent / "all" / "2_a" / "x.png", seed=70)
    noise(renamed.parent / "all" / "5_b" / "y.png", seed=71)
    _, found = look(renamed.parent / "all", "concepts.0.subfolders=true")
    assert found["images.folder-repeats"].items == ["2_a", "5_b"]
    assert not found["images.folder-repeats"].fixes


# Sizes ----------------------------------------------------------------------------------------------------------------


def test_small_images_are_counted_and_a_lower_resolution_ends_it(folder: Path) -> None:
    noise(folder / "small.png", 40, 40, seed=20)
    noise(folder / "smaller.png", 36, 36, seed=21)
    preset, found = look(folder)
    finding = found["images.small"]
    assert finding.title == (
        "2 of 12 images (17\u00a0%) are smaller than their bucket; the smallest is enlarged 1.8 times."
    )
    assert finding.severity == "warning"
    assert finding.fixes[0].changes == {"training.resolution": 32}
    assert "images.small" not in said(findings, mended(preset, finding))


def test_images_that_are_far_too_small_get_no_mend(folder: Path) -> None:
    noise(folder / "tiny.png", 12, 12, seed=20)
    _, found = look(folder)
    assert not found["images.small"].fixes
    assert "tiny.png: enlarged 5.3 times" in found["images.small"].items[0]


def test_a_longest_side_makes_portraits_smaller_and_cuts_nothing_off_them(folder: Path) -> None:
    for number in range(5):
        noise(folder / f"tall {number}.png", 48, 80, seed=30 + number)
    _, found = look(folder, "training.max_side=64")
    assert "images.cut" not in found


def test_a_panorama_loses_its_ends_whatever_is_set(folder: Path) -> None:
    noise(folder / "panorama.png", 640, 64, seed=40)
    _, found = look(folder)
    assert found["images.cut"].title == (
        "1 of 11 images (9\u00a0%) loses more than 15\u00a0% of its area at the edges; the worst loses 60\u00a0%."
    )


def test_huge_images_only_start_slowly(folder: Path) -> None:
    noise(folder / "huge.png", 400, 400, seed=41)
    _, found = look(folder)
    assert found["images.huge"].severity == "info"
    assert found["images.huge"].items == [f"{folder / 'huge.png'}: 400x400"]


def test_of_very_many_images_a_sample_of_each_concept_is_looked_at_and_that_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "images.sampled" not in look(folder)[1]
    count = len(list(folder.glob("*.png")))
    noise(folder / "huge.png", 400, 400, seed=41)
    monkeypatch.setattr("modules.check.images.findings.MOST_LOOKED_AT", 4)
    _, found = look(folder)
    assert found["images.sampled"].title == f"Of {count + 1} images, 4 were looked at."
    assert found["images.huge"].items == [f"{folder / 'huge.png'}: 400x400"]  # sizes are known of all


# Copies ---------------------------------------------------------------------------------------------------------------


def test_copies_and_look_alikes_are_told_apart(folder: Path) -> None:
    (folder / "copy.png").write_bytes((folder / "3.png").read_bytes())
    with Image.open(folder / "5.png") as image:
        image.convert("RGB").resize((48, 48)).save(folder / "again.jpg", quality=80)
    _, found = look(folder)
    assert found["images.copies"].title == "1 of 12 images (8\u00a0%) is a duplicate file."
    assert found["images.copies"].items == [f"{folder / '3.png'} = {folder / 'copy.png'}"]
    assert found["images.alike"].title == "1 of 12 images (8\u00a0%) is nearly the same as another."
    assert found["images.alike"].items == [f"{folder / '5.png'} = {folder / 'again.jpg'}"]


def test_empty_pictures_are_copies_only_by_their_bytes(tmp_path: Path) -> None:
    for name, shade in {"a": 0, "b": 0, "c": 200}.items():
        (tmp_path / "pictures").mkdir(exist_ok=True)
        Image.new("RGB", (64, 64), (shade, 0, 0)).save(tmp_path / "pictures" / f"{name}.png")
    _, found = look(tmp_path / "pictures")
    assert found["images.copies"].items == [f"{tmp_path / 'pictures' / 'a.png'} = {tmp_path / 'pictures' / 'b.png'}"]
    assert "images.alike" not in found


def test_a_picture_in_two_concepts_is_said_to_be(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "same.png").write_bytes((folder / "0.png").read_bytes())
    noise(tmp_path / "other" / "mine.png", seed=99)
    preset = preset_for(tmp_path / "workspace", [folder, tmp_path / "other"])
    assert "1 image is in several concepts." in said(findings, preset)["images.copies"].title


def test_the_starter_pictures_are_no_copies_of_one_another(tmp_path: Path) -> None:
    found = said(findings, preset_for(tmp_path))
    assert not {"images.copies", "images.alike"} & set(found)
    assert not [finding for finding in found.values() if finding.severity != "info"]


# Oddities -------------------------------------------------------------------------------------------------------------


def test_what_is_taken_care_of_is_worth_knowing(folder: Path) -> None:
    clear = np.zeros((64, 64, 4), dtype=np.uint8)
    clear[:, 32:, 3] = 255
    clear[16:40, 40:50, 0] = 255
    Image.fromarray(clear).save(folder / "clear.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    noise(folder / "turned.jpg", seed=60, exif=exif)
    with Image.open(noise(folder / "x.png", seed=61)) as first, Image.open(noise(folder / "y.png", seed=62)) as then:
        first.save(folder / "moves.gif", save_all=True, append_images=[then.copy()])
    with Image.open(noise(folder / "x.png", seed=63)) as image:
        image.convert("CMYK").save(folder / "print.jpg")
    (folder / "x.png").unlink()
    (folder / "y.png").unlink()
    deep = np.random.default_rng(64).integers(0, 65536, (64, 64), dtype=np.uint16)
    Image.fromarray(deep).save(folder / "deep.png")
    _, found = look(folder)
    odd = {name: Path(finding.items[0]).name for name, finding in found.items() if len(finding.items) == 1}
    assert odd == {
        "images.transparent": "clear.png",
        "images.turned": "turned.jpg",
        "images.animated": "moves.gif",
        "images.cmyk": "print.jpg",
        "images.16-bit": "deep.png",
        "images.colourless": "deep.png",
    }


# Balance --------------------------------------------------------------------------------------------------------------


def test_a_concept_that_is_shown_far_too_rarely_is_found_and_evened_out(folder: Path, tmp_path: Path) -> None:
    noise(tmp_path / "few" / "a.png", seed=70)
    noise(tmp_path / "few" / "b.png", seed=71)
    preset = preset_for(tmp_path / "workspace", [folder, tmp_path / "few"], "concepts.0.repeats=6")
    finding = said(findings, preset)["images.balance"]
    assert finding.title == '"pictures" is shown 30 times as often as "few": 60 and 2 times an epoch.'
    assert finding.severity == "warning"
    assert finding.bars == [("pictures", 60), ("few", 2)]
    assert finding.fixes[0].changes == {"concepts.1.repeats": 30.0}
    assert "images.balance" not in said(findings, mended(preset, finding))


def test_example_images_beside_own_ones_are_told_and_a_click_leaves_them_out(folder: Path) -> None:
    both = [{"path": "starter:robot"}, {"path": str(folder)}]
    preset = preset_for(folder.parent / "workspace", concepts=both)
    assert "images.example" in (found := said(findings, preset))
    assert "images.example" not in said(findings, mended(preset, found["images.example"]))
    assert "images.example" not in said(findings, preset_for(folder.parent / "workspace", concepts=both[:1]))


def test_a_concept_of_one_image_is_learnt_by_heart(tmp_path: Path) -> None:
    noise(tmp_path / "one" / "a.png")
    _, found = look(tmp_path / "one")
    assert found["images.single"].title == '"one" holds one image.'


def test_images_that_wait_for_another_epoch_are_counted_and_whole_repeats_show_them(folder: Path) -> None:
    preset, found = look(folder, "concepts.0.repeats=0.2")
    finding = found["images.left-out"]
    assert finding.title == 'An epoch shows 2 of the 10 images of "pictures".'
    assert "about every 5.0 epochs" in finding.text
    assert "images.left-out" not in said(findings, mended(preset, finding))


def test_samples_that_leave_images_out_are_mended_too(folder: Path) -> None:
    preset, found = look(folder, "concepts.0.samples=4")
    finding = found["images.left-out"]
    assert finding.path == "concepts.0.samples"
    assert "images.left-out" not in said(findings, mended(preset, finding))


# Around it ------------------------------------------------------------------------------------------------------------


def test_progress_is_told_and_a_stop_obeyed(folder: Path) -> None:
    preset = preset_for(folder.parent / "workspace", [folder])
    told: list[Event] = []
    list(findings(subject_of(preset, scanned(preset), told=told)))
    assert any(isinstance(event, Stage) and event.total == 10 for event in told)
    stop = Mailbox[Stop]()
    stop.put(Stop())
    with pytest.raises(Interrupted):
        list(findings(subject_of(preset, scanned(preset), mailbox=stop)))  # type: ignore[arg-type]


def test_a_list_beside_the_images_is_offered(folder: Path) -> None:
    rows = [f'{{"file_name": "{number}.png", "text": "robot {number}"}}' for number in range(3)]
    (folder / "metadata.jsonl").write_text("\n".join(rows))
    preset, found = look(folder)
    after = scanned(mended(preset, found["images.metadata"]))
    assert [item.captions for item in after] == [(f"robot {number}",) for number in range(3)]
    assert "images.metadata" not in said(findings, mended(preset, found["images.metadata"]))


# Filters and weights --------------------------------------------------------------------------------------------------


def test_what_filters_leave_and_how_often_weights_show_it_is_told(folder: Path) -> None:
    for number in range(10):
        fact = f'{{"rating": "{"g" if number else "e"}", "weight": {0.25 if number > 5 else 2}}}'
        (folder / f"{number}.json").write_text(fact)
    _, found = look(folder, "concepts.0.ratings=g", "concepts.0.weight_column=weight")
    assert found["images.filtered"].title == '9 of 10 images of "pictures" are left by its filters.'
    assert "1 by rating" in found["images.filtered"].text
    assert found["images.weights"].title == '9 images of "pictures" have weights, and count as 11 an epoch.'
    assert "0.25 to 2" in found["images.weights"].text
