"""The learning rate as a function of the step: nothing to remember, so nothing to back up."""

from __future__ import annotations

import math

from modules.preset.interval import WarmUp
from modules.preset.schedule import Schedule


def rate_factor(schedule: Schedule, step: int, steps: int) -> float:
    """The share of the learning rate that holds for the step after `step` finished ones, of `steps` in all."""
    warm = WarmUp.parse(schedule.warmup).steps_of(steps)
    if step < warm:
        return (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    return schedule.minimum + (1 - schedule.minimum) * _shape(schedule, min(done, 1.0))


def _shape(schedule: Schedule, done: float) -> float:
    """From 1 to 0 while `done` goes from 0 to 1."""
    match schedule.kind:
        case "linear":
            return 1 - done
        case "cosine":
            return 0.5 * (1 + math.cos(math.pi * done))
        case "cosine_restarts":  # SGDR (arXiv:1608.03983, eq. 5), cycles of equal length
            return 0.5 * (1 + math.cos(math.pi * (done * schedule.cycles % 1.0))) if done < 1 else 0.0
        case "rex":  # arXiv:2107.04197, section 3
            return (1 - done) / (0.5 + 0.5 * (1 - done))
        case "constant":
            return 1.0
