"""How wrong the model is about images that it does not learn from, and which state of it was the best.

Each image is asked about with K amounts of noise and noise of its own, which are the same at every validation, in every
run with this seed, and belong to the image alone: what changes between two validations is the model. Nothing that
training draws is touched, and weights and modes come back bit for bit.

Shapes: B items of a batch, K amounts of noise, N images.
When it is due: measured, told, the best model kept, and said when nothing gets better any more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import inf, isfinite, sqrt
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from modules.data.batches import Batch, BatchLoader
from modules.data.cache.fill import in_smaller_batches
from modules.data.index import Index, Item
from modules.data.order import Example
from modules.families import Condition
from modules.messages import ModelSaved, Stage, Validated
from modules.preset.preset import Preset
from modules.preset.sections.validation import Validation as Settings
from modules.sentences.problem import Problem, problem
from modules.system.devices import autocast
from modules.system.seeds import seed_of
from modules.trainer.control import Interrupted
from modules.trainer.run_folder.disk_retry import GaveUp
from modules.trainer.run_folder.run_writer import RunWriter, reasons_of
from modules.trainer.step.item_loss import LossComputer
from modules.trainer.step.learner import Learner

GoingOn = Callable[[int, int], bool]  # told how far the work is; whether it is to go on


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
    """The loss of a learner's model on the validation images of a loader, with nothing left to chance."""

    def __init__(self, learner: Learner, loader: BatchLoader) -> None:
        self.learner, self.loader = learner, loader
        self.preset = without_randomness(learner.preset)
        self.loss_computer = LossComputer(self.preset, learner.family, learner.method)

    def measure(self, going_on: GoingOn) -> Measured | None:
        """Ask about every image, with the weights as they are; None if `going_on(done, total)` ends it.

        To be called with everything as for use: no dropout.
        """
        items: list[Item] = []
        losses: list[Tensor] = []
        for rows in self._batches():
            if not going_on(len(items), len(self.loader.index)):
                return None
            for asked, found_BK in in_smaller_batches(self._ask, rows):
                items += asked
                losses.append(found_BK)
        # Only now is the card waited for.
        return Measured(items, torch.cat(losses).double().cpu())

    def _batches(self) -> Iterator[list[int]]:
        for rows in self.bucket_rows():
            size = self.at_once(rows)
            yield from (rows[start : start + size].tolist() for start in range(0, len(rows), size))

    def at_once(self, rows: np.ndarray) -> int:
        """How many of these images of one bucket are asked about together."""
        del rows
        return self.preset.training.batch_size

    def bucket_rows(self) -> list[np.ndarray]:
        """The images that are asked about, together with those of their bucket."""
        return [*self.loader.index.bucket_rows().values()]

    def shares(self, rows: Sequence[int], growth: float) -> list[tuple[list[int], Tensor]]:
        """For each time that the images of some rows are asked about: the numbers and shares of noise (B,) of each."""
        shares = shares_of(self.preset, growth)
        return [
            ([k] * len(rows), torch.full((len(rows),), share, dtype=torch.float64)) for k, share in enumerate(shares)
        ]

    @torch.no_grad()
    def _ask(self, rows: Sequence[int]) -> tuple[tuple[Item, ...], Tensor]:
        """The images of some rows of one bucket, and their losses (B, K)."""
        batch = self.loader.batch([Example(row, 0) for row in rows], 0)
        text, seed = self._text(batch), self.preset.general.seed
        losses: list[Tensor] = []
        growth = self.loss_computer.family.dynamic_shift(*batch.items[0].bucket)
        for numbers, shares_B in self.shares(rows, growth):
            seeds = [seed_of(seed, "validation", item.key, k) for item, k in zip(batch.items, numbers, strict=True)]
            losses.append(self.loss_computer.losses(batch, seeds, shares_B, text).float())
        return batch.items, torch.stack(losses, dim=1)

    def _text(self, batch: Batch) -> Condition:
        """The captions, read once for all amounts of noise."""
        text = self.loss_computer.cached_text(batch)
        if text is None:
            with autocast(self.loss_computer.device, self.loss_computer.family.options.dtype):
                text = self.loss_computer.family.encode_text(batch.captions)
        return text


def shares_of(preset: Preset, growth: float = 1.0) -> list[float]:
    """The amounts of noise of a validation: evenly spread over those that are practised, from little to much.

    The mean over them is then an estimate of the loss that training lowers.
    """
    count = preset.validation.times
    return [preset.objective.times.share((k + 0.5) / count, growth=growth) for k in range(count)]


def without_randomness(preset: Preset) -> Preset:
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


