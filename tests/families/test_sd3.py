"""Stable Diffusion 3, held against diffusers' pipeline on tiny weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from modules.families.family import Family
from modules.families.sd3 import Sd3
from tests.families.contract import OPTIONS
from tests.families.dit_contract import DitContract, Drawn
from tests.families.dit_runs import DitRuns
from tests.families.tiny_models import tiny_sd3


class TestSd3(DitRuns, DitContract):
    """The contract, and what is Stable Diffusion 3's own."""

    kind = Sd3
    masks_text = False
    pipeline = "StableDiffusion3Pipeline"
    parameters: ClassVar = {
        "sd35-medium": {"denoiser": 2.47, "text_encoder_1": 0.1237, "text_encoder_2": 0.695, "text_encoder_3": 4.76},
        "sd35-large": {"denoiser": 8.146}, "sd3-medium": {"denoiser": 2.085},
    }  # fmt: skip
    short: ClassVar = {"num_layers": 2, "dual_attention_layers": [0]}

    @staticmethod
    def write(folder: Path, **changes: Any) -> Path:
        return tiny_sd3(folder, **changes)

    def draw(self, drawing: Any, family: Family, noise_BChw: Tensor, prompts: list[str], steps: int = 2) -> Drawn:
        """At the times of all other flows: its pipeline's own spend the last step on nearly nothing."""
        self.wishes = {"guidance_scale": 1.0, "sigmas": np.linspace(1.0, 1 / steps, steps)}  # pyright: ignore[reportAttributeAccessIssue]
        return super().draw(drawing, family, noise_BChw, prompts, steps)

    def test_words_of_both_clips_stand_before_those_of_t5(self, family: Family) -> None:
        condition = family.encode_text(["a robot", ""])
        assert condition.tokens_BTD.shape == (2, 77 + 256, 16) and condition.mask_BT is None
        assert condition.pooled_BD is not None and condition.pooled_BD.shape == (2, 16)

    def test_a_clip_file_without_a_projection_is_read_as_if_it_changed_nothing(
        self, family: Family, folder: Path, tmp_path: Path
    ) -> None:
        tensors = load_file(folder / "text_encoder" / "model.safetensors")
        del tensors["text_projection.weight"]
        save_file(tensors, tmp_path / "clip_l.safetensors")
        again = Sd3.load(str(folder), replace(OPTIONS, others={"text_encoder_1": str(tmp_path / "clip_l.safetensors")}))
        assert torch.equal(again.component("text_encoder_1").get_parameter("text_projection.weight"), torch.eye(8))
        del family
