"""The learning rate as a function of the step: nothing to remember, so nothing to back up."""

from __future__ import annotations

from collections.abc import Iterator

from modules.preset.preset import Preset
from modules.preset.schedule import Schedule


def rate_factor(schedule: Schedule, step: int, steps: int) -> float:
    """The share of the learning rate that holds for the step after `step` finished ones, of `steps` in all."""
    return schedule.factor(step, steps)


def told(preset: Preset) -> Iterator[str]:
    """What became of the learning rate for the size of the step, in words."""
    training = preset.training
    if training.rate_scale == 1:
        return
    rate = training.learning_rate
    what = {"batch": "the batch", "accumulation": "the accumulation", "both": "the batch and the accumulation"}
    how = "the root of " if training.scale_by == "root" else ""
    yield (
        f"The learning rate {rate:g} is scaled by {how}{what[training.scale_rate]}: times {training.rate_scale:.4g}, "
        f"{rate * training.rate_scale:.4g}."
    )
