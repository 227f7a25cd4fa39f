from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from modules.data import looks
from modules.data.batches import Batch, Feed, ahead
from modules.data.cache import Cache
from modules.data.order import Showing, epoch_order
from modules.errors import UserError
from modules.preset.preset import Preset
from tests.data.pictures import aged, picture, preset_of, rewritten, scanned


class Encoders:
    """Averages blocks of pixels, counts letters, and remembers what it was asked."""

    def __init__(self, image_key: str = "vae", text_key: str = "clip", dtype: torch.dtype = torch.float32) -> None:
        self.image_key, self.text_key, self.dtype = image_key, text_key, dtype
        self.images = 0
        self.captions: list[str] = []

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

    def fill(self, preset: Preset, encoders: Encoders | None = None, **options: bool) -> tuple[Feed, Encoders]:
        encoders = encoders or Encoders()
        cache = Cache(self.cache)
        options = {"cache_latents": True, "cache_text": True, **options}
        feed = Feed(scanned(preset), preset, encoders, cache, note=self.notes.append, **options)
        feed.fill(lambda title, done, total: None, lambda: False)
        self._open.append(cache)
        return feed, encoders

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


def batches(feed: Feed, size: int = 2, epoch: int = 0) -> list[Batch]:
    order = epoch_order(feed.index, size, feed.seed, epoch)
    return [feed.batch(order[i], epoch) for i in range(len(order))]


def test_everything_is_encoded_once_and_never_again(bench: Bench) -> None:
    preset = preset_of(concept(bench, flip=True, caption_dropout=0.1))
    _, encoders = bench.fill(preset)
    assert encoders.images == 12
    assert sorted(encoders.captions) == ["", *(f"robot {i}" for i in range(6))]
    feed, encoders = bench.fill(preset)
    for epoch in range(5):
        batches(feed, epoch=epoch)
    assert (encoders.images, encoders.captions) == (0, [])


def test_a_filled_cache_opens_no_image(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = preset_of(concept(bench))
    bench.fill(preset)
    feed = Feed(scanned(preset), preset, Encoders(), Cache(bench.cache), cache_latents=True, cache_text=True)
    opened: list[Path] = []
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: (opened.append(self), real(self, *a, **k))[1])
    monkeypatch.setattr(looks, "open_image", opened.append)
    feed.fill(lambda title, done, total: None, lambda: False)
    batches(feed)
    feed.cache.close()
    assert not [path for path in opened if path.parent == bench.set]


def test_a_batch_is_a_pure_function(bench: Bench) -> None:
    preset = preset_of(concept(bench, flip=True, random_crop=True, caption_dropout=0.3), resolution=24)
    feed, _ = bench.fill(preset)
    again, _ = bench.fill(preset)
    for epoch in range(3):
        for one, other in zip(batches(feed, epoch=epoch), reversed(batches(again, epoch=epoch)[::-1]), strict=True):
            assert equal(one, other)


def test_a_batch_is_what_its_showings_are_one_by_one(bench: Bench) -> None:
    feed, _ = bench.fill(preset_of(concept(bench, flip=True, caption_dropout=0.3)))
    showings = [Showing(0, 0), Showing(2, 0), Showing(0, 1), Showing(4, 7)]
    whole = feed.batch(showings, 3)
    parts = [feed.batch([showing], 3) for showing in showings]
    assert whole.latents_BChw is not None
    for i, part in enumerate(parts):
        assert part.latents_BChw is not None
        assert whole.latents_BChw[i].equal(part.latents_BChw[0])
        assert whole.captions[i] == part.captions[0]
        assert whole.sizes_B6[i].equal(part.sizes_B6[0])


