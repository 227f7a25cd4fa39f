"""Qwen-Image, held against diffusers' pipeline on tiny weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers
from safetensors.torch import load_file, save_file

from modules.diffusion.guidance import Guidance
from modules.diffusion.solvers import denoise
from modules.errors import UserError
from modules.families.family import Family
from modules.families.parts.config_check import UNSUPPORTED
from modules.families.qwen_image import QwenImage
from modules.formats.layouts.vae import WAN
from modules.trainer.sampling.guided_denoiser import AttentionPerturbation, GuidedDenoiser
from tests.families.contract import OPTIONS
from tests.families.dit_contract import PROMPTS
from tests.families.dit_runs import DitRuns
from tests.families.packed_contract import PackedContract
from tests.families.tiny_models import tiny_qwen_image


class TestQwenImage(DitRuns, PackedContract):
    """The contract, and what is Qwen-Image's own."""

    kind = QwenImage
    pipeline = "QwenImagePipeline"
    parameters: ClassVar = {"qwen-image": {"denoiser": 20.43, "text_encoder_1": 7.07, "vae": 0.127}}
    short: ClassVar = {"num_layers": 2}
    sets = (*PackedContract.sets, "image stream", "text stream")
    heart_rate = 4e-3
    wishes: ClassVar = {"true_cfg_scale": 1.0}

    @staticmethod
    def write(folder: Path, **changes: Any) -> Path:
        return tiny_qwen_image(folder, **changes)

    def is_idle(self, name: str) -> bool:
        last = name.removeprefix("transformer_blocks.1.")
        return last.startswith(("txt_mlp.", "attn.to_add_out."))  # of the text, which nobody reads any more

    @pytest.mark.parametrize("size", [(4, 8), (8, 6)])
    def test_guidance_keeps_the_length_of_every_token_as_the_pipeline_does(
        self, family: Family, drawing: Any, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        noise, negatives = torch.randn(2, family.channels, *size), ["a house", "rain"]
        monkeypatch.setattr(TestQwenImage, "wishes", {"true_cfg_scale": 4.0, "negative_prompt": negatives})
        drawn = self.draw(drawing, family, noise, PROMPTS, 4)
        condition = family.encode_text([*PROMPTS, *negatives])
        perturbation = AttentionPerturbation(0.0, size)
        for side, same in ((family.card.guidance_norm, True), (0, False)):
            guided = GuidedDenoiser(family, Guidance(4.0, norm_side=side), condition, 2, (), "", perturbation)
            with torch.no_grad():
                height, width = [family.downscale * each for each in size]
                schedule = family.sampling_schedule(height, width, 4)
                ours = denoise(guided.predict, schedule, noise, solver="euler", steps=4, generators=[])
            assert torch.allclose(ours, drawn.latents.float(), atol=1e-4, rtol=1e-3) == same

    def test_a_long_text_ends_where_the_pipeline_cuts_it(self, family: Family, drawing: Any) -> None:
        captions = ["a robot", "word " * 300, ""]
        with torch.no_grad():
            theirs, mask = drawing.encode_prompt(captions, max_sequence_length=512)
        for row, states, real in zip(family.encode_text(captions).texts(), theirs, mask.bool(), strict=True):
            torch.testing.assert_close(row, states[real], atol=1e-5, rtol=1e-4)

    def test_images_become_the_latents_of_the_pipeline(self, family: Family, drawing: Any) -> None:
        pixels = torch.rand(2, 3, 32, 48) * 2 - 1
        config = drawing.vae.config
        mean, spread = (torch.tensor(x).view(1, 16, 1, 1, 1) for x in (config.latents_mean, config.latents_std))
        with torch.no_grad():
            theirs = (drawing.vae.encode(pixels.unsqueeze(2)).latent_dist.mean - mean) / spread
            drawn = drawing.vae.decode(theirs * spread + mean, return_dict=False)[0]
        torch.testing.assert_close(family.encode_image(pixels), theirs[:, :, 0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(family.decode_image(theirs[:, :, 0]), drawn[:, :, 0], atol=1e-5, rtol=1e-4)

    def test_the_vae_in_a_file_of_its_own_has_the_names_of_wan(
        self, family: Family, folder: Path, tmp_path: Path
    ) -> None:
        held = load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")
        links = WAN.links({name: tuple(tensor.shape) for name, tensor in held.items()})
        theirs = {links[name].theirs: tensor for name, tensor in held.items()}
        converted = convert_wan_vae_to_diffusers(dict(theirs))
        assert converted.keys() == held.keys() and all(torch.equal(converted[name], held[name]) for name in held)
        save_file(theirs, tmp_path / "qwen_image_vae.safetensors")
        others = {"vae": str(tmp_path / "qwen_image_vae.safetensors")}
        again = QwenImage.load(str(folder), replace(OPTIONS, others=others))
        assert again.fingerprint("vae") == family.fingerprint("vae")

    @pytest.mark.parametrize("setting", UNSUPPORTED["QwenImageTransformer2DModel"])
    def test_models_that_want_more_than_text_are_refused(self, folder: Path, tmp_path: Path, setting: str) -> None:
        for path in folder.rglob("*"):
            if path.is_file():
                copy = tmp_path / path.relative_to(folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.symlink_to(path)
        config = tmp_path / "transformer" / "config.json"
        told = json.loads(config.read_text(encoding="utf-8")) | {setting: True}
        config.unlink()
        config.write_text(json.dumps(told), encoding="utf-8")
        with pytest.raises(UserError, match=setting):
            QwenImage.load(str(tmp_path), OPTIONS)
