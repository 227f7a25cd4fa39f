"""Z-Image (arXiv:2511.22699): one stream of image and text, read by Qwen3.

Shapes: B batch, C latent channels, h w latent size, T tokens, D width of the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from modules.catalog.zimage import CARD
from modules.families.condition import Condition
from modules.families.parts.dit.dit_family import DitFamily, Width
from modules.families.parts.dit.prompt_encoder import PromptFormat, states_after, without_padding
from modules.formats.layouts.zimage import TRANSFORMER

# Qwen3's chat of one turn, thinking allowed
PROMPT = PromptFormat(512, "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n")


class ZImage(DitFamily):
    """It is told how clean the latents are instead of how noisy, and says the way to the image."""

    name: ClassVar = "zimage"
    card: ClassVar = CARD
    formats: ClassVar = {"text_encoder_1": PROMPT}
    layout: ClassVar = TRANSFORMER
    widths: ClassVar = {"text_encoder_1": Width("cap_feat_dim")}

    @torch.no_grad()
    def encode_text(self, captions: Sequence[str], *, weighted: bool | None = None) -> Condition:
        """The states of the last layer but one; no padding."""
        del weighted
        reader, device = self.tokenizers["text_encoder_1"], self.options.device
        ids_BT, mask_BT = reader.padded(captions)
        [states_BTD] = states_after(self.component("text_encoder_1"), (-1,), ids_BT.to(device), mask_BT.to(device))
        return without_padding(states_BTD, mask_BT, reader.token_lengths(captions))

    def predict(self, noisy_BChw: Tensor, time_B: Tensor, condition: Condition) -> Tensor:
        denoiser = cast("Any", self.component("denoiser"))
        dtype = next(denoiser.parameters()).dtype
        text = [tokens_TD.to(dtype) for tokens_TD in condition.texts()]
        images = list(noisy_BChw.to(dtype).unsqueeze(2).unbind())
        answers = denoiser(images, 1 - time_B.float() / 1000, text, return_dict=False)[0]
        return -torch.stack(answers).squeeze(2)

    def architecture(self) -> str:
        return "Z-Image"


FAMILY = ZImage
