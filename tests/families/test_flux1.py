"""FLUX.1, held against diffusers' pipeline on tiny weights: dev with its guidance, and schnell without."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint
from diffusers.pipelines.flux.pipeline_flux import FluxPipeline
from safetensors.torch import load_file

from modules.errors import UserError
from modules.families.condition import Condition
from modules.families.family import Family
from modules.families.flux1 import Flux1
from modules.families.parts.dit import dit_files
from modules.formats.checkpoint import planned
from modules.system.weights import PlannedTensor, write_safetensors
from tests.families.contract import OPTIONS, assert_same_weights
from tests.families.dit_contract import PROMPTS
from tests.families.dit_runs import DitRuns
from tests.families.packed_contract import PackedContract
from tests.families.tiny_models import KL_VAE, as_json, tiny_flux1


class TestFlux1(DitRuns, PackedContract):
    """The contract, and what is FLUX.1's own."""

    kind = Flux1
    masks_text = False
    pipeline = "FluxPipeline"
    wishes: ClassVar = {"guidance_scale": 3.5}
    parameters: ClassVar = {
        "flux1-dev": {"denoiser": 11.9, "text_encoder_1": 0.123, "text_encoder_2": 4.76, "vae": 0.0838},
        "flux1-fill-dev": {"denoiser": 11.903},
        "flux1-schnell": {"denoiser": 11.89, "text_encoder_1": 0.123, "text_encoder_2": 4.76, "vae": 0.0838},
    }
    heart_tokens = 32
    short: ClassVar = {"num_layers": 1, "num_single_layers": 1}

    @staticmethod
    def write(folder: Path, **changes: Any) -> Path:
        return tiny_flux1(folder, **changes)

    def heard(self, family: Family, *captions: str) -> Condition:
        return family.with_guidance(super().heard(family, *captions), 3.5)

    def test_padding_is_read_like_words(self, family: Family) -> None:
        condition = family.encode_text(["a robot", ""])
        assert condition.tokens_BTD.shape[1] == 512 and condition.mask_BT is None

    def test_the_guidance_is_heard(self, family: Family) -> None:
        noisy, condition = torch.randn(1, 16, 4, 4), family.encode_text(["a robot"])
        one, other = (
            family.predict(noisy, torch.tensor([500]), family.with_guidance(condition, scale)) for scale in (1, 3.5)
        )
        assert not torch.allclose(one, other, atol=1e-5)

    def test_larger_images_are_drawn_with_more_noise(self, family: Family) -> None:
        assert family.shift_for(256, 256) == pytest.approx(1.6487, abs=1e-4)
        assert family.shift_for(1024, 1024) == pytest.approx(3.1582, abs=1e-4)

    def test_a_denoiser_that_is_shown_a_depth_map_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="32 channels"):
            Flux1.load(str(tiny_flux1(tmp_path / "depth", in_channels=128, out_channels=64)), OPTIONS)

    def test_a_whole_model_in_one_file_is_read_with_the_names_of_comfyui(
        self, family: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        denoiser = self.save(family, tmp_path / "denoiser.safetensors", single=True)
        weights, links = family.weights("vae"), family.layout_of("vae").links(family.weights("vae").shapes)
        read = {name: PlannedTensor(x, weights.dtype(name), partial(weights.read, name)) for name, x in
                weights.shapes.items()}  # fmt: skip
        vae = {name: plan.make() for name, plan in planned(read, links).items()}
        back = convert_ldm_vae_checkpoint(vae, KL_VAE)
        assert all(torch.equal(back[name], weights.read(name)) for name in weights.shapes)
        whole = {f"model.diffusion_model.{name}": tensor for name, tensor in load_file(denoiser).items()}
        whole |= {f"vae.{name}": tensor for name, tensor in vae.items()}
        whole |= {"text_encoders.clip_l.logit_scale": torch.ones(1)}
        whole |= {"text_encoders.clip_l.transformer.text_projection.weight": torch.eye(16)}
        prefixes = {"text_encoder": "clip_l.transformer.text_model", "text_encoder_2": "t5xxl.transformer"}
        for name, prefix in prefixes.items():
            tensors = load_file(folder / name / "model.safetensors")
            whole |= {f"text_encoders.{prefix}.{key}": tensor for key, tensor in tensors.items()}
        plans = {name: PlannedTensor(tuple(x.shape), x.dtype, lambda x=x: x) for name, x in whole.items()}
        path = tmp_path / "flux1-dev.safetensors"
        write_safetensors(path, plans, {})
        tokenizers = {name: reader.tokenizer for name, reader in family.tokenizers.items()}
        monkeypatch.setattr(Flux1, "complete", lambda files, _options: files.tokenizers.update(tokenizers))
        monkeypatch.setattr(
            dit_files, "bundled_config", lambda _kind, spec: as_json(folder / spec.folder / "config.json")
        )
        again = Flux1.load(str(path), OPTIONS)
        for name in family.component_names:
            assert_same_weights(again.component(name), family.component(name))


class Schnell(PackedContract):
    """How it is asked: without guidance, and with half the words."""

    kind = Flux1
    wishes: ClassVar = {"guidance_scale": 0.0, "max_sequence_length": 256}


def test_schnell_is_drawn_without_guidance_and_with_half_the_words(tmp_path: Path) -> None:
    folder = tiny_flux1(tmp_path / "schnell", guidance_embeds=False)
    family, drawing = Flux1.load(str(folder), OPTIONS), FluxPipeline.from_pretrained(str(folder))
    drawing.set_progress_bar_config(disable=True)
    Schnell().test_a_drawing_is_the_pipelines(family, drawing, (4, 8), 4)
    assert family.encode_text(PROMPTS).tokens_BTD.shape[1] == 256
    assert family.modelspec()["modelspec.architecture"] == "flux-1-schnell"
