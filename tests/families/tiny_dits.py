"""The denoisers of diffusers with one or two blocks and a few thousand weights, and what diffusers reads of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from typing import Any

from diffusers import loaders
from diffusers.loaders import single_file_utils
from torch import Tensor, nn

from modules.catalog import ComponentSpec
from modules.catalog.card import LoraFormat
from modules.formats.layout import Layout
from modules.formats.layouts import zimage
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
    renamed: int  # how many of its tensors have another name or another look in a single file
    more: tuple[str, ...] = ()  # what such files have beside the weights
    adapted: str = ""  # the layers that adapters are put on, where they are not those of a DiT's blocks

    @cached_property
    def module(self) -> nn.Module:
        path, _, name = self.model.partition(":")
        return getattr(import_module(f"diffusers.models.transformers.{path}"), name)(**self.config)

    @property
    def convert(self) -> Callable[[StateDict], StateDict]:
        return getattr(single_file_utils, self.converter)

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

        family = object.__new__(Family)
        family._empty, family._lora_targets = {"denoiser": self.module}, {}  # pyright: ignore[reportPrivateUsage]
        return family


DITS = {
    "z-image": TinyDit(
        zimage.TRANSFORMER, "transformer_z_image:ZImageTransformer2DModel",
        {
            "dim": 16, "n_layers": 1, "n_refiner_layers": 1, "n_heads": 2, "n_kv_heads": 2, "cap_feat_dim": 8,
            "axes_dims": [4, 2, 2], "axes_lens": [8, 8, 8],
        },
        "convert_z_image_transformer_checkpoint_to_diffusers", "ZImageLoraLoaderMixin", ("diffusers", "kohya"),
        24, ("norm_final.weight",), adapted=r"(layers|\w+_refiner)\.\d+\..*",
    ),
}  # fmt: skip