def test_a_batch_says_what_training_must_know(bench: Bench) -> None:
    feed, _ = bench.fill(preset_of(concept(bench, loss_weight=0.5)))
    batch = feed.batch([Showing(1, 0), Showing(3, 4)], 0)
    assert batch.latents_BChw is not None
    assert batch.latents_BChw.shape == (2, 3, batch.items[0].bucket[0] // 8, batch.items[0].bucket[1] // 8)
    assert batch.pixels_B3HW is None
    assert batch.turns == (0, 4)
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
    preset = preset_of(concept(bench, flip=True, random_crop=True, crops=3))
    feed, _ = bench.fill(preset)
    (row,) = (item.row for item in feed.index if item.path.name == "wide.png")
    found = {tuple(feed.batch([Showing(row, 0)], epoch).sizes_B6[0].tolist()) for epoch in range(60)}
    assert len(found) == 6
    seen = [feed.batch([Showing(row, 0)], epoch).latents_BChw for epoch in range(60)]
    assert len({tuple(latents.flatten().tolist()) for latents in seen if latents is not None}) == 6


def test_a_flip_is_the_mirror_image(bench: Bench) -> None:
    feed, _ = bench.fill(preset_of(concept(bench, flip=True)))
    shown = [feed.batch([Showing(0, 0)], epoch).latents_BChw for epoch in range(20)]
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
    feed, _ = bench.fill(preset_of(concept(bench)), Encoders(dtype=torch.bfloat16))
    latents = batches(feed)[0].latents_BChw
    assert latents is not None
    assert latents.dtype == torch.bfloat16


@pytest.mark.parametrize("cached", [True, False])
def test_a_torn_image_is_put_aside_and_the_rest_goes_on(bench: Bench, cached: bool) -> None:
    torn = bench.set / "2.png"
    torn.write_bytes(torn.read_bytes()[:-30])
    feed, _ = bench.fill(preset_of(concept(bench)), cache_latents=cached)
    assert len(feed.index) == 5
    assert [bad.path for bad in feed.index.bad] == [torn]
    assert feed.index.bad[0].reason
    keys = {item.key for batch in batches(feed) for item in batch.items}
    assert keys == {f"0/{i}.png" for i in (0, 1, 3, 4, 5)}


@pytest.mark.parametrize("cached", [True, False])
def test_nothing_but_torn_images_is_an_error(bench: Bench, cached: bool) -> None:
    for path in bench.set.glob("*.png"):
        path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(UserError, match="None of the 6 images"):
        bench.fill(preset_of(concept(bench)), cache_latents=cached)


def test_a_concept_with_too_many_captions_is_encoded_live(bench: Bench) -> None:
    (bench.set / "0.txt").write_text("a, b, c, d, e, f, g, h")
    feed, encoders = bench.fill(preset_of(concept(bench, shuffle_tags=True)))
    assert "robot 1" in encoders.captions
    assert not any(len(caption) > 10 for caption in encoders.captions)
    assert feed.batch([Showing(2, 0)], 0).text is not None
    batch = feed.batch([Showing(0, 0), Showing(2, 0)], 0)
    assert batch.text is None
    assert sorted(batch.captions[0].split(", ")) == list("abcdefgh")


def test_a_damaged_record_is_encoded_again_and_said(bench: Bench) -> None:
    preset = preset_of(concept(bench))
    feed, _ = bench.fill(preset)
    before = batches(feed)
    feed.cache.close()
    (shard,) = bench.cache.glob("*.shard")
    data = bytearray(shard.read_bytes())
    for at in range(100, len(data), 97):
        data[at] ^= 1
    shard.write_bytes(data)
    feed, encoders = bench.fill(preset)
    assert all(equal(one, other) for one, other in zip(batches(feed), before, strict=True))
    assert encoders.images
    assert len(bench.notes) == 1
    assert "damaged" in bench.notes[0]


def test_an_image_that_changes_under_a_run_is_never_trained_under_its_old_name(bench: Bench) -> None:
    preset = preset_of(concept(bench))
    feed, _ = bench.fill(preset, cache_latents=False)
    picture(bench.set / "0.png", 50, 60)
    with pytest.raises(UserError, match="changed"):
        feed.batch([Showing(0, 0)], 0)


def test_stopping_keeps_what_was_encoded(bench: Bench) -> None:
    preset = preset_of(concept(bench))
    encoders = Encoders()
    done: list[int] = []

    def report(title: str, number: int, total: int) -> None:
        if title == "Encoding images":
            done.append(number)

    with Cache(bench.cache) as cache:
        feed = Feed(scanned(preset), preset, encoders, cache, cache_latents=True, cache_text=True)
        feed.fill(report, lambda: len(done) >= 2)
    assert encoders.images == 2
    assert encoders.captions == []
    assert missing(bench, preset)[0] == 4


def test_ahead_gives_the_same_things_in_the_same_order() -> None:
    assert list(ahead(range(100), depth=3)) == list(range(100))
    assert list(ahead([])) == []


def test_ahead_works_in_one_other_thread_and_only_a_little_ahead() -> None:
    made: list[int] = []

    def source() -> Iterator[str]:
        for i in range(100):
            made.append(i)
            yield threading.current_thread().name

    things = ahead(source(), depth=2)
    names = {next(things) for _ in range(10)}
    things.close()
    assert len(names) == 1
    assert names != {threading.current_thread().name}
    assert len(made) <= 13
    assert not [thread for thread in threading.enumerate() if thread.name in names]


def test_errors_ahead_come_out_where_they_belong() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise UserError("no such image")

    things = ahead(source())
    assert next(things) == 1
    with pytest.raises(UserError, match="no such image"):
        next(things)
