"""How far answers have moved from the base's, in units that a person can read. Only tensors, no model.

Shapes: N points, M of them asked without the prompt, C latent channels, h w latent size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from modules.data.cache.encoders import TextEncoding
from modules.diffusion.noise_schedule import NoiseSchedule
from modules.trainer.retention.anchors import Answers, Points

LEAST_EFFECT = 1e-5  # of a prompt: below it, its answers have no unit to be measured in


class Drift(NamedTuple):
    """What a measurement finds of forgetting."""

    forgotten: float  # 1: the answers changed as much as if the prompt had been taken away
    by_prompt: list[float]
    cosine: float  # of the direction of guidance with the base's


def unit_of(points: Points, schedule: NoiseSchedule) -> float:
    """How much the base's answers change when the prompt is taken away, relative to their size."""
    answers = points.answers
    moved = answers.prompted_NChw.double() - answers.unprompted_MChw.double()
    return float((_square(moved) / _square(_velocities(points, schedule))).mean())


def drift_of(points: Points, now: Answers, unprompted: Sequence[int], each: int, schedule: NoiseSchedule) -> Drift:
    """`each`: points of a prompt, which stand together. `unprompted`: those that were asked without it, too."""
    base, rows = points.answers, torch.tensor(unprompted)
    moved = now.prompted_NChw.double() - base.prompted_NChw.double()
    ratios_N = _square(moved) / _square(_velocities(points, schedule)) / unit_of(points, schedule)
    direction = (now.prompted_NChw[rows].double() - now.unprompted_MChw.double()).flatten(1)
    was = (base.prompted_NChw[rows].double() - base.unprompted_MChw[rows].double()).flatten(1)
    cosine = torch.cosine_similarity(direction, was, dim=1).mean()
    by_prompt: list[float] = ratios_N.view(-1, each).mean(1).tolist()
    return Drift(float(ratios_N.mean()), by_prompt, float(cosine))


def text_drift(base: Sequence[TextEncoding], now: Sequence[TextEncoding]) -> float:
    """How far what the text encoders say has moved, relative to its size; 0 where they are not trained."""
    moved = [
        float((b["tokens"].double() - a["tokens"].double()).norm() / a["tokens"].double().norm())
        for a, b in zip(base, now, strict=True)
        if a["tokens"].shape == b["tokens"].shape  # as of all prompts without a word that is learnt
    ]
    return sum(moved) / len(moved) if moved else 0.0


def _velocities(points: Points, schedule: NoiseSchedule) -> Tensor:
    """The base's answers as velocities, times alpha where noise is predicted: a difference of noises has it, too.

    With x = alpha x0 + sigma e, the velocity alpha e - sigma x0 is (e - sigma x) / alpha.
    """
    answers = points.answers.prompted_NChw.double()
    if schedule.prediction != "epsilon":
        return answers
    time_N = schedule.time(points.shares_N)
    sigma = schedule.alpha_sigma(time_N)[1].double()
    return answers - sigma * points.noisy_NChw.double()


def _square(x_NChw: Tensor) -> Tensor:
    return x_NChw.square().sum(dim=(1, 2, 3))
