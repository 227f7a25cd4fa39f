"""When a VAE works in tiles, as diffusers' VAEs can: in less memory, and with an answer that is slightly another.

A tile has statistics of its own in every group norm, and its middle attends to nothing outside of it. So a tiled answer
is no other's last bits: see the help of `model.vae_tiling` for what was measured. What fits is therefore never tiled
unless it is asked for, and latents that were encoded in tiles have keys of their own in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import nn

from modules.families.family import LoadOptions, unheard
from modules.sentences.problem import Problem
from modules.system.devices import card_budget, is_card, usable_memory

TILE, STRIDE = 512, 384  # pixels of a side, and from one tile to the next: what overlaps is blended
WHOLE_SHARE = 0.75  # of a card that a whole image's encoding may take: its VAE is alone there while a cache is filled
# Numbers that are alive at once for each pixel, in widths of the first level; counted, encoding and decoding alike at
# 512 and 1024 pixels (modules/check/memory). Kernels take room beside them.
IMAGE_WORK, VIDEO_WORK = (5, 6), (10, 18)


@dataclass
class Shortage:
    """Whether memory ran out for an image that was decoded whole. From then on none is, until the program ends."""

    met: bool = False


@dataclass(frozen=True)
class VaeTiling:
    """Which images one VAE encodes and decodes in tiles."""

    mode: str  # "auto", "off", "on"
    device: torch.device
    downscale: int  # pixels of a side for each of the VAE's latents
    encoding: int  # bytes for each pixel that a whole image's work takes
    decoding: int
    shortage: Shortage = field(default_factory=Shortage)
    report: Callable[[Problem], None] = unheard

    @classmethod
    def of(cls, config: Mapping[str, Any], options: LoadOptions, shortage: Shortage | None = None) -> VaeTiling:
        """By the VAE's config, and as the options want it."""
        video = "base_dim" in config or "dim_mult" in config
        widths = [int(config.get("base_dim", 96))] if video else [*config.get("block_out_channels", (64,))]
        levels = len(config.get("dim_mult", range(4))) if video else len(widths)
        wide = widths[0] * options.vae_dtype.itemsize
        encoding, decoding = (wide * numbers for numbers in (VIDEO_WORK if video else IMAGE_WORK))
        downscale = 2 ** (levels - 1)
        return cls(
            options.vae_tiling, options.device, downscale, encoding, decoding, shortage or Shortage(), options.report
        )  # fmt: skip

    def encodes(self, height: int, width: int) -> bool:
        """Whether an image of this size is encoded in tiles.

        "auto" goes by what a run may take of the card, and not by what is free now: latents are the same in every run.
        """
        too_large = self._asks and self.encoding * height * width > WHOLE_SHARE * card_budget(self.device)
        return self._in_tiles(height, width, too_large)

    def decodes(self, shape: Sequence[int]) -> bool:
        """Whether the VAE's own latents of this shape are decoded in tiles; "auto" goes by what is free now."""
        height, width = (side * self.downscale for side in shape[-2:])
        needed = self.decoding * shape[0] * height * width
        too_large = self.mode == "auto" and self.shortage.met
        return self._in_tiles(height, width, too_large or (self._asks and needed > usable_memory(self.device)))

    def ran_out(self, shape: Sequence[int]) -> bool:
        """Take in that memory ran out for latents of this shape; whether they may be tried again, in tiles."""
        if self.mode != "auto" or self.shortage.met or max(shape[-2:]) * self.downscale <= TILE or self.decodes(shape):
            return False
        self.shortage.met = True
        self.report(Problem("vae.tiles"))
        return True

    @property
    def _asks(self) -> bool:
        return self.mode == "auto" and is_card(self.device)

    def _in_tiles(self, height: int, width: int, too_large: bool) -> bool:
        return (self.mode == "on" or too_large) and max(height, width) > TILE


def set_tiling(module: nn.Module, tiled: bool) -> None:
    """Have a VAE of diffusers work in tiles and on one image at a time, or on all of a batch as it is."""
    vae = cast("Any", module)
    vae.use_tiling = vae.use_slicing = tiled
    if hasattr(vae, "tile_latent_min_size"):
        vae.tile_sample_min_size, vae.tile_overlap_factor = TILE, 1 - STRIDE / TILE
        vae.tile_latent_min_size = TILE // 2 ** (len(vae.config.block_out_channels) - 1)
    else:
        vae.tile_sample_min_height = vae.tile_sample_min_width = TILE
        vae.tile_sample_stride_height = vae.tile_sample_stride_width = STRIDE
