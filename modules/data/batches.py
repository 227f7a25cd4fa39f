"""From showings to what the trainer eats: latents or pixels, texts, sizes, weights.

`BatchLoader.fill` encodes what is missing in the cache; after it, `BatchLoader.batch` is a pure function of its
arguments.

Shapes: B batch, C latent channels, h w latent size, H W pixel size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modules.data.balance import PRIOR_KINDS
from modules.data.cache.contents import BYTES, Contents
from modules.data.cache.encoders import Encoders, TextEncoding
from modules.data.cache.fill import BadRows, fill_latents, fill_text, find_undecodable, hash_files, pixels_to_tensor
from modules.data.cache.manifest import Complete, Manifest
from modules.data.cache.masks import MaskLoader, contents_of, fill_masks
from modules.data.cache.store import Cache, DamagedRecord
from modules.data.cache.streamed import StreamedContents, substitute_of
from modules.data.image.variants import Variant, latents_key, load_pixels, text_key, variant_of
from modules.data.image_errors import MissingImage
from modules.data.index import Index, Item
from modules.data.order import Example
from modules.data.scan.file_watch import FileWatch
from modules.data.source.parallel_read import map_in_threads
from modules.data.text.captions import caption_for, possible_captions
from modules.errors import UserError
from modules.preset.preset import Preset
from modules.preset.sections.concept import Concept, StreamedConcept
from modules.sentences.problem import Problem, problem
from modules.system.devices import is_card, to_device
from modules.system.seeds import seed_of

ORDINARY, LIVE = -2, -1
ANSWER = -1  # stands for the epoch of examples whose answer is kept; their repeat is its number


@dataclass(frozen=True)
class Batch:
    """Examples of one bucket. Has latents or pixels; `text` is None where captions must be encoded live."""

    items: tuple[Item, ...]
    repeats: tuple[int, ...]  # how often its image came in this epoch before: (epoch, item.key, repeat) is its rng key
    captions: tuple[str, ...]
    latents_BChw: Tensor | None
    pixels_B3HW: Tensor | None  # fp32 in [-1, 1]
    text: list[TextEncoding] | None
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
        """Some of the examples."""
        held: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        cut: dict[str, Any] = {name: None if value is None else value[start:end] for name, value in held.items()}
        return Batch(**cut)


@dataclass(frozen=True)
class CacheMiss:
    """What only the model can make: latents of pixels, or a text. A damaged record held it, or none ever did."""

    key: str  # "" where it is not to be kept
    pixels: Tensor | None = None  # (1, 3, H, W) fp32
    caption: str = ""


@dataclass(frozen=True)
class PartialBatch:
    """A batch that still lacks something."""

    batch: Batch  # without latents and text
    latents: list[Tensor | CacheMiss] | None
    text: list[TextEncoding | CacheMiss] | None


class BatchLoader:
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
        note: Callable[[Problem], None] = lambda _: None,
    ) -> None:
        self.index, self.encoders, self.cache = index, encoders, cache
        self.seed = preset.general.seed
        self.cache_latents, self.cache_text = cache_latents, cache_text
        self.prior, self.kept_answers = preset.prior, preset.kept_answers
        self.encodes_text = False  # from `fill` on: whether some captions are too many to be cached
        self.watch: FileWatch | None = None  # from `fill` on
        shown = index.shown_concepts()
        self._streams = bool(shown) and all(isinstance(concept, StreamedConcept) for concept in shown)
        self._masks = MaskLoader(preset.training.masks, cache, self._note_damage)
        self._note, self._noted = note, False
        self._known = Contents.of(np.empty((0, BYTES), dtype=np.uint8))
        self.contents: Contents | StreamedContents = self._known  # of each row, from `fill` on
        self._bad: BadRows = []  # what `fill` puts aside, by the rows of the index that it got
        self._places: np.ndarray | range = range(len(index))  # of each row that is left, which it was

    def fill(self, report: Callable[[str, int, int], None], stop: Callable[[], bool]) -> Index:
        """Encode what the cache lacks, and put images aside that cannot be decoded: order epochs by what this returns.

        Ends early when `stop` says so; what was encoded is kept, and nothing may then be trained.

        Raises:
            UserError: no image is left, or the cache cannot be written.
        """
        self.watch = FileWatch(self.index, self._note, encoded=self.cache_latents)
        if self.cache_text or not self._streams:
            self._complete(self.watch, report, stop)
        self.contents = StreamedContents(self.index) if self._streams else self._known
        return self.index

    def _complete(self, watch: FileWatch, report: Callable[[str, int, int], None], stop: Callable[[], bool]) -> None:
        about = {"latents": self.cache_latents, "text": self.cache_text, "streams": self._streams}
        manifest = Manifest(self.index, self.encoders, self.cache, watch, **about)
        if complete := manifest.read():
            self._keep(complete.bad)
            self._known, self.encodes_text = complete.contents, complete.encodes_text
            return
        if not self._streams:
            self._fill_images(watch, report, stop)
        if self.cache_text and not stop():
            self.encodes_text = not fill_text(self.index, self.encoders, self.cache, report, stop)
        self.cache.flush()
        if not stop():
            manifest.write(Complete(self._known, self._bad, self.encodes_text))

    def _fill_images(self, watch: FileWatch, report: Callable[[str, int, int], None], stop: Callable[[], bool]) -> None:
        digests, bad = hash_files(self.index, self.cache.folder, report, stop)
        self._known = Contents.of(digests)
        self._keep(bad)
        self._known, bad = contents_of(self.index, self._known, self.cache, report, stop)
        self._keep(bad)
        if self.cache_latents:
            self._keep(
                fill_latents(self.index, self._known, self.encoders, self.cache, report, stop, watch.is_unchanged)
            )
        self._keep(find_undecodable(self.index, self._live_rows(), self._known, self.cache, report, stop))
        self._keep(fill_masks(self.index, self._known, self.cache, report, stop))

    def _live_rows(self) -> list[int]:
        """The rows whose images are read for each example."""
        live = np.array([not self.cache_latents or concept.live for concept in self.index.concepts], dtype=bool)
        return np.flatnonzero(live[self.index.concept_numbers]).tolist() if live.any() else []

    def _is_live(self, row: int) -> bool:
        """Whether the image of a row is read for each example."""
        return not self.cache_latents or self.index.concepts[self.index.concept_numbers[row]].live

    def _keep(self, bad: Sequence[tuple[int, Problem]]) -> None:
        """Go on without the images of bad rows."""
        if not bad:
            return
        lost = self.index.rows_of_images([row for row, _ in bad])
        if lost.all():
            first = self.index.file(bad[0][0])
            raise UserError("images.none-usable", count=self.index.images, file=first, reason=bad[0][1])
        self._bad += [(int(self._places[row]), why) for row, why in bad]
        self._places = np.asarray(self._places)[~lost]
        self._known = self._known.keeping(~lost) if len(self._known) else self._known
        self.index = self.index.without(bad)
        if self.watch:
            self.watch.without(np.flatnonzero(lost))

    def batch(self, examples: Sequence[Example], epoch: int, step: int = 0) -> Batch:
        """The batch of these examples: the same whenever and wherever it is asked for.

        An image that is needed and cannot be read any more gives its place to another one of its bucket.

        Raises:
            UserError: no image is left.
        """
        return self.finished(self.prepared(examples, epoch, step))

    def prepared(self, examples: Sequence[Example], epoch: int, step: int = 0) -> Batch | PartialBatch:
        """As `batch`, without ever touching the model: for a thread beside the training."""
        while True:
            shown = self._with_substitutes(examples, epoch)
            try:
                return self._assemble(shown, epoch, step)
            except MissingImage as missing:  # one image less each time
                assert self.watch
                self.watch.mark_missing(missing.row, self.index.file(missing.row))

    def finished(self, batch: Batch | PartialBatch) -> Batch:
        """A batch with what it lacked, made now: for the thread that trains."""
        if isinstance(batch, Batch):
            return batch
        latents = None if batch.latents is None else stack_latents([self._latents_made(one) for one in batch.latents])
        text = None if batch.text is None else [self._text_made(one) for one in batch.text]
        return replace(batch.batch, latents_BChw=latents, text=text)

    def _assemble(self, examples: Sequence[Example], epoch: int, step: int) -> Batch | PartialBatch:
        """The batch of these examples, as far as the cache has it.

        Raises:
            MissingImage: an image is needed that cannot be read.
        """
        items, when = [self.index[example.row] for example in examples], {"epoch": epoch, "step": step}
        concepts = [self.index.concepts[item.concept] for item in items]
        answers = [self._answer(*shown, epoch) for shown in zip(items, concepts, examples, strict=True)]
        rng_keys = self._rng_keys(items, examples, answers, epoch)
        captions = [
            # An answer that was kept belongs to no epoch and no step.
            caption_for(item.caption_texts, concept, "caption", *key, **({} if answer >= 0 else when))
            for item, concept, key, answer in zip(items, concepts, rng_keys, answers, strict=True)
        ]
        variants = [
            variant_of(item, concept, self.contents[item.row], *rng_key)
            for item, concept, rng_key in zip(items, concepts, rng_keys, strict=True)
        ]
        if self.watch:
            for item, concept in zip(items, concepts, strict=True):
                self.watch.check(item.row, item.file, concept)
        latents = self._all_latents(items, variants) if self.cache_latents else None
        text = self._text(items, captions) if self.cache_text else None
        shown = list(zip(items, variants, strict=True))
        batch = Batch(
            items=tuple(items),
            repeats=tuple(example.repeat for example in examples),
            captions=tuple(captions),
            latents_BChw=None,
            pixels_B3HW=None if self.cache_latents else _pixels(items, variants),
            text=None,
            sizes_B6=torch.tensor([variant.sizes(item) for item, variant in zip(items, variants, strict=True)]),
            loss_weights_B=torch.tensor([self._weight(concept) for concept in concepts], dtype=torch.float32),
            answers=tuple(answers) if any(answer != ORDINARY for answer in answers) else (),
            **self._masks.of(self.index, self.contents, shown, rng_keys, pixels=not self.cache_latents),
        )
        whole = PartialBatch(batch, latents, text)
        return (
            whole
            if any(isinstance(one, CacheMiss) for one in (*(latents or ()), *(text or ())))
            else self.finished(whole)
        )

    def _rng_keys(
        self, items: Sequence[Item], examples: Sequence[Example], answers: Sequence[int], epoch: int
    ) -> list[tuple[int | str, ...]]:
        return [
            (self.seed, *((epoch, item.key, example.repeat) if answer < 0 else (ANSWER, item.key, answer)))
            for item, example, answer in zip(items, examples, answers, strict=True)
        ]

    def _weight(self, concept: Concept) -> float:
        return concept.loss_weight * (self.prior.weight if concept.kind in PRIOR_KINDS else 1)

    def _answer(self, item: Item, concept: Concept, example: Example, epoch: int) -> int:
        """What an item is held against; a kept answer brings the picture and the caption that it was given to."""
        if concept.kind != "prior":
            return ORDINARY
        if not self.kept_answers:
            return LIVE
        if epoch == ANSWER:
            return example.repeat
        return seed_of(self.seed, "answer", epoch, item.key, example.repeat) % self.kept_answers

    def _with_substitutes(self, examples: Sequence[Example], epoch: int) -> list[Example]:
        """The examples, with others of the same bucket in the place of those whose image cannot be read any more.

        Raises:
            UserError: no image is left.
        """
        lost = self.watch.missing if self.watch else set[int]()
        if not any(example.row in lost for example in examples):
            return list(examples)
        bucket = self.index.bucket_numbers[examples[0].row]
        trained = self.index.trained
        left = np.setdiff1d(np.flatnonzero(trained == trained[examples[0].row]), list(lost))
        same = left[self.index.bucket_numbers[left] == bucket]
        if not len(left):
            raise UserError("images.gone")

        def substitute(row: int, repeat: int) -> int:
            if row in same:
                return row
            if self._streams and len(same):
                return substitute_of(self.index, row, lost, ("instead", self.seed, epoch, self.index.key(row), repeat))
            place = seed_of("instead", self.seed, epoch, self.index[row].key, repeat)
            if not len(same):  # the whole bucket is gone: the whole batch comes from one other
                first = left[seed_of("instead", self.seed, epoch, self.index[examples[0].row].key) % len(left)]
                others = left[self.index.bucket_numbers[left] == self.index.bucket_numbers[first]]
                return int(others[place % len(others)])
            return int(same[place % len(same)])

        return [Example(substitute(row, repeat), repeat) for row, repeat in examples]

    def _all_latents(self, items: Sequence[Item], variants: Sequence[Variant]) -> list[Tensor | CacheMiss]:
        """Latents from the cache; pixels of those that are encoded for each example."""
        live = [pair for pair in zip(items, variants, strict=True) if self._is_live(pair[0].row)]
        read = iter(_pixels(*zip(*live, strict=True)) if live else ())
        return [
            CacheMiss("", pixels=next(read)[None]) if self._is_live(item.row) else self._latents(item, variant)
            for item, variant in zip(items, variants, strict=True)
        ]

    def _latents(self, item: Item, variant: Variant) -> Tensor | CacheMiss:
        digest = self.contents[item.row].digest
        key = latents_key(digest, variant, self.encoders.image_key)
        try:
            return self.cache.get(key)["latents"]
        except (DamagedRecord, KeyError):
            self._note_damage()
        try:
            if item.file.sha256() != digest:
                raise MissingImage(item.row)
            return CacheMiss(key, pixels=_pixels([item], [variant]))
        except OSError as error:
            raise MissingImage(item.row) from error

    def _latents_made(self, one: Tensor | CacheMiss) -> Tensor:
        if isinstance(one, Tensor):
            return one
        assert one.pixels is not None
        with torch.no_grad():
            latents = self.encoders.encode_image(one.pixels)[0]
        if one.key:
            self.cache.try_put(one.key, {"latents": latents.cpu()})
        return latents

    def _note_damage(self) -> None:
        """Once a run: a failing disk would fill the log."""
        if not self._noted:
            self._note(problem("cache.damaged", folder=str(self.cache.folder)))
            self._noted = True

    def _text(self, items: Sequence[Item], captions: Sequence[str]) -> list[TextEncoding | CacheMiss] | None:
        """Cached texts; None if a concept's captions are too many to be cached."""
        if any(possible_captions(item.caption_texts, self.index.concepts[item.concept]) is None for item in items):
            return None
        return [self._text_of(caption) for caption in captions]

    def _text_of(self, caption: str) -> TextEncoding | CacheMiss:
        key = text_key(caption, self.encoders.text_key)
        try:
            return self.cache.get(key)
        except (DamagedRecord, KeyError):
            self._note_damage()
            return CacheMiss(key, caption=caption)

    def _text_made(self, one: TextEncoding | CacheMiss) -> TextEncoding:
        if not isinstance(one, CacheMiss):
            return one
        row = self.encoders.encode_text([one.caption])[0]
        self.cache.try_put(one.key, row)
        return row


def stack_latents(latents: Sequence[Tensor]) -> Tensor:
    """Latents as one batch; where some were made on the card just now, there, without waiting for it."""
    device = next((one.device for one in latents if is_card(one.device)), torch.device("cpu"))
    return torch.stack([to_device(one, device) for one in latents])


def _pixels(items: Sequence[Item], variants: Sequence[Variant]) -> Tensor:
    def shown(pair: tuple[Item, Variant]) -> np.ndarray:
        item, variant = pair
        try:
            return load_pixels(item.file, item.width, item.height, [variant])[0]
        except UserError as error:
            raise MissingImage(item.row) from error

    return pixels_to_tensor(list(map_in_threads(shown, zip(items, variants, strict=True), lambda: False)))
