"""Without a cache for images: the same is learnt, nothing is written or read ahead, and a resume shows the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors.torch import load_file

from modules.data.batches import Batch, BatchLoader
from modules.data.order import epoch_order
from tests.data import test_batches
from tests.data.pictures import picture, preset_of
from tests.data.test_batches import Bench, Encoders, concept, equal
from tests.trainer.runs import assert_equal, folder_of, model_of, run, stop_after_a_backup, values

bench = test_batches.bench  # its fixture
STREAM = {"cache_latents": False}


@pytest.fixture
def masked(bench: Bench) -> Bench:
    """Half of the pictures have a mask; each has two captions."""
    for number in range(6):
        (bench.set / f"{number}.txt").write_text(f"robot {number}\nmachine {number}")
        if number % 2:
            mask = Image.new("L", (48, 32))
            mask.paste(255, (4, 4, 20, 20))
            mask.save(bench.set / f"{number}-masklabel.png")
    return bench


def both(bench: Bench, **settings: Any) -> tuple[BatchLoader, BatchLoader]:
    """A loader that caches, and one that streams."""
    cached, streamed = (preset_of(concept(bench, **settings), general=general) for general in ({}, STREAM))
    return bench.fill(cached)[0], bench.fill(streamed)[0]


def shown(loader: BatchLoader, epoch: int, start: int = 0) -> list[Batch]:
    order = epoch_order(loader.index, 2, loader.seed, epoch)
    return [loader.batch(order[number], epoch) for number in range(start, len(order))]


@pytest.mark.parametrize(
    "settings",
    [{}, {"flip": True, "flip_vertical": True}, {"masks": "file", "mask_crop": "keep"}, {"masks": "alpha"},
     {"brightness": 0.2, "brightness_fixed": True}],
    ids=["plain", "flipped", "masks", "alpha", "fixed"],
)  # fmt: skip
def test_the_same_is_seen_as_from_the_cache(masked: Bench, settings: dict[str, Any]) -> None:
    cached, streamed = both(masked, **settings)
    for epoch in range(3):
        for one, other in zip(shown(cached, epoch), shown(streamed, epoch), strict=True):
            assert equal(one, other)
            assert (one.masks_B1hw is None) == (other.masks_B1hw is None)
            assert one.masks_B1hw is None or other.masks_B1hw is None or one.masks_B1hw.equal(other.masks_B1hw)


def test_nothing_is_encoded_before_it_is_drawn_and_nothing_is_kept(bench: Bench) -> None:
    loader, encoders = bench.fill(preset_of(concept(bench), general=STREAM))
    assert encoders.images == 0
    for number in range(4):
        (bench.set / f"{number}.png").write_bytes(b"no picture any more")
    order = epoch_order(loader.index, 1, loader.seed, 0)
    good = next(order[n] for n in range(len(order)) if order[n][0].row > 3)
    loader.batch(good, 0)
    loader.batch(good, 0)
    assert encoders.images == 2
    again, later = bench.fill(preset_of(concept(bench)), Encoders())  # a run with a cache finds none of it
    assert later.images == len(again.index) == 2


def test_what_is_random_is_drawn_anew_each_time(bench: Bench) -> None:
    loader, _ = bench.fill(preset_of(concept(bench, random_crop=True, variants=1, repeats=3), general=STREAM))
    looks = {tuple(size) for batch in shown(loader, 0) for size in batch.sizes_B6[:, 2:4].tolist()}
    assert len(looks) > 2


def test_a_bad_image_gives_its_place_to_the_same_one_after_a_resume(bench: Bench) -> None:
    """Which ones are known to be bad differs between a run and one that goes on from its middle."""
    for number in range(6, 18):
        picture(bench.set / f"{number}.png", 32, 32, shade=number)
    preset = preset_of(concept(bench, captions="none"), general=STREAM)
    loader, later = bench.fill(preset)[0], bench.fill(preset)[0]
    for number in (6, 8, 9, 12, 13):
        data = (bench.set / f"{number}.png").read_bytes()
        (bench.set / f"{number}.png").write_bytes(data[: len(data) // 2])
    whole = shown(loader, 0)
    assert not {item.file.name for batch in whole for item in batch.items} & {
        "6.png",
        "8.png",
        "9.png",
        "12.png",
        "13.png",
    }
    rest = shown(later, 0, start=4)
    assert len(rest) > 3
    assert all(equal(one, other) for one, other in zip(whole[4:], rest, strict=True))
    assert sum("cannot be read" in said for said in bench.notes) >= 1


# Runs -----------------------------------------------------------------------------------------------------------------


SHORT = ("training.steps=4", "general.cache_latents=false", "concepts.0.masks=alpha")


def test_a_run_learns_the_same_with_and_without_a_cache(tmp_path: Path) -> None:
    cached = run(values(tmp_path / "cached", *SHORT, "general.cache_latents=true"))
    streamed = run(values(tmp_path / "streamed", *SHORT), cold=True)
    assert_equal(load_file(model_of(cached)), load_file(model_of(streamed)))


def test_a_run_without_any_cache_goes_on_bit_for_bit(tmp_path: Path) -> None:
    settings = (*SHORT, "general.cache_texts=false")
    whole = run(values(tmp_path / "whole", *settings), cold=True)
    preset = values(tmp_path / "cut", *settings, "backup.every=2 steps")
    cut = run(preset, cold=True, answer=stop_after_a_backup)
    later = run(preset, resume=str(folder_of(cut)), cold=True)
    assert_equal(load_file(model_of(whole)), load_file(model_of(later)))
    assert not [path for path in (tmp_path / "whole" / "cache").rglob("*") if path.stat().st_size > 20_000]
