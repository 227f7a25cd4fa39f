"""What a preset asks of the denoiser: which noise, how much of it, and what an error costs.

Everything is drawn for each item from its own seed, in fp32 or finer, on the CPU: the same in any batch and anywhere.

Shapes: B batch, C latent channels, h w latent size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from modules.diffusion.losses import huber, min_snr_weights, squared
from modules.diffusion.noising import Noising
from modules.diffusion.times import logit_normal_share, uniform_share
from modules.preset.objective import Objective


def item_losses(settings: Objective, noising: Noising, said: Tensor, target: Tensor, time_B: Tensor) -> Tensor:
    """The weighted loss of each item, (B,), from (B, C, h, w)."""
    loss_B = huber(said, target, settings.huber_delta) if settings.loss == "huber" else squared(said, target)
    if settings.weighting == "min_snr":
        return loss_B * min_snr_weights(noising, time_B, settings.min_snr_gamma)
    return loss_B


def time_shares(settings: Objective, seeds: Sequence[int]) -> Tensor:
    """A share of the noise for each seed, (B,)."""
    chances = [torch.Generator().manual_seed(seed) for seed in seeds]
    if settings.times == "logit_normal":
        return torch.stack([logit_normal_share(c, settings.logit_mean, settings.logit_std) for c in chances])
    return torch.stack([uniform_share(chance) for chance in chances])


def noise_for(settings: Objective, seeds: Sequence[int], shape: torch.Size) -> Tensor:
    """Noise for items of shape (C, h, w): (B, C, h, w)."""
    drawn: list[Tensor] = []
    for seed in seeds:
        chance = torch.Generator().manual_seed(seed)
        noise = torch.randn(shape, generator=chance)
        if settings.noise_offset:  # "Diffusion with offset noise", N. Guttenberg, crosslabs.org, 2023
            noise += settings.noise_offset * torch.randn(shape[0], 1, 1, generator=chance)
        drawn.append(noise)
    return torch.stack(drawn)
