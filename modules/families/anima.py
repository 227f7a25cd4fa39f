"""Anima: Cosmos-Predict2's transformer, which reads T5's tokens in the light of what Qwen3 says.

A conditioner of its own turns both into the states that the denoiser reads. It is frozen and sees a caption only, so
that it runs with the text encoder and its answer is what the cache keeps: neither Qwen's states nor T5's ids have to
stand beside it in `Condition.extras`, and no step runs it again.

Shapes: B batch, C latent channels, h w latent size, S tokens of Qwen, T of T5, D width of the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from modules.catalog.anima import CARD
from modules.families.condition import Condition
from modules.families.parts.dit.dit_family import DitFamily, Width
from modules.families.parts.dit.prompt_encoder import PromptFormat, without_padding
from modules.formats.layouts.anima import TRANSFORMER

QWEN, CONDITIONER = "text_encoder_1", "text_encoder_2"
LONGEST = 512  # tokens, of both tokenizers


class Anima(DitFamily):
    """Every prompt is filled up with zeros to one length, which the denoiser reads like words: it gets no mask.

    The cache keeps no zeros. `Condition.stack` fills shorter captions up with some, `predict` adds the rest.
    """

    name: ClassVar = "anima"
    card: ClassVar = CARD
    formats: ClassVar = {QWEN: PromptFormat(LONGEST), CONDITIONER: PromptFormat(LONGEST, closed=True)}
    layout: ClassVar = TRANSFORMER
    widths: ClassVar = {
        QWEN: Width("source_dim", reader=CONDITIONER), CONDITIONER: Width("text_embed_dim", "target_dim"),
    }  # fmt: skip

    def prepare(self, name: str, module: nn.Module) -> None:
        """Have the padding mask given as it is: diffusers would resize it with torchvision, which is not needed."""
        if name == "denoiser":
            cast("Any", module).register_to_config(concat_padding_mask=False)

    @torch.no_grad()
    def encode_text(self, captions: Sequence[str], *, weighted: bool | None = None) -> Condition:
        del weighted
        reader, device = self.tokenizers[CONDITIONER], self.options.device
        qwen_BSD, mask_BS = self._states(captions)
        ids_BT, mask_BT = reader.padded(captions)
        said_BTD = self.component(CONDITIONER)(qwen_BSD, ids_BT.to(device), mask_BT.to(device), mask_BS)
        return without_padding(said_BTD, mask_BT, reader.token_lengths(captions))

    def _states(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """What Qwen says, zeros for padding, and its mask. An empty caption is a token of padding."""
        reader, device = self.tokenizers[QWEN], self.options.device
        ids_BS, mask_BS = reader.padded(captions, max(1, *reader.token_lengths(captions)))
        mask_BS = mask_BS.to(device)
        said = self.component(QWEN)(input_ids=ids_BS.to(device), attention_mask=mask_BS, use_cache=False)
        return said.last_hidden_state.masked_fill(~mask_BS[:, :, None], 0), mask_BS

    def predict(self, noisy_BChw: Tensor, time_B: Tensor, condition: Condition) -> Tensor:
        denoiser = cast("Any", self.component("denoiser"))
        dtype = denoiser.patch_embed.proj.weight.dtype
        noisy_BC1hw, tokens_BTD = noisy_BChw.to(dtype).unsqueeze(2), condition.tokens_BTD.to(dtype)
        missing = self.source.configs[CONDITIONER].get("min_sequence_length", LONGEST) - tokens_BTD.shape[1]
        masked = self.source.configs["denoiser"].get("concat_padding_mask", True)
        answer_BC1hw = denoiser(
            noisy_BC1hw,
            time_B.float() / 1000,
            pad(tokens_BTD, (0, 0, 0, max(0, missing))),
            condition_mask=torch.zeros_like(noisy_BC1hw[:, :1]) if masked else None,  # no pixel is padding
            return_dict=False,
        )[0]
        return answer_BC1hw.squeeze(2)

    def index(self) -> dict[str, Any]:
        """As modular pipelines have it. Folders stand beside it, whatever repository the original speaks of."""
        return {
            name: [*entry[:2], {"type_hint": entry[:2], "subfolder": name}] if isinstance(entry, list) else entry
            for name, entry in super().index().items()
        } | {"_blocks_class_name": self.source.index.get("_blocks_class_name", "AnimaAutoBlocks")}

    def architecture(self) -> str:
        return "anima-preview"

    def other_metadata(self) -> dict[str, str]:
        return {"ss_base_model_version": self.name}


FAMILY = Anima
