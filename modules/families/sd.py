"""Stable Diffusion 1 and 2 (arXiv:2112.10752), and their inpainting models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from torch import Tensor

from modules.catalog.sd import CARD
from modules.families.condition import Condition
from modules.families.parts.objective import PREDICTIONS
from modules.families.parts.unet.clip_unet import ClipUnetFamily


class Sd(ClipUnetFamily):
    """One CLIP: OpenAI's for 1.x, OpenCLIP without its last layer for 2.x."""

    name: ClassVar = "sd"
    card: ClassVar = CARD
    default_scaling = 0.18215

    @property
    def resolution(self) -> int:
        """SD 2's v models were made for 768 pixels; a single file does not say so."""
        if self.source.single_file and self.kind() == "sd2" and self.noise_schedule.prediction == "v_prediction":
            return 768
        return super().resolution

    def text_forward(self, ids_BT: Mapping[str, Tensor]) -> Condition:
        """The last layer; or, at clip skip n, the n-th from the end, through the final norm as A1111 does."""
        encoder = cast("Any", self.component("text_encoder_1"))
        if self.options.clip_skip <= 1:
            return Condition(encoder(ids_BT["text_encoder_1"]).last_hidden_state)
        encoded = encoder(ids_BT["text_encoder_1"], output_hidden_states=True)
        layer_BTD = encoded.hidden_states[-min(self.options.clip_skip, len(encoded.hidden_states))]
        return Condition(encoder.final_layer_norm(layer_BTD))

    def kind(self) -> str:
        """OpenCLIP, of SD 2, is told by its activation."""
        return "sd2" if self.source.configs["text_encoder_1"].get("hidden_act") == "gelu" else "sd15"

    def pipelines(self) -> tuple[str, str]:
        return "StableDiffusionPipeline", "StableDiffusionInpaintPipeline"

    def lora_name(self, component: str, path: str) -> str:
        if component == "denoiser":
            return f"lora_unet_{path}".replace(".", "_")
        return f"lora_te_text_model_{path}".replace(".", "_")

    def modelspec(self) -> dict[str, str]:
        is_2, is_v = self.kind() == "sd2", self.noise_schedule.prediction == "v_prediction"
        architecture = f"stable-diffusion-v2-{'768-v' if is_v else '512'}" if is_2 else "stable-diffusion-v1"
        return {
            "modelspec.sai_model_spec": "1.0.0",
            "modelspec.architecture": architecture + ("-inpainting" if self.inpaints else ""),
            "modelspec.implementation": "https://github.com/Stability-AI/stablediffusion",
            "modelspec.prediction_type": PREDICTIONS[self.noise_schedule.prediction],
            "modelspec.resolution": f"{self.resolution}x{self.resolution}",
            "ss_base_model_version": ("sd_v2_v" if is_v else "sd_v2") if is_2 else "sd_v1",
            "ss_v2": str(is_2),
        }


FAMILY = Sd
