"""Stable Diffusion 3, held against diffusers' pipeline on tiny weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from diffusers import StableDiffusion3Pipeline
from safetensors.torch import load_file, save_file
from torch import Tensor

from modules.families.family import Family
from modules.families.sd3 import Sd3
from modules.messages import CheckPreset, Finding
from tests.families.contract import OPTIONS
from tests.families.dit_contract import DitContract, Drawn
from tests.families.dit_runs import DitRuns
from tests.families.test_pretend_runs import performed
from tests.families.tiny_models import tiny_sd3
from tests.trainer.runs import end_of, run


class TestSd3(DitRuns, DitContract):
    """The contract, and what is Stable Diffusion 3's own."""

    kind = Sd3
    masks_text = False
    pipeline = "StableDiffusion3Pipeline"
    parameters: ClassVar = {
        "sd35-medium": {"denoiser": 2.47, "text_encoder_1": 0.1237, "text_encoder_2": 0.695, "text_encoder_3": 4.76},
        "sd35-large": {"denoiser": 8.146}, "sd3-medium": {"denoiser": 2.085},
    }  # fmt: skip
    heart_tokens = 100  # 77 of CLIP come first
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

    def test_without_t5_it_draws_what_the_pipeline_draws_without_it(
        self, drawing: Any, folder: Path, tmp_path: Path
    ) -> None:
        lean = Sd3.load(str(folder), replace(OPTIONS, others={"text_encoder_3": "none"}))
        assert lean.component_names == ("denoiser", "vae", "text_encoder_1", "text_encoder_2")
        without: Any = StableDiffusion3Pipeline.from_pretrained(str(folder), text_encoder_3=None, tokenizer_3=None)
        without.set_progress_bar_config(disable=True)
        self.test_a_drawing_is_the_pipelines(lean, without, (4, 8), 4)
        lean.save(tmp_path / "lean", single_file=False, dtype=None, parts=lean.component_names, metadata={}, tensors={})
        again = Sd3.load(str(tmp_path / "lean"), OPTIONS)
        assert again.text_encoders == lean.text_encoders and not (tmp_path / "lean" / "text_encoder_3").exists()
        nothing = {"text_encoder_3": None, "tokenizer_3": None}  # which this pipeline wants to be told
        assert StableDiffusion3Pipeline.from_pretrained(str(tmp_path / "lean"), **nothing).text_encoder_3 is None
        path = self.save(lean, tmp_path / "denoiser.safetensors", single=True)
        beside = self.beside(folder)
        alone = Sd3.load(str(path), replace(beside, others={**beside.others, "text_encoder_3": "none"}))
        assert alone.text_encoders == lean.text_encoders
        del drawing

    def test_the_check_and_a_run_do_without_t5(self, folder: Path, tmp_path: Path) -> None:
        preset = self.settings(folder, tmp_path, "training.steps=1", "model.text_encoder_3=none")
        findings = [event for event in performed(CheckPreset(preset)) if isinstance(event, Finding)]
        assert findings and not [finding for finding in findings if finding.severity == "error"]
        assert end_of(run(preset)).step == 1

    def test_a_clip_file_without_a_projection_is_read_as_if_it_changed_nothing(
        self, family: Family, folder: Path, tmp_path: Path
    ) -> None:
        tensors = load_file(folder / "text_encoder" / "model.safetensors")
        del tensors["text_projection.weight"]
        save_file(tensors, tmp_path / "clip_l.safetensors")
        again = Sd3.load(str(folder), replace(OPTIONS, others={"text_encoder_1": str(tmp_path / "clip_l.safetensors")}))
        assert torch.equal(again.component("text_encoder_1").get_parameter("text_projection.weight"), torch.eye(8))
        del family
