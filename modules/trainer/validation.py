"""How wrong the model is about images that it does not learn from, and which state of it was the best.

Each image is asked about with K amounts of noise and noise of its own, which are the same at every validation, in every
run with this seed, and belong to the image alone: what changes between two validations is the model. Nothing that
training draws is touched, and weights and modes come back bit for bit.

Shapes: B items of a batch, K amounts of noise, N images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import inf, isfinite, sqrt
from typing import Any, NamedTuple

import torch
from torch import Tensor

from modules.data.batches import Batch, Feed
from modules.data.filling import in_halves
from modules.data.index import Index, Item
from modules.data.order import Showing
from modules.families import Condition
from modules.messages import Validated
from modules.preset.preset import Preset
from modules.system.devices import autocast
from modules.system.seeds import seed_of
from modules.trainer.judge import Judge
from modules.trainer.learner import Learner


class Measured(NamedTuple):
    """What a validation measured."""

    items: list[Item]
    losses_NK: Tensor  # fp64, in main memory

    @property
    def by_image(self) -> dict[str, float]:
        """The loss of each image, by its key."""
        means: list[float] = self.losses_NK.mean(1).tolist()
        return {item.key: loss for item, loss in zip(self.items, means, strict=True)}


class Validation:
    """Asks the model of a learner about the images of a feed, of which nothing is left to chance (`Index.measured`)."""

    def __init__(self, learner: Learner, feed: Feed) -> None:
        self.learner, self.feed = learner, feed
        self.preset = without_chance(learner.preset)
        self.judge = Judge(self.preset, learner.family, learner.method)

    def measure(self, going_on: Callable[[int, int], bool]) -> Measured | None:
        """Ask about every image, with the weights as they are; None if `going_on(done, total)` ends it.

        To be called with everything as for use: no dropout.
        """
        items: list[Item] = []
        losses: list[Tensor] = []
        for rows in self._batches():
            if not going_on(len(items), len(self.feed.index)):
                return None
            for asked, found_BK in in_halves(self._ask, rows):
                items += asked
                losses.append(found_BK)
        # Only now is the card waited for.
        return Measured(items, torch.cat(losses).double().cpu())

    def _batches(self) -> Iterator[list[int]]:
        size = self.preset.training.batch_size
        for rows in self.feed.index.bucket_rows().values():
            yield from (rows[start : start + size].tolist() for start in range(0, len(rows), size))

    @torch.no_grad()
    def _ask(self, rows: Sequence[int]) -> tuple[tuple[Item, ...], Tensor]:
        """The images of some rows of one bucket, and their losses (B, K)."""
        batch = self.feed.batch([Showing(row, 0) for row in rows], 0)
        text, seed = self._text(batch), self.preset.general.seed
        count = self.preset.validation.times
        losses: list[Tensor] = []
        for k, share in enumerate(shares_of(self.preset, self._growth(batch))):
            seeds = [seed_of(seed, "validation", item.key, k) for item in batch.items]
            shares_B = torch.full((len(rows),), share, dtype=torch.float64)
            losses.append(self.judge.losses(batch, seeds, shares_B, text).float())
        assert len(losses) == count
        return batch.items, torch.stack(losses, dim=1)

    def _text(self, batch: Batch) -> Condition:
        """The captions, read once for all amounts of noise."""
        text = self.judge.cached_text(batch)
        if text is None:
            with autocast(self.judge.device, self.judge.family.options.dtype):
                text = self.judge.family.encode_text(batch.captions)
        return text

    def _growth(self, batch: Batch) -> float:
        height, width = batch.items[0].bucket
        return sqrt(height * width) / self.judge.family.resolution


def shares_of(preset: Preset, growth: float = 1.0) -> list[float]:
    """The amounts of noise of a validation: evenly spread over those that are practised, from little to much.

    The mean over them is then an estimate of the loss that training lowers.
    """
    count = preset.validation.times
    return [preset.objective.times.share((k + 0.5) / count, growth=growth) for k in range(count)]


def without_chance(preset: Preset) -> Preset:
    """The preset without what makes training harder, or other from showing to showing, on purpose."""
    noise = preset.objective.noise.model_copy(update={"perturbation": 0.0})
    masks = preset.training.masks.model_copy(update={"unmasked_probability": 0.0})
    return preset.model_copy(
        update={
            "objective": preset.objective.model_copy(update={"noise": noise}),
            "training": preset.training.model_copy(update={"masks": masks}),
        }
    )


# The best so far ------------------------------------------------------------------------------------------------------


@dataclass
class Best:
    """The best validation of a run so far, and how many have passed since. A backup holds it."""

    step: int = -1  # -1: there was none
    mean: float = inf
    images: dict[str, float] = field(default_factory=dict[str, float])  # loss by key
    times: int = 0
    since: int = 0
    at: int = -1  # the step of the last validation

    # A run may be continued with validation switched on, and then its backup knows of none.
    may_be_missing = True

    def compare(self, step: int, images: Mapping[str, float], times: int) -> tuple[bool, float, float]:
        """Take in a validation: whether it is the best, how much it differs from the best before, and how sure that is.

        The latter is the standard error of the mean difference between the same images.

        After other images or times were measured than before, there is no best yet.
        """
        if self.images.keys() != images.keys() or self.times != times:
            self.step, self.mean, self.images, self.times, self.since = -1, inf, {}, times, 0
        mean, change = mean_and_error(images.values())[0], (0.0, 0.0)
        if self.step >= 0:
            change = mean_and_error([images[key] - self.images[key] for key in images])
        better = mean < self.mean
        self.since = 0 if better else self.since + 1
        if better:
            self.step, self.mean, self.images = step, mean, dict(images)
        return better, *change

    def state_dict(self) -> dict[str, Any]:
        return asdict(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.step, self.mean, self.images = state["step"], state["mean"], dict(state["images"])
        self.times, self.since, self.at = state["times"], state["since"], state["at"]


def mean_and_error(values: Iterable[float]) -> tuple[float, float]:
    """The mean and its standard error; of a single value that is not known, and given as 0."""
    held = torch.tensor([*values], dtype=torch.float64)
    error = float(held.std() / sqrt(len(held))) if len(held) > 1 else 0.0
    return float(held.mean()), error


def told(measured: Measured, index: Index, preset: Preset, best: Best, step: int) -> Validated:
    """The event of a validation. `best` takes it in."""
    images = measured.by_image
    mean, error = mean_and_error(images.values())
    better, change, change_error = (False, 0.0, 0.0)
    if isfinite(mean):
        better, change, change_error = best.compare(step, images, preset.validation.times)
    by_time: list[float] = measured.losses_NK.mean(0).tolist()
    return Validated(
        step,
        mean,
        error,
        len(images),
        _by_concept(measured, index),
        list(zip(shares_of(preset), by_time, strict=True)),
        better,
        best.step,
        best.mean if isfinite(best.mean) else mean,
        change,
        change_error,
    )


def _by_concept(measured: Measured, index: Index) -> dict[str, float]:
    """The mean loss of each concept; those of one name are numbered."""
    held: dict[int, dict[str, float]] = {}
    for item, loss in zip(measured.items, measured.by_image.values(), strict=True):
        held.setdefault(item.concept, {})[item.key] = loss
    found: dict[str, float] = {}
    for number, losses in sorted(held.items()):
        name = index.concepts[number].name or index.folders[number].name
        names = (f"{name} ({again})" if again > 1 else name for again in range(1, len(held) + 1))
        found[next(name for name in names if name not in found)] = mean_and_error(losses.values())[0]
    return found


def curves(event: Validated) -> dict[str, float]:
    """A validation as points of TensorBoard's curves."""
    by_concept = {f"validation/concept/{name}": loss for name, loss in event.concepts.items()}
    by_time = {f"validation/noise/{share:.3f}": loss for share, loss in event.times}
    return {"validation/mean": event.mean, "validation/standard_error": event.error, **by_concept, **by_time}
