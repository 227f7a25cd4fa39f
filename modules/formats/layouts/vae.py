"""The names of VAEs in files of their own: LDM's, of Stable Diffusion and FLUX, and Wan's, of Qwen-Image and others."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from modules.formats.layout import Layout, Row, within

# Linear layers here, 1x1 convolutions there; their biases are alike.
ATTENTION: tuple[Row, ...] = (
    ("group_norm", "norm"),
    ("to_q.weight", "q.weight", "conv"), ("to_k.weight", "k.weight", "conv"), ("to_v.weight", "v.weight", "conv"),
    ("to_out.0.weight", "proj_out.weight", "conv"),
    ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out"),
)  # fmt: skip
CODER: tuple[Row, ...] = (
    ("conv_norm_out", "norm_out"),
    *within("mid_block.attentions.0", "mid.attn_1", *ATTENTION),
    ("mid_block.resnets.0", "mid.block_1"),
    ("mid_block.resnets.1", "mid.block_2"),
)
LEVEL: tuple[Row, ...] = (
    ("resnets.{j}.conv_shortcut", "block.{j}.nin_shortcut"),
    ("resnets.{j}", "block.{j}"),
    ("downsamplers.0", "downsample"),
    ("upsamplers.0", "upsample"),
)


@cache
def kl_vae(levels: int, *, flux2: bool = False) -> Layout:
    """Of so many sizes, which LDM counts from the finest in the decoder, too."""
    ups = [within(f"decoder.up_blocks.{i}", f"decoder.up.{levels - 1 - i}", *LEVEL) for i in range(levels)]
    inside: tuple[Row, ...] = (("quant_conv", "encoder.quant_conv"), ("post_quant_conv", "decoder.post_quant_conv"))
    return Layout(
        *(inside if flux2 else ()),
        *within("encoder", "encoder", *within("down_blocks.{i}", "down.{i}", *LEVEL), *CODER),
        *[row for rows in ups for row in rows],
        *within("decoder", "decoder", *CODER),
    )


RESIDUAL: tuple[Row, ...] = (
    ("norm1", "residual.0"), ("conv1", "residual.2"), ("norm2", "residual.3"), ("conv2", "residual.6"),
    ("conv_shortcut", "shortcut"),
)  # fmt: skip
# Wan counts the layers of a decoder through: three blocks and what makes the image larger.
UP = [(block, place, 4 * block + place) for block in range(4) for place in range(3)]
WAN = Layout(
    ("quant_conv", "conv1"),
    ("post_quant_conv", "conv2"),
    *[
        row
        for coder in ("encoder", "decoder")
        for row in within(
            coder, coder,
            ("conv_in", "conv1"), ("norm_out", "head.0"), ("conv_out", "head.2"),
            *within("mid_block.resnets.0", "middle.0", *RESIDUAL),
            ("mid_block.attentions.0", "middle.1"),
            *within("mid_block.resnets.1", "middle.2", *RESIDUAL),
        )
    ],
    *within("encoder.down_blocks.{i}", "encoder.downsamples.{i}", *RESIDUAL),
    ("encoder.down_blocks", "encoder.downsamples"),
    *[
        row
        for block, place, count in UP
        for row in within(f"decoder.up_blocks.{block}.resnets.{place}", f"decoder.upsamples.{count}", *RESIDUAL)
    ],
    *[(f"decoder.up_blocks.{block}.upsamplers.0", f"decoder.upsamples.{4 * block + 3}") for block in range(3)],
)  # fmt: skip


def vae_layout(class_path: str, config: Mapping[str, Any]) -> Layout:
    """Of a VAE of this class; diffusers' own names where there are no others."""
    name = class_path.partition(":")[2]
    if name in ("AutoencoderKL", "AutoencoderKLFlux2"):
        return kl_vae(len(config["block_out_channels"]), flux2=name == "AutoencoderKLFlux2")
    return WAN if name == "AutoencoderKLQwenImage" else Layout()
