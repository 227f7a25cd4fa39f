"""Stable Diffusion XL (arXiv:2307.01952), its children (Pony, Illustrious, NoobAI), and its inpainting models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from modules.catalog.sdxl import CARD
from modules.families.condition import Condition
from modules.families.parts.objective import PREDICTIONS
from modules.families.parts.unet.clip_unet import ClipUnetFamily
from modules.formats.checkpoint import unet_path

FIRST, SECOND = "text_encoder_1", "text_encoder_2"


class Sdxl(ClipUnetFamily):
    """Two CLIPs side by side, a pooled vector, and the sizes of the image."""

    name: ClassVar = "sdxl"
    card: ClassVar = CARD
    default_scaling = 0.13025
    default_size = 128

    def text_forward(self, ids_BT: Mapping[str, Tensor]) -> Condition:
        """Both encoders' layer before the last, which clip skip calls 2 here too, or an earlier one; no final norm."""
        encoded = [
            cast("Any", self.component(name))(ids_BT[name], output_hidden_states=True) for name in self.text_encoders
        ]
        layers = [h.hidden_states[-min(max(2, self.options.clip_skip), len(h.hidden_states))] for h in encoded]
        return Condition(torch.cat(layers, dim=-1), pooled_BD=encoded[1].text_embeds)

    def added_conditions(self, condition: Condition, dtype: torch.dtype) -> dict[str, Tensor]:
        pooled, sizes = condition.pooled_BD, condition.sizes_B6
        assert pooled is not None and sizes is not None, "SDXL hears a pooled vector and sizes with every image"
        return {"text_embeds": pooled.to(dtype), "time_ids": sizes.float()}  # 1217 is no number of bf16

    def kind(self) -> str:
        return "sdxl"

    def pipelines(self) -> tuple[str, str]:
        return "StableDiffusionXLPipeline", "StableDiffusionXLInpaintPipeline"

    def index(self) -> dict[str, Any]:
        return {**super().index(), "force_zeros_for_empty_prompt": True}

    def lora_name(self, component: str, path: str) -> str:
        if component == "denoiser":
            return f"lora_unet_{unet_path(path, self.source.configs[component])}".replace(".", "_")
        if component == FIRST:
            return f"lora_te1_text_model_{path}".replace(".", "_")
        return f"lora_te2_{path}".replace(".", "_")

    def modelspec(self) -> dict[str, str]:
        return {
            "modelspec.sai_model_spec": "1.0.0",
            "modelspec.architecture": f"stable-diffusion-xl-v1-base{'-inpainting' if self.inpaints else ''}",
            "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
            "modelspec.prediction_type": PREDICTIONS[self.noise_schedule.prediction],
            "modelspec.resolution": f"{self.resolution}x{self.resolution}",
            "ss_base_model_version": "sdxl_base_v1-0",
            "ss_v2": "False",
        }


FAMILY = Sdxl
