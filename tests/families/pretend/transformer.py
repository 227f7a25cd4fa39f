"""The denoiser of the pretend family: a small diffusion transformer with what makes real ones hard to load.

Shapes: B batch, N packed latents, T tokens, C channels, D width.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn


class Block(nn.Module):
    """Attention over latents and text together, and an MLP; norms compute in fp32."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.to_q, self.to_k, self.to_v, self.to_out = (nn.Linear(width, width) for _ in range(4))
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x_BND: Tensor, mask_BN: Tensor) -> Tensor:
        normed = self.norm(x_BND.float()).to(x_BND.dtype)
        q, k, v = (
            layer(normed).unflatten(2, (self.heads, -1)).transpose(1, 2) for layer in (self.to_q, self.to_k, self.to_v)
        )
        seen = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask_BN[:, None, None])
        x_BND = x_BND + self.to_out(seen.transpose(1, 2).flatten(2))
        return x_BND + self.mlp(x_BND)


class PretendTransformer(ModelMixin, ConfigMixin):
    """Latents, three kinds of text and a time, to a velocity for each packed latent."""

    _supports_gradient_checkpointing = True
    _keep_in_fp32_modules: ClassVar = ["norm"]

    @register_to_config
    def __init__(
        self, in_channels: int = 16, width: int = 16, num_layers: int = 2, num_attention_heads: int = 2,
        joint_attention_dim: int = 16, llm_dim: int = 16, pooled_dim: int = 32,
    ) -> None:  # fmt: skip
        super().__init__()
        self.x_embedder = nn.Linear(in_channels, width)
        self.context_embedder = nn.Linear(joint_attention_dim, width)
        self.llm_embedder = nn.Linear(llm_dim, width)
        self.pooled_embedder = nn.Linear(pooled_dim, width)
        self.time_embedder = nn.Linear(width, width)
        self.guidance_embedder = nn.Linear(width, width)
        self.scale = nn.Parameter(torch.randn(1, 1, width) / width**0.5)
        self.transformer_blocks = nn.ModuleList([Block(width, num_attention_heads) for _ in range(num_layers)])
        self.proj_out = nn.Linear(width, in_channels)
        # Neither a parameter nor a buffer: nothing in a file, and nothing that `to` moves.
        self.frequencies = 10_000.0 ** -(torch.arange(0, width, 2).float() / width)
        self.gradient_checkpointing = False

    def waves(self, places: Tensor) -> Tensor:
        angles = places.float()[..., None] * self.frequencies.to(places.device)
        return torch.cat([angles.cos(), angles.sin()], dim=-1)

    def forward(
        self, x_BNC: Tensor, share_B: Tensor, text_BTD: Tensor, mask_BT: Tensor, llm_BTD: Tensor, pooled_BD: Tensor,
        places_N2: Tensor, guidance_B: Tensor,
    ) -> Tensor:  # fmt: skip
        dtype = self.x_embedder.weight.dtype
        where_ND = self.waves(places_N2).sum(dim=1).to(dtype)
        when_BD = self.time_embedder(self.waves(1000 * share_B).to(dtype)) + self.pooled_embedder(pooled_BD.to(dtype))
        when_BD = when_BD + self.guidance_embedder(self.waves(1000 * guidance_B).to(dtype))
        latents = self.x_embedder(x_BNC.to(dtype)) + where_ND
        text, llm = self.context_embedder(text_BTD.to(dtype)), self.llm_embedder(llm_BTD.to(dtype))
        x = torch.cat([latents, text, llm], dim=1) * (1 + self.scale.to(dtype)) + when_BD[:, None]
        all_BN = torch.ones(len(x), latents.shape[1], dtype=torch.bool, device=x.device)
        mask = torch.cat([all_BN, mask_BT, all_BN.new_ones(llm.shape[:2])], dim=1)
        for block in self.transformer_blocks:
            run: Any = self._gradient_checkpointing_func if self._checkpoints() else lambda block, *given: block(*given)
            x = run(block, x, mask)
        return self.proj_out(x[:, : latents.shape[1]])

    def _checkpoints(self) -> bool:
        return torch.is_grad_enabled() and self.gradient_checkpointing
