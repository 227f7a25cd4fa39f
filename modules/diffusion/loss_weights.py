"""How much each amount of noise counts.

A weighting is a row of WEIGHTINGS: the weight of the squared error of the clean image that an answer implies, as a
function of the signal-to-noise ratio. Whatever the model predicts, `weights` turns it into a weight of that loss, so
that the same weighting teaches the same under every prediction.

Shapes: B batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from modules.diffusion.noise_schedule import NoiseSchedule

Weighting = Callable[[Tensor, Mapping[str, float]], Tensor]


def _min_snr(snr_B: Tensor, options: Mapping[str, float]) -> Tensor:
    """Min-SNR-gamma: min(snr, gamma), arXiv:2303.09556, eq. 4."""
    return snr_B.clamp_max(options["min_snr_gamma"])


def _soft_min_snr(snr_B: Tensor, options: Mapping[str, float]) -> Tensor:
    """Without min-SNR's kink: snr gamma / (snr + gamma), arXiv:2401.11605, section 4.2."""
    gamma = options["min_snr_gamma"]
    return snr_B * gamma / (snr_B + gamma)


def _p2(snr_B: Tensor, options: Mapping[str, float]) -> Tensor:
    """P2: snr / (1 + snr)^gamma, arXiv:2204.00227, eq. 8 with k = 1."""
    return snr_B / (1 + snr_B) ** options["p2_gamma"]


def _debiased(snr_B: Tensor, options: Mapping[str, float]) -> Tensor:
    """Debiased estimation: sqrt(snr), arXiv:2310.08442, eq. 9, which is 1 / sqrt(snr) on a loss of the noise."""
    return snr_B.sqrt()


WEIGHTINGS: dict[str, Weighting] = {
    "min_snr": _min_snr,
    "soft_min_snr": _soft_min_snr,
    "p2": _p2,
    "debiased": _debiased,
}


def weights(kind: str, options: Mapping[str, float], noise_schedule: NoiseSchedule, time_B: Tensor) -> Tensor | None:
    """The weight of each item's loss, (B,); None where all count alike."""
    if kind == "none":
        return None
    if kind == "sigma":  # the share of noise itself, whatever is predicted
        return noise_schedule.alpha_sigma(time_B)[1].reshape(-1)
    snr_B = noise_schedule.snr(time_B)
    if kind == "debiased_kohya":  # as sd-scripts has it: on the loss of what is predicted, another under v
        return snr_B.clamp_max(1000).rsqrt() if noise_schedule.prediction == "epsilon" else 1 / (snr_B + 1)
    return WEIGHTINGS[kind](snr_B, options) / noise_schedule.gain(time_B)
