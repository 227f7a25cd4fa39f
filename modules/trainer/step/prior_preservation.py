"""Prior prediction: the targets of "prior" concepts are what the model predicted before it was trained.

Adapters and words are taken off for that question (as in OneTrainer). A full fine-tune changes the model itself: some
answers for each image are kept in the cache before it begins, and training asks nothing but these questions again. This
is learning without forgetting (arXiv:1606.09282, section 3: the new model is held to the old one's recorded answers).

Shapes: B items of a batch, N of them with a "prior", C latent channels, h w latent size.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from modules.data.batches import ANSWER, LIVE, ORDINARY, Batch, BatchLoader
from modules.data.cache.store import Cache, DamagedRecord
from modules.data.index import Index, Item
from modules.data.order import Example
from modules.errors import UserError
from modules.methods import Method
from modules.methods.training_adapters import adapters_key
from modules.preset.preset import Preset
from modules.sentences.problem import Problem, problem
from modules.system.devices import autocast, to_device
from modules.system.seeds import seed_of
from modules.trainer.step.denoising_task import DenoisingTask, NoisyBatch
from modules.trainer.step.encoders import FamilyEncoders

Report = Callable[[str, int, int], None]


def prior_target(
    task: DenoisingTask, method: Method, teacher: TeacherCache | None, batch: Batch, noisy_batch: NoisyBatch
) -> Tensor:
    """The targets of a batch: its own, and for "prior" images what the model predicted before training."""
    rows = [row for row, answer in enumerate(batch.answers) if answer != ORDINARY]
    if not rows:
        return noisy_batch.target_BChw
    place_N = to_device(torch.tensor(rows), task.device)
    if batch.answers[rows[0]] == LIVE:
        answers = _base_prediction(task, method, batch, rows, place_N, noisy_batch)
    else:
        assert teacher is not None
        answers = to_device(
            torch.stack([teacher.prediction(batch.items[row], batch.answers[row]) for row in rows]), task.device
        )
    return noisy_batch.target_BChw.index_copy(0, place_N, answers.to(noisy_batch.target_BChw.dtype))


@torch.no_grad()
def _base_prediction(
    task: DenoisingTask, method: Method, batch: Batch, rows: Sequence[int], place_N: Tensor, noisy_batch: NoisyBatch
) -> Tensor:
    """What the model predicts for some items without what is being trained, (N, C, h, w)."""
    condition = noisy_batch.condition.at(place_N)
    with method.original():
        if batch.text is None:  # read by text encoders that may be in training
            with autocast(task.device, task.family.options.dtype):
                text = task.family.encode_text([batch.captions[row] for row in rows])
            condition = task.completed(text, condition.sizes_B6, condition.inpaint_BChw)
        noisy, time_B = noisy_batch.noisy_BChw[place_N], noisy_batch.time_B[place_N]
        return task.predict(NoisyBatch(noisy, time_B, condition, noisy))


class TeacherCache:
    """What a model predicts for the images of "prior" concepts before it is changed, kept in the cache.

    Image, caption, noise and time of an answer are functions of the item and the answer's number alone.
    """

    def __init__(self, task: DenoisingTask, cache: Cache) -> None:
        self.task, self.cache = task, cache
        self._keys: dict[tuple[str, int], str] = {}
        self._models = _models(task)

    def fill(self, loader: BatchLoader, report: Report, stop: Callable[[], bool]) -> None:
        """Ask what has not been asked yet; ends early when `stop` says so."""
        asked = list(_groups(loader, self.task.preset))
        for done, examples in enumerate(asked):
            if stop():
                return
            report("stage.caching-predictions", done, len(asked))
            self._ask(loader.batch(examples, ANSWER))
        self.cache.flush()

    @torch.no_grad()
    def _ask(self, batch: Batch) -> None:
        # The address of chance and the share of noise are those that training will have.
        nothing = torch.zeros(len(batch.items), dtype=torch.float64)
        seeds, shares_B = self.with_cached_noise(batch, [0] * len(batch.items), nothing)
        keys = [self._key(batch, row, seeds[row], float(shares_B[row])) for row in range(len(batch.items))]
        for item, number, key in zip(batch.items, batch.answers, keys, strict=True):
            self._keys[item.key, number] = key
        if all(self._is_cached(key) for key in keys):
            return
        predictions = self.task.predict(self.task.noisy_batch(batch, seeds, shares_B)).float().cpu()
        for key, prediction in zip(keys, predictions, strict=True):
            self.cache.put(key, {"answer": prediction})

    def with_cached_noise(self, batch: Batch, seeds: Sequence[int], shares_B: Tensor) -> tuple[list[int], Tensor]:
        """Addresses of chance and shares of noise for a batch, of "prior" items those of their answers."""
        seed, shares_B, found = self.task.preset.general.seed, shares_B.clone(), list(seeds)
        for row, number in enumerate(batch.answers):
            if number >= 0:
                found[row] = seed_of(seed, "answer", batch.items[row].key, number)
                one = batch.part(row, row + 1)
                shares_B[row] = self.task.sample_timesteps(one, [found[row]], first=0, of=1, step=0)[0]
        return found, shares_B

    def prediction(self, item: Item, number: int) -> Tensor:
        """The base model's prediction, (C, h, w) fp32.

        Raises:
            UserError: the cache has lost it, and the model cannot be asked any more.
        """
        try:
            return self.cache.get(self._keys[item.key, number])["answer"]
        except (DamagedRecord, KeyError) as error:
            raise UserError("cache.lost-prediction", cache=self.cache.folder, file=item.file.name) from error

    def _is_cached(self, key: str) -> bool:
        try:
            return bool(self.cache.get(key))
        except (DamagedRecord, KeyError):
            return False

    def _key(self, batch: Batch, row: int, seed: int, share: float) -> str:
        """Everything that the answer depends on."""
        shown = batch.latents_BChw if batch.latents_BChw is not None else batch.pixels_B3HW
        assert shown is not None
        # An inpainting model answers to what a mask hides and to what is seen instead, too.
        pictures = (rows[row] for rows in (batch.hidden, batch.shown) if rows)
        beside = [b"" if picture is None else _bytes(picture) for picture in pictures]
        facts = json.dumps([self._models, batch.captions[row], batch.sizes_B6[row].tolist(), seed, share])
        return hashlib.sha256(facts.encode() + _bytes(shown[row]) + b"".join(beside)).hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _models(task: DenoisingTask) -> list[str]:
    preset, family = task.preset, task.family
    noise_schedule = json.dumps(family.noise_schedule.scheduler_config(), sort_keys=True, default=str)
    noise = preset.objective.noise.model_dump_json()
    models = [family.fingerprint("denoiser"), FamilyEncoders(family).text_key, family.fingerprint("vae")]
    facts = ["answers 1", *models, noise_schedule, noise]
    facts += [str(preset.objective.embedded_guidance)] if family.card.guidance_embed else []
    return [*facts, *([json.dumps(adapters)] if (adapters := adapters_key(preset)) else [])]


def _groups(loader: BatchLoader, preset: Preset) -> Iterator[list[Example]]:
    """All showings whose answers are kept, in batches of one bucket."""
    index, size = loader.index, preset.training.batch_size
    prior = _rows(index, "prior")
    for rows in index.bucket_rows().values():
        examples = [
            Example(int(row), number) for row in np.intersect1d(rows, prior) for number in range(preset.kept_answers)
        ]
        for start in range(0, len(examples), size):
            yield examples[start : start + size]


def _rows(index: Index, kind: str) -> np.ndarray:
    return np.flatnonzero(np.array([concept.kind == kind for concept in index.concepts])[index.concept_numbers])


def needs_teacher_cache(preset: Preset) -> bool:
    """Whether a run needs answers from before its training."""
    return bool(preset.kept_answers) and any(c.enabled and c.kind == "prior" for c in preset.concepts)


def notes(preset: Preset, index: Index) -> Iterator[Problem]:
    """What keeps the model from forgetting, for the log."""
    for kind, code in (("class", "prior.class"), ("prior", "prior.prior")):
        if count := len(_rows(index, kind)):
            yield problem(code, count=count, weight=preset.prior.weight)
