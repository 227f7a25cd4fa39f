"""From a VAE's answer to the latents that the denoiser is taught on, and back. A family names its row.

Shapes: B batch, C latent channels, h w latent size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Latents(Protocol):
    """A row."""

    def normalized(self, latents_BChw: Tensor) -> Tensor: ...
    def restored(self, latents_BChw: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class ScaledLatents:
    """One number for all channels: Stable Diffusion's, and with a shift those of SD 3 and Flux."""

    scale: float
    shift: float = 0.0

    @classmethod
    def of(cls, config: Mapping[str, Any], scale: float) -> ScaledLatents:
        """As the VAE's config says; `scale` where it is silent."""
        return cls(float(config.get("scaling_factor", scale)), float(config.get("shift_factor") or 0.0))

    def normalized(self, latents_BChw: Tensor) -> Tensor:
        return (latents_BChw - self.shift) * self.scale if self.shift else latents_BChw * self.scale

    def restored(self, latents_BChw: Tensor) -> Tensor:
        plain = latents_BChw / self.scale
        return plain + self.shift if self.shift else plain


@dataclass(frozen=True)
class PatchedLatents:
    """2x2 of the VAE's latents as one, with a mean and a width for each of its channels: FLUX.2's."""

    mean_C11: Tensor
    width_C11: Tensor

    @classmethod
    def of(cls, norm: nn.BatchNorm2d) -> PatchedLatents:
        """By what the VAE's last layer counted in its training."""
        assert norm.running_mean is not None and norm.running_var is not None
        mean_C, variance_C = norm.running_mean.float(), norm.running_var.float()
        return cls(mean_C[:, None, None], torch.sqrt(variance_C + norm.eps)[:, None, None])

    def normalized(self, latents_BChw: Tensor) -> Tensor:
        return (nn.functional.pixel_unshuffle(latents_BChw, 2) - self.mean_C11) / self.width_C11

    def restored(self, latents_BChw: Tensor) -> Tensor:
        return nn.functional.pixel_shuffle(latents_BChw * self.width_C11 + self.mean_C11, 2)
