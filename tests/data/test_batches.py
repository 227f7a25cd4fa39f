from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from modules.data.batches import Batch, BatchLoader
from modules.data.cache.store import Cache
from modules.data.image import variants
from modules.data.order import Example, epoch_order
from modules.data.prefetch import prefetched
from modules.data.source.source import DataFile
from modules.errors import UserError
from modules.preset.preset import Preset
from modules.sentences.problem import as_it_is
from modules.sentences.render import PLAIN
from tests.data.pictures import aged, picture, preset_of, rewritten, scanned


class Encoders:
    """Averages blocks of pixels, counts letters, and remembers what it was asked."""

    def __init__(self, image_key: str = "vae", text_key: str = "clip", dtype: torch.dtype = torch.float32) -> None:
        self._image_key, self.text_key, self.dtype = image_key, text_key, dtype
        self.images = 0
        self.captions: list[str] = []

    def image_key(self, size: tuple[int, int]) -> str:
        return self._image_key

    def encode_image(self, pixels_B3HW: Tensor) -> Tensor:
        assert pixels_B3HW.dtype == torch.float32
        assert pixels_B3HW.min() >= -1
        assert pixels_B3HW.max() <= 1
        self.images += len(pixels_B3HW)
        return torch.nn.functional.avg_pool2d(pixels_B3HW, 8).to(self.dtype)

    def encode_text(self, captions: Sequence[str]) -> list[dict[str, Tensor]]:
        self.captions += captions
        return [{"tokens": torch.tensor([ord(letter) for letter in caption])} for caption in captions]


class Bench:
    """A folder of images and a cache that runs share."""

    def __init__(self, folder: Path) -> None:
        self.set, self.cache = folder / "set", folder / "cache"
        self.notes: list[str] = []

    def fill(self, preset: Preset, encoders: Encoders | None = None, **options: bool) -> tuple[BatchLoader, Encoders]:
        encoders = encoders or Encoders()
        cache = Cache(self.cache)
        options = {"cache_latents": True, "cache_text": True, **options}
        loader = BatchLoader(
            scanned(preset),
            preset,
            encoders,
            cache,
            note=lambda what: self.notes.append(PLAIN.sentence(what)),
            **options,
        )
        loader.fill(lambda title, done, total: None, lambda: False)
        self._open.append(cache)
        return loader, encoders

    _open: list[Cache]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    bench._open = []  # pyright: ignore[reportPrivateUsage]
    for i in range(6):
        picture(bench.set / f"{i}.png", 32 + 16 * (i % 2), 32, shade=20 * i)
        (bench.set / f"{i}.txt").write_text(f"robot {i}")
    aged(bench.set)
    yield bench
    for cache in bench._open:  # pyright: ignore[reportPrivateUsage]
        cache.close()


def concept(bench: Bench, **values: Any) -> dict[str, Any]:
    return {"path": str(bench.set), **values}


def equal(one: Batch, other: Batch) -> bool:
    def same(a: Tensor | None, b: Tensor | None) -> bool:
        return (a is None and b is None) or (a is not None and b is not None and a.equal(b))

    texts = (one.text is None) == (other.text is None) and all(
        a["tokens"].equal(b["tokens"]) for a, b in zip(one.text or [], other.text or [], strict=True)
    )
    return (
        texts
        and one.captions == other.captions
        and same(one.latents_BChw, other.latents_BChw)
        and same(one.pixels_B3HW, other.pixels_B3HW)
        and same(one.sizes_B6, other.sizes_B6)
        and same(one.loss_weights_B, other.loss_weights_B)
    )


def batches(loader: BatchLoader, size: int = 2, epoch: int = 0) -> list[Batch]:
    order = epoch_order(loader.index, size, loader.seed, epoch)
    return [loader.batch(order[i], epoch) for i in range(len(order))]


def test_everything_is_encoded_once_and_never_again(bench: Bench) -> None:
    preset = preset_of(concept(bench, flip=True, caption_dropout=0.1))
    _, encoders = bench.fill(preset)
    assert encoders.images == 12
    assert sorted(encoders.captions) == ["", *(f"robot {i}" for i in range(6))]
    loader, encoders = bench.fill(preset)
    for epoch in range(5):
        batches(loader, epoch=epoch)
    assert (encoders.images, encoders.captions) == (0, [])


