"""FLUX.1: image and text in two streams, then in one, read by CLIP and T5; its guidance is an input of the model.

Fill is shown a mask and the masked image, too.

Shapes: B batch, C latent channels, h w latent size, T tokens, D width of the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

import torch
from torch import Tensor
from torch.nn.functional import pixel_unshuffle

from modules.catalog.flux1 import CARD
from modules.errors import UserError
from modules.families.condition import Condition
from modules.families.parts.dit.dit_family import DitFamily, Width
from modules.families.parts.dit.packing import image_ids, packed, unpacked
from modules.families.parts.dit.prompt_encoder import PromptFormat, PromptReader
from modules.families.parts.model_files import ModelFiles
from modules.formats.layouts.flux1 import TRANSFORMER, XLABS

CLIP, T5 = "text_encoder_1", "text_encoder_2"
LONGEST_WITHOUT_GUIDANCE = 256  # tokens of T5 that schnell was taught with


class Flux1(DitFamily):
    """CLIP says one vector; what T5 says of its padding is read like its words, so all captions are equally long."""

    name: ClassVar = "flux1"
    card: ClassVar = CARD
    formats: ClassVar = {CLIP: PromptFormat(77, closed=True), T5: PromptFormat(512, closed=True)}
    layout: ClassVar = TRANSFORMER
    adapter_layouts: ClassVar = (XLABS,)
    widths: ClassVar = {CLIP: Width("pooled_projection_dim"), T5: Width("joint_attention_dim", "d_model")}

    @classmethod
    def check(cls, files: ModelFiles) -> None:
        super().check(files)
        denoiser, vae = files.configs["denoiser"], files.configs.get("vae", {})
        taken, channels = int(denoiser["in_channels"]), int(vae.get("latent_channels", 16))
        if taken not in (4 * channels, 4 * (2 * channels + cls.downscale**2)):
            raise UserError("model.channels", file=files.path, channels=taken // 4)

    @property
    def has_guidance(self) -> bool:
        """Whether this one takes the guidance as an input, as all but schnell and what was made of it."""
        return bool(self.source.configs["denoiser"].get("guidance_embeds", False))

    def reader(self, encoder: str) -> PromptReader:
        form = self.formats[encoder]
        if encoder == T5 and not self.has_guidance:
            form = PromptFormat(LONGEST_WITHOUT_GUIDANCE, closed=True)
        return PromptReader(self.source.tokenizers[encoder], form)

    @torch.no_grad()
    def encode_text(self, captions: Sequence[str], *, weighted: bool | None = None) -> Condition:
        del weighted
        pooled_BD = cast("Any", self.component(CLIP))(self.full_length_ids(CLIP, captions)).pooler_output
        tokens_BTD = cast("Any", self.component(T5))(self.full_length_ids(T5, captions))[0]
        return Condition(tokens_BTD, pooled_BD=pooled_BD)

    @property
    def mask_channels(self) -> int:
        taken = int(self.source.configs["denoiser"]["in_channels"])
        return 0 if taken == 4 * self.channels else self.downscale**2

    def latent_mask(self, mask_B1HW: Tensor) -> Tensor:
        """All pixels of a latent, row by row."""
        return pixel_unshuffle(mask_B1HW, self.downscale)

    def predict(self, noisy_BChw: Tensor, time_B: Tensor, condition: Condition) -> Tensor:
        denoiser = cast("Any", self.component("denoiser"))
        dtype, device, (height, width) = next(denoiser.parameters()).dtype, noisy_BChw.device, noisy_BChw.shape[2:]
        pooled = condition.pooled_BD
        assert pooled is not None, "FLUX.1 hears a pooled vector with every caption"
        answer = denoiser(
            packed(self._inputs(noisy_BChw, condition).to(dtype)),
            encoder_hidden_states=condition.tokens_BTD.to(dtype),
            pooled_projections=pooled.to(dtype),
            timestep=time_B.float() / 1000,
            guidance=condition.extras["guidance"] if self.has_guidance else None,
            img_ids=image_ids(height, width, device),
            txt_ids=torch.zeros(condition.tokens_BTD.shape[1], 3, device=device),  # words stand nowhere
            return_dict=False,
        )[0]
        return unpacked(answer, height, width)

    def _inputs(self, noisy_BChw: Tensor, condition: Condition) -> Tensor:
        """What the image's tokens are made of: Fill is shown the mask last."""
        if not self.inpaints:
            return noisy_BChw
        mask, seen = self.mask_and_seen(condition)
        return torch.cat([noisy_BChw, seen, mask], dim=1)

    def pipeline_class(self) -> str:
        return "FluxFillPipeline" if self.inpaints else super().pipeline_class()

    def architecture(self) -> str:
        if self.inpaints:
            return "Flux.1-dev/inpaint"  # SwarmUI's word
        return "flux-1-dev" if self.has_guidance else "flux-1-schnell"

    def other_metadata(self) -> dict[str, str]:
        return {"ss_base_model_version": "flux1"}


FAMILY = Flux1
