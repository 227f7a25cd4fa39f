"""The denoisers of diffusers with one or two blocks and a few thousand weights, and what diffusers reads of each."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from typing import Any

import torch
from diffusers import loaders
from diffusers.loaders import single_file_utils
from torch import Tensor, nn

from modules.catalog import ComponentSpec
from modules.catalog.card import LoraFormat
from modules.formats.layout import Layout
from modules.formats.layouts import anima, chroma, flux1, flux2, krea2, qwen_image, sd3, zimage
from tests.families.pretend.card import CARD
from tests.families.pretend.family import Pretend

StateDict = dict[str, Tensor]


@dataclass(frozen=True)
class TinyDit:
    """A denoiser, its table of names, and diffusers' own converter and loader."""

    layout: Layout
    model: str  # "module:class" under diffusers.models.transformers
    config: Mapping[str, Any]
    converter: str
    loader: str
    reads: tuple[LoraFormat, ...]  # the formats of a LoRA that diffusers' loader reads
    more: tuple[str, ...] = ()  # what such files have beside the weights
    adapted: str = r"\w*blocks\.\d+\.(attn|ff).*"  # the layers that adapters are put on
    others: tuple[Layout, ...] = ()  # what else adapters' files call its layers

    @cached_property
    def module(self) -> nn.Module:
        """Without weights."""
        path, _, name = self.model.partition(":")
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Chroma's class imports what diffusers will move
            return getattr(import_module(f"diffusers.models.transformers.{path}"), name)(**self.config)

    def tensors(self) -> StateDict:
        """Weights with as many rows as the module's, and few columns: no table looks at those."""
        shapes = {name: tuple(t.shape) for name, t in self.module.state_dict().items()}
        return {
            name: torch.randn(shape if len(shape) < 2 or name.endswith("table") else (shape[0], 2, *shape[2:]))
            for name, shape in shapes.items()
        }

    @property
    def convert(self) -> Callable[[StateDict], StateDict]:
        return getattr(single_file_utils, self.converter) if self.converter else dict

    def read_lora(self, tensors: StateDict) -> StateDict:
        return getattr(loaders.lora_pipeline, self.loader).lora_state_dict(dict(tensors))

    @property
    def family(self) -> Pretend:
        """A family without files: it can be asked for names."""
        spec = ComponentSpec(
            "denoiser", "dit", "transformer", f"diffusers.models.transformers.{self.model}", adapted=self.adapted
        )

        class Family(Pretend):
            card = replace(CARD, components=(spec,))
            layout = self.layout
            adapter_layouts = self.others

        family = object.__new__(Family)
        family._empty, family._lora_targets = {"denoiser": self.module}, {}  # pyright: ignore[reportPrivateUsage]
        return family


# FLUX.1's converters know its width, so its models are as wide as real ones.
WIDE = {"num_layers": 1, "num_single_layers": 1, "attention_head_dim": 128, "num_attention_heads": 24}
SMALL = {"num_layers": 1, "attention_head_dim": 8, "num_attention_heads": 2}
EVERY: tuple[LoraFormat, ...] = ("diffusers", "native", "kohya")
DITS = {
    "z-image": TinyDit(
        zimage.TRANSFORMER, "transformer_z_image:ZImageTransformer2DModel",
        {
            "dim": 16, "n_layers": 1, "n_refiner_layers": 1, "n_heads": 2, "n_kv_heads": 2, "cap_feat_dim": 8,
            "axes_dims": [4, 2, 2], "axes_lens": [8, 8, 8],
        },
        "convert_z_image_transformer_checkpoint_to_diffusers", "ZImageLoraLoaderMixin", ("diffusers", "kohya"),
        ("norm_final.weight",), adapted=r"(layers|\w+_refiner)\.\d+\..*",
    ),
    "flux2": TinyDit(
        flux2.TRANSFORMER, "transformer_flux2:Flux2Transformer2DModel",
        {**SMALL, "num_single_layers": 1, "joint_attention_dim": 8, "axes_dims_rope": (2, 2, 2, 2)},
        "convert_flux2_transformer_checkpoint_to_diffusers", "Flux2LoraLoaderMixin", EVERY,
    ),
    "krea2": TinyDit(
        krea2.TRANSFORMER, "transformer_krea2:Krea2Transformer2DModel",
        {
            **SMALL, "num_key_value_heads": 1, "intermediate_size": 24, "text_hidden_dim": 16,
            "axes_dims_rope": (4, 2, 2),
            "text_num_attention_heads": 2, "text_num_key_value_heads": 2, "text_intermediate_size": 24,
        },
        "convert_krea2_transformer_checkpoint_to_diffusers", "Krea2LoraLoaderMixin", ("diffusers", "native"),
        adapted=r"(\w*blocks|text_fusion\.\w*blocks)\.\d+\..*",
    ),
    "anima": TinyDit(
        anima.TRANSFORMER, "transformer_cosmos:CosmosTransformer3DModel",
        {**SMALL, "attention_head_dim": 16, "text_embed_dim": 8, "adaln_lora_dim": 8,
         "extra_pos_embed_type": None, "max_size": (4, 8, 8)},
        "convert_cosmos_transformer_checkpoint_to_diffusers", "AnimaLoraLoaderMixin", ("diffusers", "native"),
        ("accum_iteration", "pos_embedder.seq", "blocks.0.self_attn._extra_state"),
    ),
    "flux1": TinyDit(
        flux1.TRANSFORMER, "transformer_flux:FluxTransformer2DModel",
        {**WIDE, "guidance_embeds": True}, "convert_flux_transformer_checkpoint_to_diffusers", "FluxLoraLoaderMixin",
        ("diffusers", "kohya"), adapted=r"\w*blocks\.\d+\.(attn|ff|proj).*", others=(flux1.XLABS,),
    ),
    "chroma": TinyDit(
        chroma.TRANSFORMER, "transformer_chroma:ChromaTransformer2DModel",
        WIDE, "convert_chroma_transformer_checkpoint_to_diffusers", "FluxLoraLoaderMixin", ("diffusers",),
    ),
    "qwen-image": TinyDit(
        qwen_image.TRANSFORMER, "transformer_qwenimage:QwenImageTransformer2DModel",
        {**SMALL, "joint_attention_dim": 8, "axes_dims_rope": (4, 2, 2)}, "", "QwenImageLoraLoaderMixin", EVERY,
        adapted=r"transformer_blocks\..*",
    ),
    "sd3": TinyDit(
        sd3.TRANSFORMER, "transformer_sd3:SD3Transformer2DModel",
        {
            **SMALL, "num_layers": 2, "dual_attention_layers": (0,), "qk_norm": "rms_norm", "sample_size": 8,
            "joint_attention_dim": 8, "caption_projection_dim": 16, "pooled_projection_dim": 8, "pos_embed_max_size": 4,
        },
        "convert_sd3_transformer_checkpoint_to_diffusers", "SD3LoraLoaderMixin", ("diffusers",),
    ),
}  # fmt: skip
