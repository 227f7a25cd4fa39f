"""From showings to what the trainer eats: latents or pixels, texts, sizes, weights.

`Feed.fill` encodes what is missing in the cache; after it, `Feed.batch` is a pure function of its arguments.

Shapes: B batch, C latent channels, h w latent size, H W pixel size.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from modules.data.balance import KEEPING
from modules.data.cache import Cache, Damaged
from modules.data.captions import caption_for, possible_captions
from modules.data.encoders import Encoders, Row
from modules.data.filling import digests_of, fill_latents, fill_text, find_torn, in_threads, tensor_of
from modules.data.index import Index, Item
from modules.data.looks import Content, Look, latents_key, look_of, pixels_in, text_key
from modules.data.order import Showing
from modules.data.regions import Regions, contents_of, fill_masks
from modules.data.unreadable import Gone
from modules.data.watching import Watch
from modules.errors import UserError
from modules.preset.concepts import Concept
from modules.preset.preset import Preset
from modules.system.devices import sent
from modules.system.files import sha256_of
from modules.system.seeds import seed_of

T = TypeVar("T")
ORDINARY, LIVE = -2, -1
ANSWER = -1  # stands for the epoch of showings whose answer is kept; their turn is its number


@dataclass(frozen=True)
class Batch:
    """Showings of one bucket. Has latents or pixels; `text` is None where captions must be encoded live."""

    items: tuple[Item, ...]
    turns: tuple[int, ...]  # which showing of its image in this epoch each is: (epoch, item.key, turn) is its address
    captions: tuple[str, ...]
    latents_BChw: Tensor | None
    pixels_B3HW: Tensor | None  # fp32 in [-1, 1]
    text: list[Row] | None
    sizes_B6: Tensor  # int64: original height, width, crop top, left, target height, width
    loss_weights_B: Tensor  # fp32
    # For each item: ORDINARY, LIVE (what it is held against is what the model said before training, asked for now), or
    # the number of an answer that was kept.
    answers: tuple[int, ...] = ()
    # Where images have masks: how much each place counts, 0 to 1, fp32 at an eighth of the pixels. None: all count.
    masks_B1hw: Tensor | None = None
    # For inpainting models: what each mask hides, (1, H, W) of 0 to 1, and the picture to see instead, (3, H, W).
    hidden: tuple[Tensor | None, ...] | None = None
    shown: tuple[Tensor | None, ...] | None = None

    def part(self, start: int, end: int) -> Batch:
        """Some of the showings."""
        held: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        cut: dict[str, Any] = {name: None if value is None else value[start:end] for name, value in held.items()}
        return Batch(**cut)


@dataclass(frozen=True)
class Lacking:
    """What only the model can make: latents of pixels, or a text. A damaged record held it, or none ever did."""

    key: str  # "" where it is not to be kept
    pixels: Tensor | None = None  # (1, 3, H, W) fp32
    caption: str = ""


@dataclass(frozen=True)
class Unfinished:
    """A batch that still lacks something."""

    batch: Batch  # without latents and text
    latents: list[Tensor | Lacking] | None
    text: list[Row | Lacking] | None


class Feed:
    """Images and captions of an index, encoded and cached as asked for.

    `note` is told, in words, what the user should know: damaged records of the cache.
    """

    def __init__(
        self,
        index: Index,
        preset: Preset,
        encoders: Encoders,
        cache: Cache,
        *,
        cache_latents: bool,
        cache_text: bool,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.index, self.encoders, self.cache = index, encoders, cache
        self.seed = preset.general.seed
        self.cache_latents, self.cache_text = cache_latents, cache_text
        self.prior, self.kept_answers = preset.prior, preset.kept_answers
        self.encodes_text = False  # from `fill` on: whether some captions are too many to be cached
        self.watch: Watch | None = None  # from `fill` on
        self._regions = Regions(preset.training.masks, cache, self._say_damaged)
        self._note, self._noted = note, False
        self.contents: list[Content] = []  # of each row

    def fill(self, report: Callable[[str, int, int], None], stop: Callable[[], bool]) -> Index:
        """Encode what the cache lacks, and put images aside that cannot be decoded: order epochs by what this returns.

        Ends early when `stop` says so; what was encoded is kept, and nothing may then be trained.

        Raises:
            UserError: no image is left, or the cache cannot be written.
        """
        watch = self.watch = Watch(self.index, self._note, encoded=self.cache_latents)
        digests, bad = digests_of(self.index, self.cache.folder, report, stop)
        self.contents = [Content(digest) for digest in digests]
        self._keep(bad)
        digests = [content.digest for content in self.contents]
        self.contents, bad = contents_of(self.index, digests, self.cache, report, stop)
        self._keep(bad)
        if self.cache_latents:
            self._keep(fill_latents(self.index, self.contents, self.encoders, self.cache, report, stop, watch.same))
        uncached = [row for row in range(len(self.index)) if self._live(row)]
        self._keep(find_torn(self.index, uncached, self.contents, self.cache, report, stop))
        self._keep(fill_masks(self.index, self.contents, self.cache, report, stop))
        if self.cache_text and not stop():
            self.encodes_text = not fill_text(self.index, self.encoders, self.cache, report, stop)
        self.cache.flush()
        return self.index

    def _live(self, row: int) -> bool:
        """Whether the image of a row is read at each showing."""
        return not self.cache_latents or self.index.concepts[self.index.concept_numbers[row]].live

    def _keep(self, bad: Sequence[tuple[int, str]]) -> None:
        """Go on without the images of bad rows."""
        images = self.index.image_numbers
        lost = np.isin(images, images[[row for row, _ in bad]])
        if lost.all():
            first = self.index.path(bad[0][0])
            raise UserError(
                f"None of the {self.index.images} images can be used. The first is {first}: {bad[0][1]}.",
                advice="Copy the images again, or choose other folders.",
            )
        self.contents = [content for content, gone in zip(self.contents, lost.tolist(), strict=True) if not gone]
        self.index = self.index.without(bad)
        if self.watch and bad:
            self.watch.without(set(np.flatnonzero(lost).tolist()))

    def batch(self, showings: Sequence[Showing], epoch: int, step: int = 0) -> Batch:
        """The batch of these showings: the same whenever and wherever it is asked for.

        An image that is needed and cannot be read any more gives its place to another one of its bucket.

        Raises:
            UserError: no image is left.
        """
        return self.finished(self.prepared(showings, epoch, step))

    def prepared(self, showings: Sequence[Showing], epoch: int, step: int = 0) -> Batch | Unfinished:
        """As `batch`, without ever touching the model: for a thread beside the training."""
        while True:
            shown = self._readable(showings, epoch)
            try:
                return self._assembled(shown, epoch, step)
            except Gone as gone:  # one image less each time
                assert self.watch
                self.watch.lose(gone.row, self.index.path(gone.row))

    def finished(self, batch: Batch | Unfinished) -> Batch:
        """A batch with what it lacked, made now: for the thread that trains."""
        if isinstance(batch, Batch):
            return batch
        latents = None if batch.latents is None else together([self._latents_made(one) for one in batch.latents])
        text = None if batch.text is None else [self._text_made(one) for one in batch.text]
        return replace(batch.batch, latents_BChw=latents, text=text)

    def _assembled(self, showings: Sequence[Showing], epoch: int, step: int) -> Batch | Unfinished:
        """The batch of these showings, as far as the cache has it.

        Raises:
            Gone: an image is needed that cannot be read.
        """
        items = [self.index[showing.row] for showing in showings]
        concepts = [self.index.concepts[item.concept] for item in items]
        answers = [self._answer(*shown, epoch) for shown in zip(items, concepts, showings, strict=True)]
        addresses = [
            (self.seed, *((epoch, item.key, s.turn) if answer < 0 else (ANSWER, item.key, answer)))
            for item, s, answer in zip(items, showings, answers, strict=True)
        ]
        captions = [
            caption_for(
                item.sources, concept, "caption", *address, **({"epoch": epoch, "step": step} if answer < 0 else {})
            )
            for item, concept, address, answer in zip(items, concepts, addresses, answers, strict=True)
        ]
        looks = [
            look_of(item, concept, self.contents[item.row], *address)
            for item, concept, address in zip(items, concepts, addresses, strict=True)
        ]
        if self.watch:
            for item, concept in zip(items, concepts, strict=True):
                self.watch.look(item.row, item.path, concept)
        latents = self._all_latents(items, looks) if self.cache_latents else None
        text = self._text(items, captions) if self.cache_text else None
        shown = list(zip(items, looks, strict=True))
        batch = Batch(
            items=tuple(items),
            turns=tuple(showing.turn for showing in showings),
            captions=tuple(captions),
            latents_BChw=None,
            pixels_B3HW=None if self.cache_latents else _pixels(items, looks),
            text=None,
            sizes_B6=torch.tensor([look.sizes(item) for item, look in zip(items, looks, strict=True)]),
            loss_weights_B=torch.tensor([self._weight(concept) for concept in concepts], dtype=torch.float32),
            answers=tuple(answers) if any(answer != ORDINARY for answer in answers) else (),
            **self._regions.of(self.index, self.contents, shown, addresses, pixels=not self.cache_latents),
        )
        whole = Unfinished(batch, latents, text)
        return (
            whole
            if any(isinstance(one, Lacking) for one in (*(latents or ()), *(text or ())))
            else self.finished(whole)
        )

    def _weight(self, concept: Concept) -> float:
        return concept.loss_weight * (self.prior.weight if concept.kind in KEEPING else 1)

    def _answer(self, item: Item, concept: Concept, showing: Showing, epoch: int) -> int:
        """What an item is held against; a kept answer brings the picture and the caption that it was given to."""
        if concept.kind != "prior":
            return ORDINARY
        if not self.kept_answers:
            return LIVE
        if epoch == ANSWER:
            return showing.turn
        return seed_of(self.seed, "answer", epoch, item.key, showing.turn) % self.kept_answers

    def _readable(self, showings: Sequence[Showing], epoch: int) -> list[Showing]:
        """The showings, with others of the same bucket in the place of those whose image cannot be read any more.

        Raises:
            UserError: no image is left.
        """
        lost = self.watch.lost if self.watch else set[int]()
        if not any(showing.row in lost for showing in showings):
            return list(showings)
        bucket = self.index.bucket_numbers[showings[0].row]
        trained = self.index.trained
        left = np.setdiff1d(np.flatnonzero(trained == trained[showings[0].row]), list(lost))
        same = left[self.index.bucket_numbers[left] == bucket]
        if not len(left):
            raise UserError(
                "None of the images can be read any more.",
                advice="Was their folder moved, or its drive taken out? Put it back and continue from the last backup.",
            )

        def instead(row: int, turn: int) -> int:
            if row in same:
                return row
            place = seed_of("instead", self.seed, epoch, self.index[row].key, turn)
            if not len(same):  # the whole bucket is gone: the whole batch comes from one other
                first = left[seed_of("instead", self.seed, epoch, self.index[showings[0].row].key) % len(left)]
                others = left[self.index.bucket_numbers[left] == self.index.bucket_numbers[first]]
                return int(others[place % len(others)])
            return int(same[place % len(same)])

        return [Showing(instead(row, turn), turn) for row, turn in showings]

    def _all_latents(self, items: Sequence[Item], looks: Sequence[Look]) -> list[Tensor | Lacking]:
        """Latents from the cache; pixels of those that are encoded at each showing."""
        live = [pair for pair in zip(items, looks, strict=True) if self._live(pair[0].row)]
        read = iter(_pixels(*zip(*live, strict=True)) if live else ())
        return [
            Lacking("", pixels=next(read)[None]) if self._live(item.row) else self._latents(item, look)
            for item, look in zip(items, looks, strict=True)
        ]

    def _latents(self, item: Item, look: Look) -> Tensor | Lacking:
        digest = self.contents[item.row].digest
        key = latents_key(digest, look, self.encoders.image_key)
        try:
            return self.cache.get(key)["latents"]
        except (Damaged, KeyError):
            self._say_damaged()
        try:
            if sha256_of(item.path) != digest:
                raise Gone(item.row)
            return Lacking(key, pixels=_pixels([item], [look]))
        except OSError as error:
            raise Gone(item.row) from error

    def _latents_made(self, one: Tensor | Lacking) -> Tensor:
        if isinstance(one, Tensor):
            return one
        assert one.pixels is not None
        with torch.no_grad():
            latents = self.encoders.encode_image(one.pixels)[0]
        if one.key:
            self.cache.offer(one.key, {"latents": latents.cpu()})
        return latents

    def _say_damaged(self) -> None:
        """Once a run: a failing disk would fill the log."""
        if not self._noted:
            self._note(
                f"The cache in {self.cache.folder} has damaged records, or was deleted. They are encoded again as they "
                "come up, which keeps the VAE or the text encoders in memory."
            )
            self._noted = True

    def _text(self, items: Sequence[Item], captions: Sequence[str]) -> list[Row | Lacking] | None:
        """Cached texts; None if a concept's captions are too many to be cached."""
        if any(possible_captions(item.sources, self.index.concepts[item.concept]) is None for item in items):
            return None
        return [self._text_of(caption) for caption in captions]

    def _text_of(self, caption: str) -> Row | Lacking:
        key = text_key(caption, self.encoders.text_key)
        try:
            return self.cache.get(key)
        except (Damaged, KeyError):
            self._say_damaged()
            return Lacking(key, caption=caption)

    def _text_made(self, one: Row | Lacking) -> Row:
        if not isinstance(one, Lacking):
            return one
        row = self.encoders.encode_text([one.caption])[0]
        self.cache.offer(one.key, row)
        return row


