"""What a preset asks of the denoiser: which noise, how much of it, and what an error costs.

Everything is drawn for each item from its own seed, in fp32 or finer, on the CPU: the same in any batch and anywhere.

Shapes: B batch, C latent channels, h w latent size.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F

from modules.diffusion.loss_weights import weights
from modules.diffusion.losses import MEASURES, scheduled_delta
from modules.diffusion.noise_schedule import NoiseSchedule
from modules.preset.sections.objective import Noise, Objective
from modules.preset.sections.timesteps import Times
from modules.preset.sections.training import Masks
from modules.system.seeds import seed_of, uniform_of


def item_losses(
    settings: Objective,
    noise_schedule: NoiseSchedule,
    prediction: Tensor,
    target: Tensor,
    time_B: Tensor,
    mask_B1hw: Tensor | None = None,
) -> Tensor:
    """The weighted loss of each item, (B,), from (B, C, h, w). A mask says how much each place counts."""
    error = prediction.float() - target.float()
    mix = {name: share for name in MEASURES if (share := cast("float", getattr(settings.loss, name)))}
    delta_B = scheduled_delta(settings.loss.huber_schedule, settings.loss.huber_delta, noise_schedule, time_B)
    measured = (share * MEASURES[name](error, delta_B) for name, share in mix.items())
    loss = reduce(torch.add, measured)
    if mask_B1hw is not None:
        loss = loss * mask_B1hw
    loss_B = loss.mean(dim=(1, 2, 3))
    options = {"min_snr_gamma": settings.min_snr_gamma, "p2_gamma": settings.p2_gamma}
    weights_B = weights(settings.weighting, options, noise_schedule, time_B)
    return loss_B if weights_B is None else loss_B * weights_B


def mask_weights(settings: Masks, mask_B1hw: Tensor, size: Sequence[int]) -> Tensor:
    """Masks of 0 to 1 as weights (B, 1, *size): white counts 1, black `unmasked_weight`, grey between.

    Normalized, their mean is 1 for each item, so that the loss is the mean over what counts.
    """
    if mask_B1hw.shape[2:] != torch.Size(size):
        mask_B1hw = F.interpolate(mask_B1hw, size=tuple(size), mode="area")
    weights = settings.unmasked_weight + (1 - settings.unmasked_weight) * mask_B1hw
    if settings.normalize:
        # A mask without any white, and no weight for black: nothing counts.
        weights = weights / weights.mean(dim=(1, 2, 3), keepdim=True).clamp_min(1e-6)
    return weights


def sample_timesteps(
    times: Times, seeds: Sequence[int], *, first: int = 0, of: int = 0, step: int = 0, growth: float = 1.0
) -> Tensor:
    """A share of the noise for each seed, float64 (B,).

    Where times are stratified, the items are those from `first` on of `of` in a step that `step` is a seed of: each
    gets a part of the distribution to itself. `growth`: see `Times.share`.
    """
    even = [uniform_of(seed) for seed in seeds]
    if times.stratified and of > 1:
        parts = sorted(range(of), key=lambda i: seed_of(step, "part", i))
        even = [(parts[first + i] + u) / of for i, u in enumerate(even)]
    return torch.tensor([times.share(u, growth=growth) for u in even], dtype=torch.float64)


def sample_noise(settings: Noise, seeds: Sequence[int], clean: Tensor) -> Tensor:
    """Noise for clean latents (B, C, h, w), which decide its shape and, where it is adaptive, its offset."""
    drawn: list[Tensor] = []
    brightness_BC11 = clean.mean(dim=(2, 3), keepdim=True).abs().cpu().float() if settings.adaptive else None
    for i, seed in enumerate(seeds):
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(clean.shape[1:], generator=generator)
        if settings.offset or brightness_BC11 is not None:
            # "Diffusion with offset noise", N. Guttenberg, crosslabs.org, 2023
            shift = torch.randn(clean.shape[1], 1, 1, generator=generator)
            strength = settings.offset * _strength(seed, "offset", varies=settings.offset_random)
            adaptive = settings.adaptive * brightness_BC11[i] if brightness_BC11 is not None else 0.0
            noise += (strength + adaptive) * shift
        if settings.pyramid_levels:
            noise = _pyramid(noise, settings, generator)
        drawn.append(noise)
    return torch.stack(drawn)


def perturbed_noise(settings: Noise, seeds: Sequence[int], noise: Tensor) -> Tensor:
    """The noise that is mixed in, where the target stays `noise`: input perturbation, arXiv:2301.11706, eq. 7."""
    if not settings.perturbation:
        return noise
    more: list[Tensor] = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed_of(seed, "perturbation"))
        strength = settings.perturbation * _strength(seed, "perturbed", varies=settings.perturbation_random)
        more.append(strength * torch.randn(noise.shape[1:], generator=generator))
    return noise + torch.stack(more)


def _pyramid(noise: Tensor, settings: Noise, generator: torch.Generator) -> Tensor:
    """Coarser noise under the fine one, (C, h, w): "Multi-resolution noise", J. Whitaker, wandb.ai, 2023."""
    channels, height, width = noise.shape
    total, size = noise, [float(height), float(width)]
    for level in range(1, settings.pyramid_levels + 1):
        shrink = 2 + 2 * float(torch.rand((), generator=generator))
        size = [max(1.0, side / shrink) for side in size]
        shape = (1, channels, int(size[0]), int(size[1]))
        coarse = torch.randn(shape, generator=generator)
        wide = F.interpolate(coarse, (height, width), mode="bilinear")[0]
        total = total + settings.pyramid_discount**level * wide
        if prod(shape[2:]) == 1:
            break
    return total / total.std()


def _strength(seed: int, what: str, *, varies: bool) -> float:
    return uniform_of(seed, what) if varies else 1.0
