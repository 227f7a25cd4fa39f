"""Latents in patches of 2x2, each a token, as FLUX.1, Qwen-Image and Krea 2 take them.

Shapes: B batch, C latent channels, h w latent size, L tokens of the image, D = 4 C.
"""

from __future__ import annotations

import torch
from torch import Tensor


def packed(latents_BChw: Tensor) -> Tensor:
    """(B, L, D), row by row; within a token channel by channel."""
    count, channels, height, width = latents_BChw.shape
    patches = latents_BChw.reshape(count, channels, height // 2, 2, width // 2, 2)
    return patches.permute(0, 2, 4, 1, 3, 5).reshape(count, height * width // 4, channels * 4)


def unpacked(tokens_BLD: Tensor, height: int, width: int) -> Tensor:
    """The other way round. `height`, `width`: of the latents."""
    count, _, depth = tokens_BLD.shape
    patches = tokens_BLD.reshape(count, height // 2, width // 2, depth // 4, 2, 2)
    return patches.permute(0, 3, 1, 4, 2, 5).reshape(count, depth // 4, height, width)


def image_ids(height: int, width: int, device: torch.device) -> Tensor:
    """Where each token stands, (L, 3): 0, its row, its column. In fp32, because bf16 counts no further than 256."""
    rows, columns = (torch.arange(side // 2, device=device, dtype=torch.float32) for side in (height, width))
    across, down = columns.repeat(len(rows)), rows.repeat_interleave(len(columns))
    return torch.stack([torch.zeros_like(down), down, across], dim=-1)
