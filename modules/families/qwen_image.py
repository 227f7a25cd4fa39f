"""Qwen-Image (arXiv:2508.02324): two streams of image and text, which Qwen2.5-VL reads.

Shapes: B batch, C latent channels, h w latent size, T tokens, L tokens of the image, D width of the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from modules.catalog.qwen_image import CARD
from modules.families.condition import Condition
from modules.families.parts.dit.dit_family import DitFamily, Width
from modules.families.parts.dit.packing import packed, unpacked
from modules.families.parts.dit.prompt_encoder import PromptFormat, without_padding
from modules.formats.layouts.qwen_image import TRANSFORMER

SYSTEM = (
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, "
    "spatial relationships of the objects and background:<|im_end|>\n<|im_start|>user\n"
)
CROPPED = 34  # tokens of that, of which the denoiser is given no states
# Diffusers reads 1024 and cuts what was read at 512; no token sees what comes after it, so that this is the same.
PROMPT = PromptFormat(CROPPED + 512, SYSTEM, "<|im_end|>\n<|im_start|>assistant\n")


class QwenImage(DitFamily):
    """Text is what the last layer says, normed, without the system's words and without padding."""

    name: ClassVar = "qwen_image"
    card: ClassVar = CARD
    formats: ClassVar = {"text_encoder_1": PROMPT}
    layout: ClassVar = TRANSFORMER
    widths: ClassVar = {"text_encoder_1": Width("joint_attention_dim")}

    @torch.no_grad()
    def encode_text(self, captions: Sequence[str], *, weighted: bool | None = None) -> Condition:
        del weighted
        reader = self.tokenizers["text_encoder_1"]
        ids_BT, mask_BT = reader.padded(captions)
        device, encoder = self.options.device, self.component("text_encoder_1")
        said = encoder(input_ids=ids_BT.to(device), attention_mask=mask_BT.to(device), use_cache=False)
        read_BTD, mask_BT = said.last_hidden_state[:, CROPPED:], mask_BT[:, CROPPED:]
        return without_padding(read_BTD, mask_BT, [count - CROPPED for count in reader.token_lengths(captions)])

    def predict(self, noisy_BChw: Tensor, time_B: Tensor, condition: Condition) -> Tensor:
        denoiser = cast("Any", self.component("denoiser"))
        dtype, (height, width) = denoiser.img_in.weight.dtype, noisy_BChw.shape[2:]
        answer_BLD = denoiser(
            packed(noisy_BChw.to(dtype)),
            condition.tokens_BTD.to(dtype),
            condition.mask_BT,
            time_B.float() / 1000,
            [[(1, height // 2, width // 2)]] * len(noisy_BChw),
            return_dict=False,
        )[0]
        return unpacked(answer_BLD, height, width)

    def architecture(self) -> str:
        return "Qwen-Image"


FAMILY = QwenImage
