from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch

from modules.data.batches import BatchLoader
from modules.data.cache import manifest
from modules.data.cache.store import Cache
from modules.preset.preset import Preset
from modules.sentences.render import PLAIN
from tests.data.pictures import aged, picture, preset_of, rewritten, scanned
from tests.data.source.test_packed import packed, robots
from tests.data.test_batches import Encoders, batches, equal


class Runs:
    """Starts of runs that share a set and a cache; `passes` are what the last one went through."""

    def __init__(self, folder: Path) -> None:
        self.set, self.cache = folder / "set", folder / "cache"
        self.passes: set[str] = set()
        self.encoders = Encoders()
        self.notes: list[str] = []
        self.open = ExitStack()

    def start(self, **concept: Any) -> BatchLoader:
        return self.of(preset_of({"path": str(self.set), **concept}))

    def of(self, preset: Preset) -> BatchLoader:
        self.passes, self.encoders = set(), Encoders()
        loader = BatchLoader(
            scanned(preset, self.cache), preset, self.encoders, self.open.enter_context(Cache(self.cache)),
            cache_latents=True, cache_text=True, note=lambda what: self.notes.append(PLAIN.sentence(what)),
        )  # fmt: skip
        loader.fill(lambda stage, done, total: self.passes.add(stage), lambda: False)
        return loader


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    monkeypatch.setattr(manifest, "FROM_ROWS", 1)
    monkeypatch.setattr(manifest, "LOOKED_UP", 0)
    runs = Runs(tmp_path)
    for i in range(6):
        picture(runs.set / f"{i}.png", 32 + 16 * (i % 2), 32, shade=20 * i)
        (runs.set / f"{i}.txt").write_text(f"robot {i}")
    aged(runs.set)
    with runs.open:
        yield runs


def test_images_that_did_not_change_are_not_gone_through_again(runs: Runs) -> None:
    first = runs.start(flip=True)
    assert "stage.encoding-images" in runs.passes
    again = runs.start(flip=True)
    assert runs.passes == set()
    assert all(equal(a, b) for a, b in zip(batches(first), batches(again), strict=True))
    assert runs.encoders.images == 0
    assert runs.encoders.captions == []
    runs.start(flip=True, repeats=3, loss_weight=0.5)  # which change how often they are shown, and how much it counts
    assert runs.passes == set()


@pytest.mark.parametrize(
    "change",
    [
        lambda runs: picture(runs.set / "3.png", 48, 32, shade=201),
        lambda runs: rewritten(runs.set / "3.txt", b"rabot 3"),
        lambda runs: (runs.set / "3.txt").unlink(),
        lambda runs: picture(runs.set / "new.png", 32, 32),
        lambda runs: [path.unlink() for path in runs.cache.glob("*.shard")],
        lambda runs: [path.unlink() for path in runs.cache.glob("manifests/*")],
        lambda runs: [os.truncate(path, 100) for path in runs.cache.glob("manifests/*")],
    ],
    ids=["image", "caption", "no caption", "new image", "shard", "no manifest", "damaged manifest"],
)
def test_whatever_changes_has_every_image_looked_at(runs: Runs, change: Callable[[Runs], object]) -> None:
    runs.start()
    change(runs)
    aged(runs.set)
    loader = runs.start()
    assert "stage.reading-images" in runs.passes
    for batch in batches(loader):
        assert batch.latents_BChw is not None
    runs.start(flip=True)
    assert "stage.encoding-images" in runs.passes


def test_encoders_and_a_table_of_captions_are_looked_at_too(runs: Runs, tmp_path: Path) -> None:
    for i in range(6):
        (runs.set / f"{i}.txt").unlink()
    table = tmp_path / "captions.csv"
    table.write_text("file_name,caption\n" + "".join(f"{i}.png,one {i}\n" for i in range(6)))
    aged(tmp_path)
    runs.start(caption_table=str(table))
    runs.start(caption_table=str(table))
    assert runs.passes == set()
    table.write_text("file_name,caption\n" + "".join(f"{i}.png,two {i}\n" for i in range(6)))
    aged(tmp_path)
    runs.start(caption_table=str(table))
    assert sorted(runs.encoders.captions) == [f"two {i}" for i in range(6)]