def test_a_filled_cache_opens_no_image(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = preset_of(concept(bench))
    bench.fill(preset)
    loader = BatchLoader(scanned(preset), preset, Encoders(), Cache(bench.cache), cache_latents=True, cache_text=True)
    opened: list[Path] = []
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: (opened.append(self), real(self, *a, **k))[1])
    monkeypatch.setattr(variants, "open_image", opened.append)
    loader.fill(lambda title, done, total: None, lambda: False)
    batches(loader)
    loader.cache.close()
    assert not [path for path in opened if path.parent == bench.set]


def test_a_batch_is_a_pure_function(bench: Bench) -> None:
    preset = preset_of(concept(bench, flip=True, random_crop=True, caption_dropout=0.3), resolution=24)
    loader, _ = bench.fill(preset)
    again, _ = bench.fill(preset)
    for epoch in range(3):
        for one, other in zip(batches(loader, epoch=epoch), reversed(batches(again, epoch=epoch)[::-1]), strict=True):
            assert equal(one, other)


def test_a_batch_is_what_its_showings_are_one_by_one(bench: Bench) -> None:
    loader, _ = bench.fill(preset_of(concept(bench, flip=True, caption_dropout=0.3)))
    examples = [Example(0, 0), Example(2, 0), Example(0, 1), Example(4, 7)]
    whole = loader.batch(examples, 3)
    parts = [loader.batch([example], 3) for example in examples]
    assert whole.latents_BChw is not None
    for i, part in enumerate(parts):
        assert part.latents_BChw is not None
        assert whole.latents_BChw[i].equal(part.latents_BChw[0])
        assert whole.captions[i] == part.captions[0]
        assert whole.sizes_B6[i].equal(part.sizes_B6[0])