def validation_event(validation_images: Measured, index: Index, preset: Preset, best: Best, step: int) -> Validated:
    """The event of a validation. `best` takes it in."""
    images = validation_images.by_image
    mean, error = mean_and_error(images.values())
    better, change, change_error = (False, 0.0, 0.0)
    if isfinite(mean):
        better, change, change_error = best.compare(step, images, preset.validation.times)
    by_time: list[float] = validation_images.losses_NK.mean(0).tolist()
    return Validated(
        step,
        mean,
        error,
        len(images),
        _by_concept(validation_images, index),
        list(zip(shares_of(preset), by_time, strict=True)),
        better,
        best.step,
        best.mean if isfinite(best.mean) else mean,
        change,
        change_error,
    )


def _by_concept(validation_images: Measured, index: Index) -> dict[str, float]:
    """The mean loss of each concept; those of one name are numbered."""
    held: dict[int, dict[str, float]] = {}
    for item, loss in zip(validation_images.items, validation_images.by_image.values(), strict=True):
        held.setdefault(item.concept, {})[item.key] = loss
    found: dict[str, float] = {}
    for number, losses in sorted(held.items()):
        name = index.concepts[number].name or index.sources[number].title
        names = (f"{name} ({again})" if again > 1 else name for again in range(1, len(held) + 1))
        found[next(name for name in names if name not in found)] = mean_and_error(losses.values())[0]
    return found


def curves(event: Validated) -> dict[str, float]:
    """A validation as points of TensorBoard's curves."""
    by_concept = {f"validation/concept/{name}": loss for name, loss in event.concepts.items()}
    by_time = {f"validation/noise/{share:.3f}": loss for share, loss in event.times}
    return {"validation/mean": event.mean, "validation/standard_error": event.error, **by_concept, **by_time}


class Validator:
    """Validates for a run. What it finds never changes what is learnt, only when a run ends."""

    def __init__(self, writer: RunWriter, loader: BatchLoader) -> None:
        self.writer, self.learner, self.control = writer, writer.learner, writer.control
        self.validation = Validation(writer.learner, loader)
        self.best = writer.learner.state["validation"] = Best()
        self._validated_at = -1
        self.keeps_best = self._settings.keep_best  # by the loss; not where something else decides

    def notes(self) -> list[Problem]:
        """What is measured, for the log."""
        index = self.validation.loader.index
        code = "validation.images:held-out" if len(index.held_out) else "validation.images"
        return [problem(code, count=len(index), times=self._settings.times)]

    def validate(self) -> bool:
        """Measure and tell, once a step; whether it was done. Whatever goes wrong is told, and training goes on."""
        step = self.learner.clock.step
        if self._validated_at == step:
            return False
        try:
            found = self._measured()
        except (Interrupted, GaveUp):
            raise
        except Exception as error:  # noqa: BLE001 - a number to look at: nothing in it may cost a run its hours
            self.writer.note(problem("validation.none", step=step, why=reasons_of(error)), level="error")
            return False
        if found is None:
            return False
        self._validated_at = self.best.at = step
        self.writer.records.numbers(step, curves(found))
        self.writer.records.tell(found)
        if found.best and step and self.keeps_best:
            self._keep(found)
        return True

    def rolled_back(self) -> None:
        """The steps that come are others than those that had these numbers before."""
        self._validated_at = self.best.at = -1

    def stop_reason(self) -> Problem | None:
        """Why training has gone on long enough; None as long as it has not, or nobody wants to know."""
        patience = self._settings.patience
        if not patience or not self.best.since or self.best.since % patience:
            return None
        kept = bool(self.best.step and self.keeps_best)
        code = "validation.no-better:kept" if kept else "validation.no-better"
        return problem(code, step=self.best.step, count=self.best.since, file=self.writer.outputs.best().name)

    @property
    def _settings(self) -> Settings:
        return self.learner.preset.validation

    def _measured(self) -> Validated | None:
        with self.writer.inference_weights(live=self._settings.weights == "live"):
            measured = self.validation.measure(self._going_on)
        if measured is None:
            return None
        index = self.validation.loader.index
        return validation_event(measured, index, self.validation.preset, self.best, self.learner.clock.step)

    def _going_on(self, done: int, total: int) -> bool:
        """Who stops a run does not wait for its validation."""
        self.control.check()
        self.writer.records.tell(Stage("stage.validation", done + 1, total))
        return not self.control.stop_requested()

    def _keep(self, found: Validated) -> None:
        about = {"step": found.step, "loss": round(found.mean, 8), "images": found.images}
        target = self.writer.outputs.best()
        more = {"seachange.validation": json.dumps(about)}
        for path in self.writer.export(target, "written.best", more, live=self._settings.weights == "live"):
            self.writer.records.tell(ModelSaved(str(path), found.step))
