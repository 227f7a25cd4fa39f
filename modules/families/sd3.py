"""Stable Diffusion 3 and 3.5 (arXiv:2403.03206): image and text in two streams, read by two CLIPs and T5.

Shapes: B batch, C latent channels, h w latent size, T tokens, D width of the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from modules.catalog.sd3 import CARD
from modules.families.condition import Condition
from modules.families.parts.dit.dit_family import DitFamily, Width
from modules.families.parts.dit.prompt_encoder import PromptFormat
from modules.formats.layouts.sd3 import TRANSFORMER
from modules.system.weights import Weights

CLIPS, T5 = ("text_encoder_1", "text_encoder_2"), "text_encoder_3"
PROJECTION = "text_projection.weight"


class Unprojected(Weights):
    """A CLIP without a projection, as CLIP-L is in files for this model: it is as if it changed nothing."""

    def __init__(self, clip: Weights) -> None:
        self._clip, self.metadata = clip, clip.metadata
        width = next(shape[0] for name, shape in clip.shapes.items() if name.endswith("final_layer_norm.weight"))
        self.shapes = {**clip.shapes, PROJECTION: (width, width)}

    def read(self, name: str, scratch: Tensor | None = None) -> Tensor:
        return torch.eye(self.shapes[name][0]) if name == PROJECTION else self._clip.read(name, scratch)

    def dtype(self, name: str) -> torch.dtype:
        return torch.float32 if name == PROJECTION else self._clip.dtype(name)

    def packed(self, name: str) -> Tensor | None:
        return None if name == PROJECTION else self._clip.packed(name)

    @property
    def files(self) -> tuple[Path, ...]:
        return self._clip.files


class Sd3(DitFamily):
    """What is said of padding is read like the words, so that all captions are equally long."""

    name: ClassVar = "sd3"
    card: ClassVar = CARD
    formats: ClassVar = {**dict.fromkeys(CLIPS, PromptFormat(77, closed=True)), T5: PromptFormat(256, closed=True)}
    layout: ClassVar = TRANSFORMER
    widths: ClassVar = {T5: Width("joint_attention_dim", "d_model")}

    def weights(self, name: str) -> Weights:
        found = super().weights(name)
        return Unprojected(found) if name in CLIPS and PROJECTION not in found.shapes else found

    @torch.no_grad()
    def encode_text(self, captions: Sequence[str], *, weighted: bool | None = None) -> Condition:
        """Both CLIPs' last layer but one side by side, as wide as T5's states, and those behind them."""
        del weighted
        said = [
            cast("Any", self.component(name))(self.full_length_ids(name, captions), output_hidden_states=True)
            for name in CLIPS
        ]
        clips_BTD = torch.cat([each.hidden_states[-2] for each in said], dim=-1)
        t5_BTD = self._t5_states(captions, clips_BTD)
        clips_BTD = torch.nn.functional.pad(clips_BTD, (0, t5_BTD.shape[-1] - clips_BTD.shape[-1]))
        pooled_BD = torch.cat([each.text_embeds for each in said], dim=-1)
        return Condition(torch.cat([clips_BTD, t5_BTD], dim=1), pooled_BD=pooled_BD)

    def _t5_states(self, captions: Sequence[str], clips_BTD: Tensor) -> Tensor:
        """Zeros where the model does without T5, as the pipeline of diffusers has them."""
        if T5 in self.text_encoders:
            return cast("Any", self.component(T5))(self.full_length_ids(T5, captions))[0]
        width = int(self.source.configs["denoiser"]["joint_attention_dim"])
        return clips_BTD.new_zeros(len(captions), self.formats[T5].longest, width)

    def index(self) -> dict[str, Any]:
        return {"text_encoder_3": [None, None], "tokenizer_3": [None, None], **super().index()}

    def predict(self, noisy_BChw: Tensor, time_B: Tensor, condition: Condition) -> Tensor:
        denoiser = cast("Any", self.component("denoiser"))
        dtype, pooled_BD = next(denoiser.parameters()).dtype, condition.pooled_BD
        assert pooled_BD is not None, "Stable Diffusion 3 hears a pooled vector with every caption"
        return denoiser(
            noisy_BChw.to(dtype),
            encoder_hidden_states=condition.tokens_BTD.to(dtype),
            pooled_projections=pooled_BD.to(dtype),
            timestep=time_B.float(),
            return_dict=False,
        )[0]

    def architecture(self) -> str:
        dual = self.source.configs["denoiser"].get("dual_attention_layers")
        if self.source.configs["denoiser"].get("qk_norm") is None:
            return "stable-diffusion-3-medium"
        return f"stable-diffusion-3.5-{'medium' if dual else 'large'}"

    def other_metadata(self) -> dict[str, str]:
        return {"ss_base_model_version": "sd3"}


FAMILY = Sd3
