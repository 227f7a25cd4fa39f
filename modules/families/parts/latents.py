"""From a VAE's answer to the latents that the denoiser is taught on, and back. A family names its row.

Shapes: B batch, C latent channels, h w latent size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from modules.errors import UserError
from modules.families.parts.vae_tiling import TILE, VaeTiling, set_tiling
from modules.system.devices import empty_card_cache, is_out_of_memory


class Latents(Protocol):
    """A row."""

    def normalized(self, latents_BChw: Tensor) -> Tensor:
        """What the VAE's encoder says, as the denoiser knows it."""
        ...

    def restored(self, latents_BChw: Tensor) -> Tensor:
        """The other way round, for the VAE's decoder."""
        ...


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


@dataclass(frozen=True)
class VideoLatents:
    """A mean and a spread for each channel, of a VAE for films that sees one frame. Wan 2.1, Qwen-Image, Krea 2, Anima.

    It is given and gives images with the frame behind the channels: (B, 3, 1, H, W).
    """

    means: tuple[float, ...]
    spreads: tuple[float, ...]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> VideoLatents:
        """As the VAE's config says."""
        return cls(tuple(config["latents_mean"]), tuple(config["latents_std"]))

    def normalized(self, latents_BChw: Tensor) -> Tensor:
        mean, spread = self._like(latents_BChw)
        return (latents_BChw.squeeze(2) - mean) / spread

    def restored(self, latents_BChw: Tensor) -> Tensor:
        mean, spread = self._like(latents_BChw)
        return (latents_BChw * spread + mean).unsqueeze(2)

    def _like(self, tensor: Tensor) -> tuple[Tensor, Tensor]:
        """Both as (C, 1, 1)."""
        both = torch.tensor((self.means, self.spreads), device=tensor.device, dtype=tensor.dtype)
        mean, spread = both[:, :, None, None].unbind()
        return mean, spread


def latents_of(config: Mapping[str, Any], scale: float) -> Latents:
    """As the VAE's config says; `scale` where it says nothing."""
    return VideoLatents.of(config) if config.get("latents_mean") else ScaledLatents.of(config, scale)


def encoded(module: nn.Module, latents: Latents, pixels_B3HW: Tensor, tiling: VaeTiling) -> Tensor:
    """Images as latents.

    Raises:
        UserError: memory has no room for them whole. Others than those of tiles are not put in their place unasked.
    """
    height, width = pixels_B3HW.shape[2:]
    tiled = tiling.encodes(height, width)
    set_tiling(module, tiled)
    vae, like = cast("Any", module), next(module.parameters())
    pixels = pixels_B3HW.to(like.device, like.dtype, memory_format=torch.channels_last)
    given = pixels.unsqueeze(2) if isinstance(latents, VideoLatents) else pixels
    try:
        found = vae.encode(given).latent_dist.mean
    except (RuntimeError, MemoryError) as error:
        if tiled or max(height, width) <= TILE or not is_out_of_memory(error):
            raise
        raise UserError("memory.encoding", "model.vae_tiling", size=f"{width}x{height}") from error
    return latents.normalized(found.float().contiguous())


def decoded(module: nn.Module, latents: Latents, latents_BChw: Tensor, tiling: VaeTiling) -> Tensor:
    """Latents as images, (B, 3, H, W); in tiles where memory has no room for them whole."""
    vae, like = cast("Any", module), next(module.parameters())
    given = latents.restored(latents_BChw.float()).to(like.device, like.dtype)
    set_tiling(module, tiling.decodes(given.shape))
    try:
        drawn = vae.decode(given, return_dict=False)[0]
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error) or not tiling.ran_out(given.shape):
            raise
        drawn = None
    if drawn is None:  # only here, where the error is gone, and with it the tensors that its traceback held
        empty_card_cache(like.device)
        set_tiling(module, True)
        drawn = vae.decode(given, return_dict=False)[0]
    drawn = drawn.float()
    return drawn.squeeze(2) if isinstance(latents, VideoLatents) else drawn
