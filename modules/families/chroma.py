"""Chroma1: FLUX.1's two streams and one, read by T5 alone; one small net makes all modulations.

Shapes: B batch, C latent channels, h w latent size, T tokens, D width of the text.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from modules.catalog.chroma import CARD
from modules.families.condition import Condition
from modules.families.parts.dit.dit_family import DitFamily, Width
from modules.families.parts.dit.packing import image_ids, packed, unpacked
from modules.families.parts.dit.prompt_encoder import PromptFormat
from modules.formats.layouts.chroma import TRANSFORMER
from modules.system.devices import to_device

T5 = "text_encoder_1"
warnings.filterwarnings("ignore", message=".FluxPosEmbed. is deprecated")  # diffusers' note to itself


class Chroma(DitFamily):
    """Of the padding it reads one token, and is spoilt by more."""

    name: ClassVar = "chroma"
    card: ClassVar = CARD
    formats: ClassVar = {T5: PromptFormat(512, closed=True)}
    layout: ClassVar = TRANSFORMER
    widths: ClassVar = {T5: Width("joint_attention_dim", "d_model")}

    def prepare(self, name: str, module: nn.Module) -> None:
        """Noughts that diffusers makes in main memory are made on the card, which else waits for them in each step."""
        super().prepare(name, module)
        if name == "denoiser":
            embed = cast("Any", module).time_text_embed
            guidance = embed.guidance_proj.forward
            embed.guidance_proj.forward = lambda zeros_B: guidance(
                torch.zeros_like(zeros_B, device=embed.mod_proj.device)
            )

    @torch.no_grad()
    def encode_text(self, captions: Sequence[str], *, weighted: bool | None = None) -> Condition:
        """What T5 says of the words and of the first token behind them, which it does not see itself."""
        del weighted
        longest, device = self.formats[T5].longest, self.options.device
        ids_BT, mask_BT = self.tokenizers[T5].padded(captions, longest)[:2]
        lengths = [min(int(length) + 1, longest) for length in mask_BT.sum(dim=1)]
        ids_BT, mask_BT = (to_device(x[:, : max(lengths)], device) for x in (ids_BT, mask_BT))
        states_BTD = cast("Any", self.component(T5))(ids_BT, attention_mask=mask_BT)[0]
        return Condition.stack([{"tokens": one[:length]} for one, length in zip(states_BTD, lengths, strict=True)])

    def predict(self, noisy_BChw: Tensor, time_B: Tensor, condition: Condition) -> Tensor:
        """Captions of one length at a time: diffusers' mask misses the single blocks under gradient checkpointing."""
        texts = condition.texts()
        answers: list[Tensor] = [noisy_BChw] * len(texts)
        lengths = {len(text) for text in texts}
        if len(lengths) == 1:
            return self._answer(noisy_BChw, time_B, torch.stack(texts))
        for length in lengths:
            rows = [i for i, text in enumerate(texts) if len(text) == length]
            noisy, times = (torch.stack([x[i] for i in rows]) for x in (noisy_BChw, time_B))  # a list makes a card wait
            said = self._answer(noisy, times, torch.stack([texts[i] for i in rows]))
            for row, answer in zip(rows, said, strict=True):
                answers[row] = answer
        return torch.stack(answers)

    def _answer(self, noisy_BChw: Tensor, time_B: Tensor, tokens_BTD: Tensor) -> Tensor:
        denoiser = cast("Any", self.component("denoiser"))
        dtype, device, (height, width) = next(denoiser.parameters()).dtype, noisy_BChw.device, noisy_BChw.shape[2:]
        answer = denoiser(
            packed(noisy_BChw.to(dtype)),
            encoder_hidden_states=tokens_BTD.to(dtype),
            timestep=time_B.float() / 1000,
            img_ids=image_ids(height, width, device),
            txt_ids=torch.zeros(tokens_BTD.shape[1], 3, device=device),  # words stand nowhere
            return_dict=False,
        )[0]
        return unpacked(answer, height, width)

    def architecture(self) -> str:
        return "chroma"


FAMILY = Chroma
