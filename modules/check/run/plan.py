"""What a run comes to in numbers: steps, epochs, showings, samples, backups and models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modules.data.index import Index
from modules.data.order import epoch_length, epoch_order, examples_per_epoch
from modules.preset.preset import Preset
from modules.preset.text.interval import Interval
from modules.sentences.problem import Problem, problem

MAX_EPOCHS = 50  # that are played through to find what is never shown
MAX_VIEWS = 5_000_000


@dataclass(frozen=True)
class Plan:
    """The arithmetic of a run, as the trainer does it."""

    images: int
    batches: int  # of an epoch
    steps_per_epoch: int
    steps: int
    at_once: int  # images of a batch
    accumulation: int

    @classmethod
    def of(cls, preset: Preset, index: Index) -> Plan:
        training = preset.training
        batches = epoch_length(index, training.batch_size)
        each = -(-batches // training.accumulation)
        steps = training.steps or each * training.epochs
        return cls(index.training_rows().images, batches, each, steps, training.batch_size, training.accumulation)

    @property
    def per_step(self) -> int:
        """Images that a step learns from."""
        return self.at_once * self.accumulation

    @property
    def epochs(self) -> int:
        """Epochs that are begun."""
        return -(-self.steps // self.steps_per_epoch)

    @property
    def epochs_shown(self) -> float:
        return self.steps / self.steps_per_epoch

    @property
    def in_numbers(self) -> Problem:
        """Its steps and epochs as a sentence."""
        code = "plan.step-accumulated" if self.accumulation > 1 else "plan.step"
        step = problem(code, images=self.per_step, at_once=self.at_once, accumulation=self.accumulation)
        return problem("plan", steps=self.steps, epochs=self.epochs, epoch=self.steps_per_epoch, batch=step)


def times_due(interval: str, plan: Plan) -> int | None:
    """How often an interval falls due within a run; None where only the clock on the wall knows."""
    every = Interval.parse(interval)
    if every.unit == "never":
        return 0
    if every.unit == "step":
        return int(plan.steps // every.amount)
    return int(plan.steps // plan.steps_per_epoch // every.amount) if every.unit == "epoch" else None


def samplings(preset: Preset, plan: Plan) -> int | None:
    """How often the prompts are drawn, before the first step and at the end included; None: the clock knows."""
    sampling = preset.sampling
    due = times_due(sampling.every, plan)
    if due is None:
        return None
    every = Interval.parse(sampling.every)
    length = {"step": 1, "epoch": plan.steps_per_epoch}.get(every.unit, 1) * int(every.amount)
    drawn_at_the_end = due > 0 and plan.steps % length == 0
    return due + sampling.first + (sampling.last and not drawn_at_the_end)


def validations(preset: Preset, plan: Plan) -> int | None:
    """How often the model is measured, before the first step and at the end included; None: the clock knows."""
    if not preset.validation.enabled:
        return 0
    due = times_due(preset.validation.every, plan)
    if due is None:
        return None
    every = Interval.parse(preset.validation.every)
    length = {"step": 1, "epoch": plan.steps_per_epoch}.get(every.unit, 1) * int(every.amount)
    return due + 1 + (not due or plan.steps % length != 0)


def never_shown(preset: Preset, index: Index, plan: Plan) -> int:
    """How many images no step of the run learns from; where that would take long to find out, how many at least."""
    every_epoch = all(examples >= images for _, images, examples in _members(index))
    if every_epoch and index.weights is None and plan.epochs_shown >= 1:
        return 0
    views = max(1, plan.batches * plan.at_once)
    if views > MAX_VIEWS:
        return max(0, plan.images - plan.steps * plan.accumulation * plan.at_once)
    places = np.cumsum(np.diff(index.image_numbers, prepend=-1) != 0) - 1  # of each row's image
    left, seen = plan.steps, np.zeros(index.images, dtype=bool)
    seen[places[~index.trained]] = True  # never meant to be
    for epoch in range(min(plan.epochs, MAX_EPOCHS, MAX_VIEWS // views)):
        rows = epoch_order(index, plan.at_once, preset.general.seed, epoch).rows
        seen[places[rows[: left * plan.accumulation].ravel()]] = True
        left -= plan.steps_per_epoch
        if seen.all() or left <= 0:
            return int((~seen).sum())
    return 0


def most_shown(index: Index, plan: Plan) -> tuple[int, float]:
    """The concept whose images are shown most often, and how often each of them is in the whole run."""
    each = {n: examples / images for n, images, examples in _members(index)}
    number = max(each, key=lambda n: each[n])
    return number, each[number] * plan.epochs_shown


def _members(index: Index) -> list[tuple[int, int, int]]:
    """The concepts that have images and are learnt from, how many, and how many an epoch shows."""
    rows = index.training_rows()
    counts = enumerate(zip(rows.images_of().tolist(), rows.shown_of().tolist(), strict=True))
    return [(n, count, examples_per_epoch(index.concepts[n], shown)) for n, (count, shown) in counts if count]
