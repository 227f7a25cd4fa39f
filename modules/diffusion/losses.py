"""The distance between the denoiser's answer and its target, number by number.

A measure is a row of MEASURES, and its share in the mix a setting of the same name in
modules/preset/sections/objective.py.

Shapes: B batch, C latent channels, h w latent size. All in fp32.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from modules.diffusion.noise_schedule import NoiseSchedule

Measure = Callable[[Tensor, Tensor], Tensor]  # the error (B, C, h, w) and delta (B, 1, 1, 1)


def squared(error: Tensor, delta_B: Tensor) -> Tensor:
    return error.square()


def absolute(error: Tensor, delta_B: Tensor) -> Tensor:
    return error.abs()


def huber(error: Tensor, delta_B: Tensor) -> Tensor:
    """Squared up to delta, linear beyond.

    Twice the usual Huber loss, so that small errors cost what MSE would make them cost: the learning rate keeps its
    meaning.
    """
    size = error.abs()
    return torch.where(size <= delta_B, size.square(), delta_B * (2 * size - delta_B))


def pseudo_huber(error: Tensor, delta_B: Tensor) -> Tensor:
    """2 delta (sqrt(error^2 + delta^2) - delta), arXiv:2403.16728, eq. 5, scaled as `huber` is."""
    return 2 * delta_B * ((error.square() + delta_B.square()).sqrt() - delta_B)


def log_cosh(error: Tensor, delta_B: Tensor) -> Tensor:
    """log(cosh(error)), written so that large errors do not overflow."""
    size = error.abs()
    return size + F.softplus(-2 * size) - math.log(2)


MEASURES: dict[str, Measure] = {
    "mse": squared,
    "mae": absolute,
    "huber": huber,
    "pseudo_huber": pseudo_huber,
    "log_cosh": log_cosh,
}


def scheduled_delta(kind: str, delta: float, noise_schedule: NoiseSchedule, time_B: Tensor) -> Tensor:
    """Huber's delta for each time, (B, 1, 1, 1): arXiv:2403.16728, section 4.

    exponential: delta^share, 1 for a clean image and delta for pure noise; snr: (1 - delta) / (1 + sigma)^2 + delta
    with sigma the noise over the signal.
    """
    if kind == "exponential":
        return (math.log(delta) * noise_schedule.share(time_B)).exp().float().reshape(-1, 1, 1, 1)
    alpha, sigma = noise_schedule.alpha_sigma(time_B)
    if kind == "snr":
        return (1 - delta) * (alpha / (alpha + sigma)).square() + delta
    return torch.full_like(alpha, delta)
