"""Prior prediction: images of "prior" concepts are held to what the model said of them before it was trained.

Adapters and words are taken off for that question (as in OneTrainer). A full fine-tune changes the model itself: some
answers for each image are kept in the cache before it begins, and training asks nothing but these questions again. This
is learning without forgetting (arXiv:1606.09282, section 3: the new model is held to the old one's recorded answers).

Shapes: B items of a batch, N of them with a "prior", C latent channels, h w latent size.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from modules.data.batches import ANSWER, LIVE, ORDINARY, Batch, Feed
from modules.data.cache import Cache, Damaged
from modules.data.index import Index, Item
from modules.data.order import Showing
from modules.errors import UserError
from modules.methods import Method
from modules.preset.preset import Preset
from modules.system.devices import autocast, sent
from modules.system.seeds import seed_of
from modules.trainer.asker import Asker, Question
from modules.trainer.encoders import FamilyEncoders

Report = Callable[[str, int, int], None]


def held_to(asker: Asker, method: Method, kept: KeptAnswers | None, batch: Batch, question: Question) -> Tensor:
    """What the answers about a batch are held against: the truth, and of "prior" images the model before training."""
    rows = [row for row, answer in enumerate(batch.answers) if answer != ORDINARY]
    if not rows:
        return question.target_BChw
    place_N = sent(torch.tensor(rows), asker.device)
    if batch.answers[rows[0]] == LIVE:
        answers = _asked(asker, method, batch, rows, place_N, question)
    else:
        assert kept is not None
        answers = sent(torch.stack([kept.answer(batch.items[row], batch.answers[row]) for row in rows]), asker.device)
    return question.target_BChw.index_copy(0, place_N, answers.to(question.target_BChw.dtype))


@torch.no_grad()
def _asked(
    asker: Asker, method: Method, batch: Batch, rows: Sequence[int], place_N: Tensor, question: Question
) -> Tensor:
    """What the model says of some items without what is being trained, (N, C, h, w)."""
    condition = question.condition.at(place_N)
    with method.original():
        if batch.text is None:  # read by text encoders that may be in training
            with autocast(asker.device, asker.family.options.dtype):
                heard = asker.family.encode_text([batch.captions[row] for row in rows])
            condition = replace(heard, sizes_B6=condition.sizes_B6, inpaint_BChw=condition.inpaint_BChw)
        noisy, time_B = question.noisy_BChw[place_N], question.time_B[place_N]
        return asker.said(Question(noisy, time_B, condition, noisy))


class KeptAnswers:
    """What a model says of the images of "prior" concepts, asked before it is changed.

    Image, caption, noise and time of an answer are functions of the item and the answer's number alone.
    """

    def __init__(self, asker: Asker, cache: Cache) -> None:
        self.asker, self.cache = asker, cache
        self._keys: dict[tuple[str, int], str] = {}
        self._models = _models(asker)

    def fill(self, feed: Feed, report: Report, stop: Callable[[], bool]) -> None:
        """Ask what has not been asked yet; ends early when `stop` says so."""
        asked = list(_groups(feed, self.asker.preset))
        for done, showings in enumerate(asked):
            if stop():
                return
            report("Asking the model before it is trained", done, len(asked))
            self._ask(feed.batch(showings, ANSWER))
        self.cache.flush()

    @torch.no_grad()
    def _ask(self, batch: Batch) -> None:
        # The address of chance and the share of noise are those that training will have.
        nothing = torch.zeros(len(batch.items), dtype=torch.float64)
        seeds, shares_B = self.settled(batch, [0] * len(batch.items), nothing)
        keys = [self._key(batch, row, seeds[row], float(shares_B[row])) for row in range(len(batch.items))]
        for item, number, key in zip(batch.items, batch.answers, keys, strict=True):
            self._keys[item.key, number] = key
        if all(self._kept(key) for key in keys):
            return
        said = self.asker.said(self.asker.question(batch, seeds, shares_B)).float().cpu()
        for key, answer in zip(keys, said, strict=True):
            self.cache.put(key, {"answer": answer})

    def settled(self, batch: Batch, seeds: Sequence[int], shares_B: Tensor) -> tuple[list[int], Tensor]:
        """Addresses of chance and shares of noise for a batch, of "prior" items those of their answers."""
        seed, shares_B, found = self.asker.preset.general.seed, shares_B.clone(), list(seeds)
        for row, number in enumerate(batch.answers):
            if number >= 0:
                found[row] = seed_of(seed, "answer", batch.items[row].key, number)
                one = batch.part(row, row + 1)
                shares_B[row] = self.asker.shares(one, [found[row]], first=0, of=1, step=0)[0]
        return found, shares_B

    def answer(self, item: Item, number: int) -> Tensor:
        """What was said, (C, h, w) fp32.

        Raises:
            UserError: the cache has lost it, and the model cannot be asked any more.
        """
        try:
            return self.cache.get(self._keys[item.key, number])["answer"]
        except (Damaged, KeyError) as error:
            raise UserError(
                f"The cache in {self.cache.folder} has lost what the model said of {item.path.name} before.",
                advice="Continue from the last backup with --resume: it is asked again before that.",
            ) from error

    def _kept(self, key: str) -> bool:
        try:
            return bool(self.cache.get(key))
        except (Damaged, KeyError):
            return False

    def _key(self, batch: Batch, row: int, seed: int, share: float) -> str:
        """Everything that the answer depends on."""
        shown = batch.latents_BChw if batch.latents_BChw is not None else batch.pixels_B3HW
        assert shown is not None
        # An inpainting model answers to what a mask hides and to what is seen instead, too.
        pictures = (rows[row] for rows in (batch.hidden, batch.shown) if rows)
        beside = [b"" if picture is None else _bytes(picture) for picture in pictures]
        told = json.dumps([self._models, batch.captions[row], batch.sizes_B6[row].tolist(), seed, share])
        return hashlib.sha256(told.encode() + _bytes(shown[row]) + b"".join(beside)).hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _models(asker: Asker) -> list[str]:
    preset, family = asker.preset, asker.family
    noising = json.dumps(family.noising.scheduler_config(), sort_keys=True, default=str)
    noise = preset.objective.noise.model_dump_json()
    encoders = FamilyEncoders(family)
    return ["answers 1", family.fingerprint("denoiser"), encoders.text_key, encoders.image_key, noising, noise]


def _groups(feed: Feed, preset: Preset) -> Iterator[list[Showing]]:
    """All showings whose answers are kept, in batches of one bucket."""
    index, size = feed.index, preset.training.batch_size
    prior = _rows(index, "prior")
    for rows in index.bucket_rows().values():
        showings = [
            Showing(int(row), number) for row in np.intersect1d(rows, prior) for number in range(preset.kept_answers)
        ]
        for start in range(0, len(showings), size):
            yield showings[start : start + size]


def _rows(index: Index, kind: str) -> np.ndarray:
    return np.flatnonzero(np.array([concept.kind == kind for concept in index.concepts])[index.concept_numbers])


def keeps_answers(preset: Preset) -> bool:
    """Whether a run needs answers from before its training."""
    return bool(preset.kept_answers) and any(c.enabled and c.kind == "prior" for c in preset.concepts)


def notes(preset: Preset, index: Index) -> Iterator[str]:
    """What keeps the model from forgetting, in words, for the log."""
    for kind, what in (
        ("class", "class images are learnt too"),
        ("prior", "images are held to the model's own answers"),
    ):
        if count := len(_rows(index, kind)):
            yield f"Prior preservation: {count} {what}, with weight {preset.prior.weight:g}."
