"""From a VAE's answer to the latents that the denoiser is taught on, and back. A family names its row.

Shapes: B batch, C latent channels, h w latent size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor


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
