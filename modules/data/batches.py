"""From showings to what the trainer eats: latents or pixels, texts, sizes, weights.

`Feed.fill` encodes what is missing in the cache; after it, `Feed.batch` is a pure function of its arguments.

Shapes: B batch, C latent channels, h w latent size, H W pixel size.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from modules.data.cache import Cache, Damaged
from modules.data.captions import caption_for, possible_captions
from modules.data.encoders import Encoders, Row
from modules.data.filling import digests_of, fill_latents, fill_text, find_torn, in_threads, tensor_of
from modules.data.index import Index, Item
from modules.data.looks import Look, latents_key, look_of, pixels_in, text_key
from modules.data.order import Showing
from modules.errors import UserError
from modules.preset.preset import Preset
from modules.system.files import sha256_of

T = TypeVar("T")


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
        self._note, self._noted = note, False
        self._digests: list[str] = []

    def fill(self, report: Callable[[str, int, int], None], stop: Callable[[], bool]) -> Index:
        """Encode what the cache lacks, and put images aside that cannot be decoded: order epochs by what this returns.

        Ends early when `stop` says so; what was encoded is kept, and nothing may then be trained.

        Raises:
            UserError: no image is left, or the cache cannot be written.
        """
        digests, bad = digests_of(self.index, self.cache.folder, report, stop)
        self._keep(digests, bad)
        if self.cache_latents:
            bad = fill_latents(self.index, self._digests, self.encoders, self.cache, report, stop)
        else:
            bad = find_torn(self.index, self._digests, self.cache, report, stop)
        self._keep(self._digests, bad)
        if self.cache_text and not stop():
            fill_text(self.index, self.encoders, self.cache, report, stop)
        self.cache.flush()
        return self.index

    def _keep(self, digests: list[str], bad: Sequence[tuple[int, str]]) -> None:
        """Go on without bad rows."""
        out = {row for row, _ in bad}
        if len(out) == len(self.index):
            first = self.index.path(bad[0][0])
            raise UserError(
                f"None of the {len(self.index)} images can be used. The first is {first}: {bad[0][1]}.",
                advice="Copy the images again, or choose other folders.",
            )
        self._digests = [digest for row, digest in enumerate(digests) if row not in out]
        self.index = self.index.without(bad)

    def batch(self, showings: Sequence[Showing], epoch: int) -> Batch:
        """The batch of these showings: the same whenever and wherever it is asked for.

        Raises:
            UserError: an image that is not cached has become unreadable.
        """
        items = [self.index[showing.row] for showing in showings]
        concepts = [self.index.concepts[item.concept] for item in items]
        addresses = [(self.seed, epoch, item.key, s.turn) for item, s in zip(items, showings, strict=True)]
        captions = [
            caption_for(item.captions, concept, "caption", *address)
            for item, concept, address in zip(items, concepts, addresses, strict=True)
        ]
        looks = [
            look_of(item, concept, self._digests[item.row] if self.cache_latents else None, *address)
            for item, concept, address in zip(items, concepts, addresses, strict=True)
        ]
        latents = [self._latents(*pair) for pair in zip(items, looks, strict=True)] if self.cache_latents else None
        return Batch(
            items=tuple(items),
            turns=tuple(showing.turn for showing in showings),
            captions=tuple(captions),
            latents_BChw=None if latents is None else torch.stack(latents),
            pixels_B3HW=None if self.cache_latents else _pixels(items, looks),
            text=self._text(items, captions) if self.cache_text else None,
            sizes_B6=torch.tensor([look.sizes(item) for item, look in zip(items, looks, strict=True)]),
            loss_weights_B=torch.tensor([concept.loss_weight for concept in concepts], dtype=torch.float32),
        )

    def _latents(self, item: Item, look: Look) -> Tensor:
        key = latents_key(self._digests[item.row], look, self.encoders.image_key)
        try:
            return self.cache.get(key)["latents"]
        except Damaged:
            self._say_damaged()
        if sha256_of(item.path) != self._digests[item.row]:
            raise UserError(f"{item.path} was changed while it is trained on.", advice="Start the run again.")
        latents = self.encoders.encode_image(_pixels([item], [look]))[0].cpu()
        self.cache.put(key, {"latents": latents})
        return latents

    def _say_damaged(self) -> None:
        """Once a run: a failing disk would fill the log."""
        if not self._noted:
            self._note(f"The cache in {self.cache.folder} has damaged records. They are encoded again as they come up.")
            self._noted = True

    def _text(self, items: Sequence[Item], captions: Sequence[str]) -> list[Row] | None:
        """Cached texts; None if a concept's captions are too many to be cached."""
        if any(possible_captions(item.captions, self.index.concepts[item.concept]) is None for item in items):
            return None
        return [self._text_of(caption) for caption in captions]

    def _text_of(self, caption: str) -> Row:
        key = text_key(caption, self.encoders.text_key)
        try:
            return self.cache.get(key)
        except Damaged:
            self._say_damaged()
        row = self.encoders.encode_text([caption])[0]
        self.cache.put(key, row)
        return row


def _pixels(items: Sequence[Item], looks: Sequence[Look]) -> Tensor:
    def shown(pair: tuple[Item, Look]) -> np.ndarray:
        item, look = pair
        return pixels_in(item.path, item.width, item.height, [look])[0]

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
