"""FLUX.2, dev and klein: image and text in two streams, then in one, over patches of its own VAE's latents.

Shapes: B batch, C latent channels, h w latent size, T tokens, D width of the text, L tokens of the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from modules.diffusion.noise_schedule import NoiseSchedule
from modules.diffusion.shift import Flux2Shift, Shift
from modules.families.condition import Condition
from modules.families.family import LoadOptions
from modules.families.parts.dit.dit_family import DitFamily, Width
from modules.families.parts.dit.prompt_encoder import states_after
from modules.families.parts.latents import PatchedLatents
from modules.families.parts.model_files import ModelFiles
from modules.formats.layout import Layout
from modules.formats.layouts.flux2 import TRANSFORMER
from modules.formats.layouts.vae import kl_vae

LONGEST = 512  # tokens of every prompt: what the encoder says of padding is read like its words


class Flux2Family(DitFamily):
    """What a subclass adds: its card, its prompt, and after which layers the text is read."""

    downscale: ClassVar = 16
    layout: ClassVar = TRANSFORMER
    widths: ClassVar = {"text_encoder_1": Width("joint_attention_dim", times=3)}
    layers_read: ClassVar[tuple[int, ...]]  # side by side

    def __init__(self, source: ModelFiles, options: LoadOptions, noise_schedule: NoiseSchedule) -> None:
        super().__init__(source, options, noise_schedule)
        self.channels *= 4  # 2x2 of the VAE's

    def layout_of(self, name: str) -> Layout | None:
        if name != "vae":
            return super().layout_of(name)
        inside = any(key.endswith("encoder.quant_conv.weight") for key in self.source.weights["vae"].shapes)
        return kl_vae(len(self.source.configs["vae"]["block_out_channels"]), flux2=inside)

    @property
    def latents(self) -> PatchedLatents:
        return PatchedLatents.of(cast("Any", self.component("vae")).bn)

    @property
    def shift(self) -> Shift:
        return Flux2Shift() if self.source.configs["scheduler"].get("use_dynamic_shifting") else super().shift

    @torch.no_grad()
    def encode_text(self, captions: Sequence[str], *, weighted: bool | None = None) -> Condition:
        del weighted
        reader = self.tokenizers["text_encoder_1"]
        ids_BT, mask_BT = reader.padded(captions, reader.form.longest)
        encoder, device = self.component("text_encoder_1"), self.options.device
        states = states_after(encoder, self.layers_read, ids_BT.to(device), mask_BT.to(device))
        return Condition(torch.cat(states, dim=-1))

    def predict(self, noisy_BChw: Tensor, time_B: Tensor, condition: Condition) -> Tensor:
        denoiser = cast("Any", self.component("denoiser"))
        dtype, (height, width) = next(denoiser.parameters()).dtype, noisy_BChw.shape[2:]
        tokens_BTD, device = condition.tokens_BTD.to(dtype), noisy_BChw.device
        answer_BLC = denoiser(
            noisy_BChw.flatten(2).transpose(1, 2).to(dtype),
            tokens_BTD,
            time_B.float() / 1000,
            positions(1, height, width, 1, device),
            positions(1, 1, 1, tokens_BTD.shape[1], device),
            condition.extras.get("guidance"),
            return_dict=False,
        )[0]
        return answer_BLC.transpose(1, 2).unflatten(2, (height, width))

    def architecture(self) -> str:
        return "Flux.2"

    def index(self) -> dict[str, Any]:
        own: Mapping[str, Any] = self.source.index
        return super().index() | {key: own[key] for key in ("is_distilled",) if key in own}


def positions(time: int, height: int, width: int, place: int, device: torch.device) -> Tensor:
    """Where each token stands, (L, 4): image, row, column, and place in the text."""
    return torch.cartesian_prod(*(torch.arange(count, device=device) for count in (time, height, width, place)))