def test_a_batch_says_what_training_must_know(bench: Bench) -> None:
    loader, _ = bench.fill(preset_of(concept(bench, loss_weight=0.5)))
    batch = loader.batch([Example(1, 0), Example(3, 4)], 0)
    assert batch.latents_BChw is not None
    assert batch.latents_BChw.shape == (2, 3, batch.items[0].bucket[0] // 8, batch.items[0].bucket[1] // 8)
    assert batch.pixels_B3HW is None
    assert batch.repeats == (0, 4)
    assert [item.key for item in batch.items] == ["0/1.png", "0/3.png"]
    assert batch.sizes_B6.dtype == torch.int64
    assert batch.sizes_B6[0, :2].tolist() == [32, 48]
    assert batch.sizes_B6[0, 4:].tolist() == list(batch.items[0].bucket)
    assert batch.loss_weights_B.tolist() == [0.5, 0.5]
    assert batch.text is not None
    assert batch.text[1]["tokens"].tolist() == [ord(letter) for letter in "robot 3"]


def test_pixels_instead_of_latents_are_the_same_pictures(bench: Bench) -> None:
    preset = preset_of(concept(bench, flip=True))
    cached, encoders = bench.fill(preset)
    live, other = bench.fill(preset, cache_latents=False)
    assert other.images == 0
    for one, two in zip(batches(cached), batches(live), strict=True):
        assert two.latents_BChw is None
        assert two.pixels_B3HW is not None
        assert one.latents_BChw is not None
        assert one.latents_BChw.allclose(encoders.encode_image(two.pixels_B3HW))
        assert one.sizes_B6.equal(two.sizes_B6)


def test_flips_and_crops_still_vary_with_caching_on(bench: Bench) -> None:
    picture(bench.set / "wide.png", 300, 32)
    preset = preset_of(concept(bench, flip=True, random_crop=True, variants=3))
    loader, _ = bench.fill(preset)
    (row,) = (item.row for item in loader.index if item.file.name == "wide.png")
    found = {tuple(loader.batch([Example(row, 0)], epoch).sizes_B6[0].tolist()) for epoch in range(60)}
    assert len(found) == 6
    seen = [loader.batch([Example(row, 0)], epoch).latents_BChw for epoch in range(60)]
    assert len({tuple(latents.flatten().tolist()) for latents in seen if latents is not None}) == 6


def test_a_flip_is_the_mirror_image(bench: Bench) -> None:
    loader, _ = bench.fill(preset_of(concept(bench, flip=True)))
    shown = [loader.batch([Example(0, 0)], epoch).latents_BChw for epoch in range(20)]
    kinds: list[Tensor] = []
    for latents in shown:
        assert latents is not None
        if not any(latents.equal(kind) for kind in kinds):
            kinds.append(latents)
    assert len(kinds) == 2
    assert kinds[0].allclose(kinds[1].flip(-1), atol=1e-6)


def missing(bench: Bench, preset: Preset, encoders: Encoders | None = None) -> tuple[int, list[str]]:
    _, encoders = bench.fill(preset, encoders)
    return encoders.images, encoders.captions


def test_what_changes_is_encoded_anew_and_nothing_else(bench: Bench) -> None:
    preset = preset_of(concept(bench))
    bench.fill(preset)

    (bench.set / "1.txt").write_text("human")
    assert missing(bench, preset) == (0, ["human"])

    picture(bench.set / "2.png", 32, 32, shade=250)
    assert missing(bench, preset) == (1, [])

    path = bench.set / "4.png"
    picture(bench.set / "other.png", 32, 32, shade=80)
    (bench.set / "other.png").unlink()
    data = bytearray(path.read_bytes())
    aged(bench.set)
    rewritten(path, bytes(data))  # touched, but the same bytes: nothing is to do
    assert missing(bench, preset) == (0, [])

    (bench.set / "5.png").rename(bench.set / "renamed.png")
    (bench.set / "5.txt").rename(bench.set / "renamed.txt")
    assert missing(bench, preset) == (0, [])


@pytest.mark.parametrize(
    ("values", "images", "captions"),
    [
        ({"resolution": 24}, 6, 0),
        ({"flip": True}, 6, 0),
        ({"prefix": "sks "}, 0, 6),
        ({"caption_dropout": 0.1}, 0, 1),
        ({"captions": "none"}, 0, 1),
        ({"image_key": "another VAE"}, 6, 0),
        ({"text_key": "another text encoder"}, 0, 6),
        ({"loss_weight": 2, "repeats": 3, "seed": 7}, 0, 0),
    ],
)
def test_a_setting_renews_what_it_changes(bench: Bench, values: dict[str, Any], images: int, captions: int) -> None:
    bench.fill(preset_of(concept(bench)))
    keys = {name: values.pop(name) for name in ("image_key", "text_key") if name in values}
    resolution, seed = values.pop("resolution", 32), values.pop("seed", 42)
    preset = preset_of(concept(bench, **values), resolution=resolution, general={"seed": seed})
    done, said = missing(bench, preset, Encoders(**keys))
    assert (done, len(said)) == (images, captions)


def test_latents_keep_the_precision_they_were_encoded_in(bench: Bench) -> None:
    loader, _ = bench.fill(preset_of(concept(bench)), Encoders(dtype=torch.bfloat16))
    latents = batches(loader)[0].latents_BChw
    assert latents is not None
    assert latents.dtype == torch.bfloat16


@pytest.mark.parametrize("cached", [True, False])
def test_a_torn_image_is_put_aside_and_the_rest_goes_on(bench: Bench, cached: bool) -> None:
    torn = bench.set / "2.png"
    torn.write_bytes(torn.read_bytes()[:-30])
    loader, _ = bench.fill(preset_of(concept(bench)), cache_latents=cached)
    assert len(loader.index) == 5
    assert [bad.place for bad in loader.index.bad] == [str(torn)]
    assert loader.index.bad[0].reason
    keys = {item.key for batch in batches(loader) for item in batch.items}
    assert keys == {f"0/{i}.png" for i in (0, 1, 3, 4, 5)}


@pytest.mark.parametrize("cached", [True, False])
def test_nothing_but_torn_images_is_an_error(bench: Bench, cached: bool) -> None:
    for path in bench.set.glob("*.png"):
        path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(UserError, match="None of the 6 images"):
        bench.fill(preset_of(concept(bench)), cache_latents=cached)


def test_a_concept_with_too_many_captions_is_encoded_live(bench: Bench) -> None:
    (bench.set / "0.txt").write_text("a, b, c, d, e, f, g, h")
    loader, encoders = bench.fill(preset_of(concept(bench, shuffle_tags=True)))
    assert "robot 1" in encoders.captions
    assert not any(len(caption) > 10 for caption in encoders.captions)
    assert loader.batch([Example(2, 0)], 0).text is not None
    batch = loader.batch([Example(0, 0), Example(2, 0)], 0)
    assert batch.text is None
    assert sorted(batch.captions[0].split(", ")) == list("abcdefgh")


def test_a_damaged_record_is_encoded_again_and_said(bench: Bench) -> None:
    preset = preset_of(concept(bench))
    loader, _ = bench.fill(preset)
    before = batches(loader)
    loader.cache.close()
    (shard,) = bench.cache.glob("*.shard")
    data = bytearray(shard.read_bytes())
    for at in range(100, len(data), 97):
        data[at] ^= 1
    shard.write_bytes(data)
    loader, encoders = bench.fill(preset)
    assert all(equal(one, other) for one, other in zip(batches(loader), before, strict=True))
    assert encoders.images
    assert len(bench.notes) == 1
    assert "damaged" in bench.notes[0]


def said(bench: Bench) -> list[str]:
    return [note.rpartition("/")[2].partition(". Others")[0] for note in bench.notes]


def test_files_that_change_under_a_run_are_said_once_for_each_kind_and_what_was_encoded_is_used(bench: Bench) -> None:
    loader, encoders = bench.fill(preset_of(concept(bench)))
    before = batches(loader)
    done = encoders.images
    (bench.set / "0.png").unlink()
    (bench.set / "2.png").unlink()
    picture(bench.set / "1.png", 99, 99)
    (bench.set / "3.txt").write_text("something else entirely")
    (bench.set / "4.txt").unlink()
    after = batches(loader)
    batches(loader)
    assert all(equal(one, other) for one, other in zip(before, after, strict=True))
    assert encoders.images == done
    found = sorted(said(bench))
    assert found[0] in (f"{n}.png was deleted while the run is on: what was encoded of it is used" for n in (0, 2))
    assert found[1:] == [
        "1.png was changed while the run is on: what was encoded of it before is used until the run ends",
        "3.txt was changed while the run is on: what it said when the run began is used",
        "4.txt was deleted while the run is on: what it said when the run began is used",
    ]
    assert loader.watch
    assert [PLAIN.sentence(each) for each in loader.watch.summary()] == [
        "2 images were deleted while the run was on: what was encoded of them is used."
    ]


def test_captions_that_belong_to_an_image_in_another_spelling_are_watched_too(bench: Bench) -> None:
    (bench.set / "3.png").rename(bench.set / "Caf\u00e9.png")
    (bench.set / "3.txt").rename(bench.set / "cafe\u0301.txt")
    loader, _ = bench.fill(preset_of(concept(bench)))
    batches(loader)
    assert not bench.notes
    (bench.set / "cafe\u0301.txt").write_text("something else entirely")
    batches(loader)
    assert said(bench) == ["cafe\u0301.txt was changed while the run is on: what it said when the run began is used"]


def test_what_does_not_change_is_never_said_to(bench: Bench) -> None:
    loader, _ = bench.fill(preset_of(concept(bench)))
    batches(loader)
    assert not bench.notes
    assert loader.watch
    assert not loader.watch.summary()


def test_an_image_that_is_needed_and_gone_gives_its_place_to_another_of_its_bucket(bench: Bench) -> None:
    preset = preset_of(concept(bench))
    loader, _ = bench.fill(preset, cache_latents=False)
    untouched = loader.batch([Example(3, 0), Example(5, 0)], 0)
    (bench.set / "0.png").unlink()
    picture(bench.set / "2.png", 50, 60)  # another shape: it fits its bucket no more
    batch = loader.batch([Example(0, 0), Example(4, 0), Example(2, 0)], 0)
    assert [item.file.name for item in batch.items] == ["4.png"] * 3  # the only one left of the bucket
    assert equal(loader.batch([Example(0, 0), Example(4, 0), Example(2, 0)], 0), batch)
    assert equal(loader.batch([Example(3, 0), Example(5, 0)], 0), untouched)
    assert [text for text in said(bench) if "cannot be read any more" in text]

    (bench.set / "4.png").unlink()  # the whole bucket is gone: the batch comes from the other one
    batch = loader.batch([Example(0, 0), Example(4, 0)], 0)
    assert {item.file.name for item in batch.items} <= {"1.png", "3.png", "5.png"}
    assert len({item.bucket for item in batch.items}) == 1

    (bench.set).rename(bench.set.with_name("renamed"))
    with pytest.raises(UserError, match=r"None of the images can be read any more\. Was their folder moved"):
        batches(loader)


def test_an_image_of_the_same_shape_that_is_read_as_it_comes_is_used_as_it_is_now(bench: Bench) -> None:
    loader, _ = bench.fill(preset_of(concept(bench)), cache_latents=False)
    before = loader.batch([Example(0, 0)], 0)
    picture(bench.set / "0.png", 32, 32, shade=250)
    assert not equal(loader.batch([Example(0, 0)], 0), before)
    assert said(bench) == ["0.png was changed while the run is on: it is used as it is now"]


def delete(cache: Cache) -> None:
    """As if none of its files had been open."""
    for file in cache._files.values():  # pyright: ignore[reportPrivateUsage]
        file.close()
    cache._files.clear()  # pyright: ignore[reportPrivateUsage]
    shutil.rmtree(cache.folder)


def test_a_cache_that_is_deleted_under_a_run_is_made_again_by_the_thread_that_trains(bench: Bench) -> None:
    loader, encoders = bench.fill(preset_of(concept(bench)))
    before = batches(loader)
    delete(loader.cache)
    encoders.images, encoders.captions[:] = 0, []
    order = epoch_order(loader.index, 2, loader.seed, 0)
    prepared = [loader.prepared(order[i], 0) for i in range(len(order))]
    assert (encoders.images, encoders.captions) == (0, [])  # not beside the training
    assert all(equal(loader.finished(one), other) for one, other in zip(prepared, before, strict=True))
    done = encoders.images
    assert all(equal(one, other) for one, other in zip(batches(loader), before, strict=True))
    assert encoders.images == done  # kept again
    assert len(bench.notes) == 1


def test_a_damaged_record_of_an_image_that_is_gone_costs_only_that_image(bench: Bench) -> None:
    loader, _ = bench.fill(preset_of(concept(bench)))
    delete(loader.cache)
    (bench.set / "0.png").unlink()
    picture(bench.set / "2.png", 32, 32, shade=250)
    batch = loader.batch([Example(0, 0), Example(2, 0)], 0)
    assert {item.file.name for item in batch.items} == {"4.png"}


def test_an_image_that_is_saved_while_it_is_encoded_is_left_out_of_the_run(bench: Bench) -> None:
    preset = preset_of(concept(bench))
    real = variants.open_image

    class Saving(Encoders):
        """Its first image is slow enough for somebody to save another."""

    def slow(file: DataFile, scale: float = 1.0) -> Any:
        image = real(file, scale)
        if file.name == "3.png" and file.path is not None:
            picture(file.path, 48, 32, shade=1)
        return image

    variants.open_image = slow
    try:
        loader, _ = bench.fill(preset, Saving())
    finally:
        variants.open_image = real
    assert [(bad.name, bad.reason.code) for bad in loader.index.bad] == [("3.png", "reason.changed-while-read")]
    again, encoders = bench.fill(preset)
    assert len(again.index) == 6
    assert encoders.images == 1


def test_stopping_keeps_what_was_encoded(bench: Bench) -> None:
    preset = preset_of(concept(bench))
    encoders = Encoders()
    done: list[int] = []

    def report(stage: str, number: int, total: int) -> None:
        if stage == "stage.encoding-images":
            done.append(number)

    with Cache(bench.cache) as cache:
        loader = BatchLoader(scanned(preset), preset, encoders, cache, cache_latents=True, cache_text=True)
        loader.fill(report, lambda: len(done) >= 2)
    assert encoders.images == 2
    assert encoders.captions == []
    assert missing(bench, preset)[0] == 4


def test_ahead_gives_the_same_things_in_the_same_order() -> None:
    assert list(prefetched(range(100), depth=3)) == list(range(100))
    assert list(prefetched([])) == []


def test_ahead_works_in_one_other_thread_and_only_a_little_ahead() -> None:
    made: list[int] = []

    def source() -> Iterator[str]:
        for i in range(100):
            made.append(i)
            yield threading.current_thread().name

    things = prefetched(source(), depth=2)
    names = {next(things) for _ in range(10)}
    things.close()
    assert len(names) == 1
    assert names != {threading.current_thread().name}
    assert len(made) <= 13
    assert not [thread for thread in threading.enumerate() if thread.name in names]


def test_errors_ahead_come_out_where_they_belong() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise UserError(as_it_is("no such image"))

    things = prefetched(source())
    assert next(things) == 1
    with pytest.raises(UserError, match="no such image"):
        next(things)


# Draws of pictures, and masks -----------------------------------------------------------------------------------------

CHANCES: dict[str, Any] = {
    "flip": True, "flip_vertical": True, "random_crop": True, "rotation": 10, "brightness": 0.2, "hue": 20,
}  # fmt: skip


def mask_of(path: Path, width: int, height: int, white: int) -> None:
    """A mask whose left part is white."""
    pixels = torch.zeros(height, width, dtype=torch.uint8)
    pixels[:, :white] = 255
    Image.fromarray(pixels.numpy()).save(path)


def test_draws_vary_from_epoch_to_epoch_and_the_cache_is_filled_once(bench: Bench) -> None:
    loader, encoders = bench.fill(preset_of(concept(bench, **CHANCES, variants=3)))
    assert encoders.images == 6 * 3 * 4
    seen = [loader.batch([Example(1, 0)], epoch).latents_BChw for epoch in range(80)]
    assert len({tuple(latents.flatten().tolist()) for latents in seen if latents is not None}) == 12
    assert encoders.images == 6 * 3 * 4
    _, again = bench.fill(preset_of(concept(bench, **CHANCES, variants=3), general={"seed": 7}))
    assert again.images == 0


@pytest.mark.parametrize("variants", [0, 1, 3])
def test_the_same_showing_is_the_same_picture_cached_or_not(bench: Bench, variants: int) -> None:
    mask_of(bench.set / "2-masklabel.png", 32, 32, 16)
    preset = preset_of(concept(bench, **CHANCES, variants=variants, masks="file"))
    cached, encoders = bench.fill(preset)
    live, _ = bench.fill(preset, cache_latents=False)
    for epoch in range(4):
        for one, two in zip(batches(cached, epoch=epoch), batches(live, epoch=epoch), strict=True):
            assert two.pixels_B3HW is not None and one.latents_BChw is not None
            assert one.latents_BChw.allclose(encoders.encode_image(two.pixels_B3HW), atol=1e-6)
            assert one.sizes_B6.equal(two.sizes_B6)
            assert (one.masks_B1hw is None) == (two.masks_B1hw is None)
            assert one.masks_B1hw is None or two.masks_B1hw is None or one.masks_B1hw.equal(two.masks_B1hw)


def test_images_that_are_drawn_anew_are_encoded_at_each_showing_beside_cached_ones(bench: Bench) -> None:
    for i in range(4):
        picture(bench.set.with_name("live") / f"{i}.png", 40, 40, shade=50 * i)
    live = {"path": str(bench.set.with_name("live")), "captions": "none", "rotation": 20, "variants": 0}
    loader, encoders = bench.fill(preset_of(concept(bench), live))
    assert encoders.images == 6
    examples = [Example(0, 0), Example(6, 0), Example(7, 0)]
    found = [loader.prepared(examples, epoch) for epoch in range(5)]
    assert encoders.images == 6  # not beside the training
    made = [loader.finished(batch).latents_BChw for batch in found]
    assert encoders.images == 6 + 2 * 5
    assert all(one is not None and one.shape == (3, 3, 4, 4) for one in made)
    assert len({tuple(one[0].flatten().tolist()) for one in made if one is not None}) == 1
    assert len({tuple(one[1].flatten().tolist()) for one in made if one is not None}) == 5
    again = loader.batch(examples, 3).latents_BChw
    assert again is not None and made[3] is not None and again.equal(made[3])
    assert not bench.notes


def test_a_mask_comes_at_the_size_of_latents_and_what_has_none_counts_as_a_whole(bench: Bench) -> None:
    mask_of(bench.set / "0-masklabel.png", 64, 64, 24)
    preset = preset_of(concept(bench, masks="file"), training={"resolution": 32, "masks": {"unmasked_probability": 0}})
    loader, _ = bench.fill(preset)
    batch = loader.batch([Example(0, 0), Example(2, 0)], 0)
    assert batch.masks_B1hw is not None
    assert batch.masks_B1hw.shape == (2, 1, 4, 4)
    assert batch.masks_B1hw[0, 0, 0].tolist() == pytest.approx([1, 0.5, 0, 0], abs=0.05)
    assert batch.masks_B1hw[1].min() == 1
    assert loader.batch([Example(2, 0)], 0).masks_B1hw is None
    part = batch.part(1, 2)
    assert part.masks_B1hw is not None and part.masks_B1hw.shape == (1, 1, 4, 4)
    off, _ = bench.fill(preset_of(concept(bench)))
    assert off.batch([Example(0, 0)], 0).masks_B1hw is None


def test_a_share_of_the_showings_is_without_a_mask(bench: Bench) -> None:
    mask_of(bench.set / "0-masklabel.png", 32, 32, 16)
    preset = preset_of(
        concept(bench, masks="file"), training={"resolution": 32, "masks": {"unmasked_probability": 0.3}}
    )
    loader, _ = bench.fill(preset)
    whole = [loader.batch([Example(0, 0)], epoch).masks_B1hw is None for epoch in range(300)]
    assert 0.22 < sum(whole) / 300 < 0.38
    assert whole == [loader.batch([Example(0, 0)], epoch).masks_B1hw is None for epoch in range(300)]


def test_transparency_can_be_the_mask(bench: Bench) -> None:
    image = Image.open(bench.set / "0.png").convert("RGBA")
    image.putalpha(Image.fromarray((torch.arange(32) < 16).mul(255).to(torch.uint8).expand(32, 32).numpy()))
    image.save(bench.set / "0.png")
    preset = preset_of(concept(bench, masks="alpha"), training={"resolution": 32, "masks": {"unmasked_probability": 0}})
    loader, _ = bench.fill(preset)
    batch = loader.batch([Example(0, 0), Example(2, 0)], 0)
    assert batch.masks_B1hw is not None
    assert batch.masks_B1hw[:, 0, 1].tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]


