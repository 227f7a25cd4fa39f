"""Krea 2: one stream of image and text, which is what twelve layers of Qwen3-VL say, fused by the denoiser itself.

Shapes: B batch, C latent channels, h w latent size, T tokens, L tokens of the image, D width of the text, K layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from modules.catalog.krea2 import CARD
from modules.diffusion.shift import ConstantShift, Shift
from modules.families.condition import Condition
from modules.families.parts.dit.dit_family import DitFamily, Width
from modules.families.parts.dit.packing import image_ids, packed, unpacked
from modules.families.parts.dit.prompt_encoder import PromptFormat, states_after, without_padding
from modules.formats.layouts.krea2 import TRANSFORMER

SYSTEM = (
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, "
    "spatial relationships of the objects and background:<|im_end|>\n<|im_start|>user\n"
)
CROPPED = 34  # tokens of that, of which the denoiser is given no states
PROMPT = PromptFormat(CROPPED + 512, SYSTEM, ending="<|im_end|>\n<|im_start|>assistant\n")
LAYERS = (2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 32, 35)  # after which the text is read
TURBO_MU = 1.15  # the logarithm of the distilled model's shift, which is the same at all sizes


class Krea2(DitFamily):
    """Its text is K layers of states side by side, (T, K D).

    Diffusers' pipeline puts padding between caption and ending and counts positions around it. Here padding stands at
    the end: every token sees the same, and the denoiser, for which text has no positions, gives the same answer.
    """

    name: ClassVar = "krea2"
    card: ClassVar = CARD
    formats: ClassVar = {"text_encoder_1": PROMPT}
    layout: ClassVar = TRANSFORMER
    widths: ClassVar = {"text_encoder_1": Width("text_hidden_dim")}

    @property
    def shift(self) -> Shift:
        return ConstantShift(exp(TURBO_MU)) if self.source.index.get("is_distilled") else super().shift

    def index(self) -> dict[str, Any]:
        kept = ("is_distilled", "patch_size", "text_encoder_select_layers")
        return {**super().index(), **{key: self.source.index[key] for key in kept if key in self.source.index}}

    @property
    def layers_read(self) -> tuple[int, ...]:
        """After how many layers of the text encoder the denoiser reads the text."""
        count = self.source.configs["denoiser"].get("num_text_layers")
        return tuple(self.source.index.get("text_encoder_select_layers") or LAYERS[:count])

    def answer_settings(self, name: str) -> dict[str, object]:
        return {**super().answer_settings(name), **({"layers": self.layers_read} if name in self.tokenizers else {})}

    @torch.no_grad()
    def encode_text(self, captions: Sequence[str], *, weighted: bool | None = None) -> Condition:
        del weighted
        reader = self.tokenizers["text_encoder_1"]
        ids_BT, mask_BT = reader.padded(captions)
        device = self.options.device
        encoder = self.component("text_encoder_1")
        states = states_after(encoder, self.layers_read, ids_BT.to(device), mask_BT.to(device))
        read_BTD, mask_BT = torch.cat(states, dim=2)[:, CROPPED:], mask_BT[:, CROPPED:]
        return without_padding(read_BTD, mask_BT, [count - CROPPED for count in reader.token_lengths(captions)])

    def predict(self, noisy_BChw: Tensor, time_B: Tensor, condition: Condition) -> Tensor:
        denoiser = cast("Any", self.component("denoiser"))
        dtype, (height, width) = denoiser.img_in.weight.dtype, noisy_BChw.shape[2:]
        text_BTKD = condition.tokens_BTD.to(dtype).unflatten(2, (denoiser.config.num_text_layers, -1))
        patches_L3 = image_ids(height, width, noisy_BChw.device)
        answer_BLD = denoiser(
            packed(noisy_BChw.to(dtype)),
            text_BTKD,
            time_B.float() / 1000,
            torch.cat([patches_L3.new_zeros(text_BTKD.shape[1], 3), patches_L3]),  # all text at the origin
            condition.mask_BT,
            return_dict=False,
        )[0]
        return unpacked(answer_BLD, height, width)

    def architecture(self) -> str:
        return "krea2"


FAMILY = Krea2
