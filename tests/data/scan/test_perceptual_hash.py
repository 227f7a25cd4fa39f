"""Every image is decoded once, to its last byte, and look-alikes are found without comparing each with every other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modules.data import image_errors
from modules.data.index import Index
from modules.data.scan import perceptual_hash as module
from modules.data.scan.duplicates import MAX_HASH_DISTANCE, near_duplicates
from modules.data.scan.perceptual_hash import PixelInfo, pixel_info_of, read_pixel_info
from modules.data.source.folders import on_disk
from modules.data.source.source import DataFile
from modules.sentences.problem import Problem, as_it_is
from tests.data.pictures import aged, picture, preset_of, scanned


@pytest.fixture
def index(tmp_path: Path) -> Index:
    for number in range(5):
        picture(tmp_path / "images" / f"{number}.png", 40 + number, 32)
    aged(tmp_path / "images")
    return scanned(preset_of({"path": str(tmp_path / "images")}))


def looked(index: Index, cache: Path, stop_after: int = 1000) -> list[PixelInfo]:
    asked = iter(range(10_000))
    files = [index.file(row) for row in range(len(index))]
    return read_pixel_info(files, cache, lambda done, total: None, lambda: next(asked) >= stop_after)


def test_what_was_seen_is_not_decoded_again(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = looked(index, tmp_path / "cache")

    def loud(file: DataFile) -> PixelInfo:
        raise AssertionError(file)

    monkeypatch.setattr(module, "pixel_info_of", loud)
    assert looked(index, tmp_path / "cache") == first


def test_a_changed_file_is_decoded_again(index: Index, tmp_path: Path) -> None:
    first = looked(index, tmp_path / "cache")
    index.file(2).path.write_bytes(b"torn")
    assert looked(index, tmp_path / "cache")[2].reason == Problem("reason.no-image")
    assert looked(index, tmp_path / "cache")[3] == first[3]


def test_a_reason_that_an_older_version_kept_is_told_as_it_kept_it() -> None:
    old = PixelInfo("it is torn", 0, b"", 0.0, is_animated=False, orientation=1, mode="")._replace(thumb="")
    assert module._decoded(json.dumps(old).encode()).reason == as_it_is("it is torn")
    assert module._decoded(json.dumps(old._replace(reason="")).encode()).reason is None
    new = PixelInfo(Problem("reason.torn"), 0, b"", 0.0, is_animated=False, orientation=1, mode="")
    assert module._decoded(module._encoded(new)) == new


def test_a_file_that_has_gone_is_said_and_not_remembered(index: Index, tmp_path: Path) -> None:
    data = index.file(1).path.read_bytes()
    index.file(1).path.unlink()
    assert looked(index, tmp_path / "cache")[1].reason == Problem("reason.absent")
    index.file(1).path.write_bytes(data)
    assert not looked(index, tmp_path / "cache")[1].reason


def test_who_stops_keeps_what_was_seen(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(looked(index, tmp_path / "cache", stop_after=2)) == 2
    decoded: list[str] = []

    def counting(file: DataFile) -> PixelInfo:
        decoded.append(file.name)
        return pixel_info_of(file)

    monkeypatch.setattr(module, "pixel_info_of", counting)
    assert len(looked(index, tmp_path / "cache")) == 5
    assert sorted(decoded) == ["2.png", "3.png", "4.png"]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "bmp", "tif"])
def test_an_image_without_its_end_is_torn_in_every_format(suffix: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(noise).save(path)
    assert not pixel_info_of(on_disk(path)).reason
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert pixel_info_of(on_disk(path)).reason


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I"])
def test_every_kind_of_pixel_has_a_fingerprint(mode: str, tmp_path: Path) -> None:
    path = tmp_path / {"CMYK": "a.jpg", "YCbCr": "a.jpg", "I": "a.tif"}.get(mode, "a.png")
    ramp = np.linspace(0, 255, 300 * 200).reshape(200, 300)
    image = Image.fromarray((ramp * 257).astype(np.uint16) if mode[0] == "I" else ramp.astype(np.uint8))
    (image if mode == "I;16" else image.convert(mode)).save(path)
    found = pixel_info_of(on_disk(path))
    assert (found.reason, len(found.thumb)) == (None, 192)
    assert found.hash


def test_a_bomb_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_errors, "LIMIT_WHOLE", 1000)
    reason = pixel_info_of(on_disk(picture(tmp_path / "a.png", 64, 64))).reason
    assert reason is not None and reason.code == "reason.pixels" and reason.values["width"] == 64


# Look-alikes ----------------------------------------------------------------------------------------------------------


def printed(hash_: int, shade: int = 100) -> PixelInfo:
    return PixelInfo(None, hash_, bytes([shade]) * 192, 0.0, is_animated=False, orientation=1, mode="RGB")


def with_flipped(hash_: int, *bits: int) -> int:
    for bit in bits:
        hash_ ^= 1 << bit
    return hash_


def test_hashes_at_the_largest_distance_are_found_wherever_they_differ() -> None:
    chance = np.random.default_rng(0)
    for _ in range(200):
        base = int(chance.integers(1, 1 << 63))
        near = with_flipped(base, *chance.choice(64, MAX_HASH_DISTANCE, replace=False).tolist())
        far = with_flipped(base, *chance.choice(64, MAX_HASH_DISTANCE + 1, replace=False).tolist())
        assert near_duplicates([printed(base), printed(near)]) == [[0, 1]]
        assert near_duplicates([printed(base), printed(far)]) == []


def test_equal_shapes_in_other_colours_are_not_alike() -> None:
    assert near_duplicates([printed(12345, 100), printed(12345, 130), printed(12345, 105)]) == [[0, 2]]


def test_what_is_alike_step_by_step_is_one_group() -> None:
    chain = [with_flipped(2**40 - 1, *range(3 * n)) for n in range(6)]
    assert near_duplicates([printed(one) for one in reversed(chain)]) == [[0, 1, 2, 3, 4, 5]]


def test_the_groups_are_those_of_comparing_each_with_every_other() -> None:
    chance = np.random.default_rng(1)
    prints: list[PixelInfo] = []
    for _ in range(60):
        base = int(chance.integers(1, 1 << 63))
        for _ in range(int(chance.integers(1, 4))):
            flips = chance.choice(64, int(chance.integers(0, 12)), replace=False).tolist()
            prints.append(printed(with_flipped(base, *flips), int(chance.integers(90, 120))))
    together = {frozenset({row}) for row in range(len(prints))}
    for one in range(len(prints)):
        for other in range(one):
            apart = (prints[one].hash ^ prints[other].hash).bit_count()
            if apart <= MAX_HASH_DISTANCE and abs(prints[one].thumb[0] - prints[other].thumb[0]) <= 20:
                mine = {group for group in together if one in group or other in group}
                together = (together - mine) | {frozenset().union(*mine)}
    assert {frozenset(group) for group in near_duplicates(prints)} == {group for group in together if len(group) > 1}


def test_flat_pictures_are_like_none() -> None:
    assert near_duplicates([printed(0), printed(0)]) == []
    assert near_duplicates([]) == []