def test_what_was_put_aside_stays_aside_until_it_can_be_read(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = (runs.set / "2.png").read_bytes()
    (runs.set / "2.png").write_bytes(whole[: len(whole) - 30])
    aged(runs.set)
    first = runs.start()
    again = runs.start()
    assert runs.passes == set()
    assert len(first.index) == len(again.index) == len(again.contents) == 5
    assert [(each.name, each.reason) for each in again.index.bad] == [(e.name, e.reason) for e in first.index.bad]
    assert all(equal(a, b) for a, b in zip(batches(first), batches(again), strict=True))
    # A disk that failed once gives it the next time.
    monkeypatch.setattr(manifest, "LOOKED_UP", 32)
    assert "reason.torn" in manifest.LASTING
    monkeypatch.setattr(manifest, "LASTING", set())
    runs.start()
    assert runs.passes == set()
    monkeypatch.setattr(manifest, "open_image", lambda file: None)
    runs.start()
    assert "stage.reading-images" in runs.passes


def test_some_rows_are_looked_up_all_the_same(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "LOOKED_UP", 3)
    runs.start()
    for path in runs.cache.glob("*.shard"):
        os.truncate(path, path.stat().st_size // 3)
        path.with_suffix(".idx").unlink()
        path.write_bytes(path.read_bytes().ljust(1 << 20, b"x"))  # as long as it was, and longer
    runs.start()
    assert "stage.encoding-images" in runs.passes or "stage.encoding-captions" in runs.passes


def test_an_archive_with_masks_is_known_by_its_stamp(runs: Runs, tmp_path: Path) -> None:
    archive = packed(tmp_path / "packed" / "0.tar", robots(5))
    aged(archive.parent)
    preset = preset_of({"path": str(archive.parent), "masks": "file", "mask_crop": "keep"})
    first, again = runs.of(preset), runs.of(preset)
    assert runs.passes == set()
    assert [again.contents[row] for row in range(5)] == [first.contents[row] for row in range(5)]
    assert sum(bool(first.contents[row].mask) for row in range(5)) == 1
    assert all(equal(a, b) for a, b in zip(batches(first), batches(again), strict=True))
    packed(archive, robots(6))
    batches(again)
    assert any("0.tar" in said for said in runs.notes)  # it changed while the run is on
    assert len(runs.of(preset).index) == 6


def test_a_damaged_record_is_found_when_it_comes_up_and_made_again(runs: Runs) -> None:
    first = batches(runs.start())
    shard = next(runs.cache.glob("*.shard"))
    data = bytearray(shard.read_bytes())
    for place in range(90, len(data), 200):
        data[place] ^= 1
    shard.write_bytes(data)
    loader = runs.start()
    assert runs.passes == set()
    assert all(equal(a, b) for a, b in zip(first, batches(loader), strict=True))
    assert runs.encoders.images > 0
    assert any("damaged" in said for said in runs.notes)


def test_a_cache_with_a_limit_keeps_what_a_manifest_names(runs: Runs) -> None:
    runs.start().cache.close()
    loader = runs.start()
    assert loader.cache.keep_within(0)[0] == 0
    batches(loader)
    assert runs.encoders.images == 0


class Killed(BaseException):
    pass


def test_a_fill_that_is_killed_anywhere_loses_nothing_that_it_encoded(runs: Runs) -> None:
    preset = preset_of({"path": str(runs.set), "flip": True})
    draw, kills, encoded = random.Random(4), 0, 0

    class Dying(Encoders):
        def encode_image(self, pixels_B3HW: torch.Tensor) -> torch.Tensor:
            latents = super().encode_image(pixels_B3HW)
            if draw.random() < 0.6:
                raise Killed
            nonlocal encoded
            encoded += 1
            return latents

    loader: BatchLoader | None = None
    while loader is None:
        cache = runs.open.enter_context(Cache(runs.cache))
        loader = BatchLoader(scanned(preset, runs.cache), preset, Dying(), cache, cache_latents=True, cache_text=True)
        try:
            loader.fill(lambda *_: None, lambda: False)
        except Killed:
            kills, loader = kills + 1, None
            cache.close()
            for path in runs.cache.glob("*.idx"):  # which a kill leaves behind the shard
                path.write_bytes(path.read_bytes()[:-50])
    assert kills > 5
    assert encoded == 12  # each once
    again = runs.of(preset)
    assert runs.passes == set()
    assert all(equal(a, b) for a, b in zip(batches(loader), batches(again), strict=True))