def together(latents: Sequence[Tensor]) -> Tensor:
    """Latents as one batch; where some were made on the card just now, there, without waiting for it."""
    device = next((one.device for one in latents if one.device.type != "cpu"), torch.device("cpu"))
    return torch.stack([sent(one, device) for one in latents])


def _pixels(items: Sequence[Item], looks: Sequence[Look]) -> Tensor:
    def shown(pair: tuple[Item, Look]) -> np.ndarray:
        item, look = pair
        try:
            return pixels_in(item.path, item.width, item.height, [look])[0]
        except UserError as error:
            raise Gone(item.row) from error

    return tensor_of(list(in_threads(shown, zip(items, looks, strict=True), lambda: False)))


def ahead(source: Iterable[T], depth: int = 2) -> Generator[T]:
    """The same things, each prepared in one background thread while those before it are used.

    Errors come out where the thing that failed would have come. The thread ends with the generator: close it, or let
    it run out.
    """
    iterator, end = iter(source), object()
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        pending: deque[Future[T | object]] = deque(pool.submit(next, iterator, end) for _ in range(depth))
        try:
            while (thing := pending.popleft().result()) is not end:
                pending.append(pool.submit(next, iterator, end))
                yield thing  # pyright: ignore[reportReturnType]
        finally:
            for future in pending:
                future.cancel()