def test_a_changed_mask_is_read_anew_and_its_image_is_not_encoded_again(bench: Bench) -> None:
    mask_of(bench.set / "0-masklabel.png", 32, 32, 8)
    preset = preset_of(concept(bench, masks="file"), training={"resolution": 32, "masks": {"unmasked_probability": 0}})
    bench.fill(preset)
    mask_of(bench.set / "0-masklabel.png", 32, 32, 24)
    loader, encoders = bench.fill(preset)
    assert encoders.images == 0
    masks = loader.batch([Example(0, 0)], 0).masks_B1hw
    assert masks is not None
    assert masks[0, 0, 0].tolist() == [1, 1, 1, 0]


def test_an_image_whose_mask_cannot_be_read_is_put_aside(bench: Bench) -> None:
    (bench.set / "3-masklabel.png").write_bytes(b"no picture")
    loader, _ = bench.fill(preset_of(concept(bench, masks="file")))
    assert len(loader.index) == 5
    assert [bad.name for bad in loader.index.bad] == ["3.png"]
    said = PLAIN.what(loader.index.bad[0].reason)
    assert "its mask" in said and "not an image" in said


def test_a_torn_image_is_put_aside_in_all_of_its_resolutions(bench: Bench) -> None:
    torn = bench.set / "2.png"
    torn.write_bytes(torn.read_bytes()[:-30])
    preset = preset_of(concept(bench), training={"resolutions": "32, 64"})
    loader, encoders = bench.fill(preset)
    assert (len(loader.index), loader.index.images, len(loader.index.bad)) == (10, 5, 1)
    assert encoders.images == 10
    assert len(loader.contents) == 10
    assert {batch.items[0].bucket for batch in batches(loader)} >= {(32, 32), (64, 64)}
    assert not bench.notes


def test_inpainting_gets_masks_and_conditions_from_files(bench: Bench) -> None:
    mask_of(bench.set / "0-masklabel.png", 32, 32, 16)
    picture(bench.set / "2-condlabel.png", 64, 64, shade=0)
    preset = preset_of(concept(bench, masks="file"), training={"resolution": 32, "masks": {"unmasked_probability": 0}})
    loader, _ = bench.fill(preset, cache_latents=False)
    batch = loader.batch([Example(0, 0), Example(2, 0)], 0)
    assert batch.hidden is not None and batch.shown is not None
    assert batch.hidden[0] is not None and batch.hidden[1] is None
    assert batch.hidden[0][0, 0].tolist() == [1.0] * 16 + [0.0] * 16
    assert batch.shown[0] is None and batch.shown[1] is not None
    assert batch.shown[1].shape == (3, 32, 32)
    assert len(batch.part(0, 1).hidden or ()) == 1
