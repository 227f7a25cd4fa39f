"""Chroma1, held against diffusers' pipeline on tiny weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from modules.families.chroma import Chroma
from modules.families.family import Family
from tests.families.contract import LONG
from tests.families.dit_contract import PROMPTS, Drawn
from tests.families.dit_runs import DitRuns
from tests.families.packed_contract import PackedContract
from tests.families.tiny_models import tiny_chroma


class TestChroma(DitRuns, PackedContract):
    """The contract, and what is Chroma's own."""

    kind = Chroma
    pipeline = "ChromaPipeline"
    parameters: ClassVar = {"chroma1": {"denoiser": 8.9, "text_encoder_1": 4.76, "vae": 0.0838}}
    short: ClassVar = {"num_layers": 1, "num_single_layers": 1}

    @staticmethod
    def write(folder: Path, **changes: Any) -> Path:
        return tiny_chroma(folder, **changes)

    def draw(self, drawing: Any, family: Family, noise_BChw: Tensor, prompts: list[str], steps: int = 2) -> Drawn:
        """Its mask is made of truths again: as numbers, as this diffusers has it, it hides nothing."""
        made = type(drawing)._prepare_attention_mask

        def hiding(**given: Any) -> Any:
            mask = made(drawing, **given)
            return None if mask is None else mask.bool()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(drawing, "_prepare_attention_mask", hiding, raising=False)
            return super().draw(drawing, family, noise_BChw, prompts, steps)

    def test_one_token_of_padding_is_read(self, family: Family) -> None:
        condition = family.encode_text(PROMPTS)
        words = [len(family.tokenizers["text_encoder_1"].read(text)) for text in PROMPTS]  # type: ignore[attr-defined]
        assert condition.lengths == tuple(count + 1 for count in words)
        full = family.encode_text([LONG * 10])
        assert full.tokens_BTD.shape[1] == 512, "no room for padding"

    def test_neighbours_change_nothing_while_gradients_are_checkpointed(self, family: Any) -> None:
        family.denoiser.enable_gradient_checkpointing()
        family.denoiser.train()
        noisy, time = torch.randn(2, 16, 4, 4), torch.tensor([100, 700])
        together = family.predict(noisy.requires_grad_(), time, family.encode_text(PROMPTS))
        for i, caption in enumerate(PROMPTS):
            alone = family.predict(noisy[i : i + 1], time[i : i + 1], family.encode_text([caption]))
            torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)
