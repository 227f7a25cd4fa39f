"""A family that only tests know: a DiT, four text encoders, buffers in files, tables that are computed, fp32 norms.

It is registered as a real one is, by a row of the catalog; nothing else knows that it exists.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from modules.catalog import FAMILIES
from modules.errors import UserError
from modules.families.condition import Condition
from modules.families.family import LoadOptions
from modules.preset.sections.sampling import Prompt
from modules.preset.validate import preset_of
from modules.trainer.sampling.image_files import parameters_text
from modules.trainer.sampling.sampler import Sampler
from modules.trainer.step.denoising_task import DenoisingTask
from tests.families.contract import OPTIONS, FamilyContract
from tests.families.pretend.card import CARD
from tests.families.pretend.family import Pretend
from tests.families.pretend.model import tiny_pretend


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FAMILIES, "pretend", CARD)
        yield


class TestPretend(FamilyContract):
    kind = Pretend
    write = staticmethod(tiny_pretend)

    def test_every_component_answers_as_the_libraries_load_it(self, family: Pretend, folder: Path):
        from diffusers.models.autoencoders.autoencoder_kl_flux2 import AutoencoderKLFlux2
        from transformers.models.qwen3.modeling_qwen3 import Qwen3Model
        from transformers.models.t5.modeling_t5 import T5EncoderModel

        ids = torch.tensor([[5, 9, 1, 0]])
        for name, theirs in (("text_encoder_3", T5EncoderModel), ("text_encoder_4", Qwen3Model)):
            answer = theirs.from_pretrained(folder / name)(ids).last_hidden_state
            torch.testing.assert_close(family.component(name)(ids).last_hidden_state, answer)
        vae, pixels = AutoencoderKLFlux2.from_pretrained(folder / "vae"), torch.rand(1, 3, 32, 32)
        ours = family.component("vae").encode(pixels).latent_dist.mean
        torch.testing.assert_close(ours, vae.encode(pixels).latent_dist.mean)

    def test_buffers_of_a_file_are_read_and_saved(self, family: Pretend, tmp_path: Path):
        from safetensors.torch import load_file

        norm = family.component("vae").bn
        assert norm.running_mean.abs().sum() > 0 and norm.num_batches_tracked.dtype == torch.int64
        self.save(family, tmp_path / "saved", single=False, dtype=torch.float16)
        held = load_file(tmp_path / "saved" / "vae" / "diffusion_pytorch_model.safetensors")
        assert held["bn.running_var"].equal(norm.running_var.half())
        assert held["bn.num_batches_tracked"].dtype == torch.int64

    def test_a_vae_without_its_buffers_is_refused_in_words(self, folder: Path, tmp_path: Path):
        import shutil

        from safetensors.torch import load_file, save_file

        copy = Path(shutil.copytree(folder, tmp_path / "copy"))
        file = copy / "vae" / "diffusion_pytorch_model.safetensors"
        save_file({name: x for name, x in load_file(file).items() if not name.startswith("bn.")}, file)
        with pytest.raises(UserError, match="lacks bn"):
            Pretend.load(str(copy), OPTIONS).component("vae")

    def test_norms_stay_in_fp32_and_tables_are_real(self, folder: Path):
        family = Pretend.load(str(folder), LoadOptions(dtype=torch.bfloat16))
        denoiser = family.denoiser
        assert isinstance(denoiser, nn.Module)
        found = {name.rpartition(".")[0].rpartition(".")[2]: p.dtype for name, p in denoiser.named_parameters()}
        assert found["norm"] == torch.float32 and found["to_q"] == torch.bfloat16
        assert not denoiser.frequencies.is_meta and float(denoiser.frequencies[0]) == 1
        heard = family.encode_text(["a robot"])
        said = family.predict(torch.randn(1, family.channels, 2, 2), torch.tensor([500]), heard)
        assert said.dtype == torch.bfloat16 and bool(said.isfinite().all())

    def test_text_that_a_family_names_itself_is_kept_beside_its_neighbours(self, family: Pretend):
        both = family.encode_text(["a robot", "a house and a tree"])
        assert both.mask_BT is not None
        assert both.between(1, 2).extras["llm"].equal(both.extras["llm"][1:])
        assert both.at(torch.tensor([1, 0])).extras["llm"].equal(both.extras["llm"].flip(0))
        assert both.to(torch.device("cpu"), torch.float16).extras["llm"].dtype == torch.float16

    def test_each_prompt_is_drawn_with_the_shift_of_its_own_size(
        self, family: Pretend, monkeypatch: pytest.MonkeyPatch
    ):
        asked, predict = list[float](), family.predict

        def watched(noisy: torch.Tensor, time_B: torch.Tensor, condition: Condition) -> torch.Tensor:
            asked.append(float(time_B[0]) / 1000)
            return predict(noisy, time_B, condition)

        monkeypatch.setattr(family, "predict", watched)
        shape: dict[str, Any] = {"steps": 2, "guidance": 1}
        small, large = Prompt(width=32, height=32, **shape), Prompt(width=64, height=64, **shape)
        chosen = Prompt(width=64, height=64, flow_shift=3, **shape)
        list(Sampler(family, 64, cache_texts=True).draw([small, large, chosen]))
        e = math.e  # the shift of 16 tokens; that of 4 is 1
        assert asked == pytest.approx([1, 0.5, 1, e * 0.5 / (1 + (e - 1) * 0.5), 1, 0.75])

    def test_timesteps_are_shifted_by_its_own_curve(self, family: Pretend):
        assert family.dynamic_shift(64, 64) == pytest.approx(math.e) and family.dynamic_shift(32, 32) == 1
        constant = copy(family)
        constant.source = replace(family.source, configs={"scheduler": {"_class_name": "FlowMatch", "shift": 3.0}})
        assert constant.shift_for(32, 32) == 3 and constant.dynamic_shift(32, 128) == 1, "by its side, of 64"

    def test_the_guidance_is_an_input_that_no_precision_rounds(self, family: Pretend):
        condition, noisy = family.encode_text(["a robot"]), torch.randn(1, family.channels, 2, 2)
        told = [family.with_guidance(condition, scale) for scale in (1, 3.3)]
        assert told[1].to(torch.device("cpu"), torch.bfloat16).extras["guidance"].tolist() == pytest.approx([3.3])
        one, other = (family.predict(noisy, torch.tensor([500]), each) for each in told)
        assert not one.equal(other)

    def test_training_gives_it_the_guidance_of_the_settings(self, family: Pretend):
        model = {"family": "pretend"}
        preset = preset_of({"version": 6, "model": model, "objective": {"embedded_guidance": 2}})
        condition = DenoisingTask(preset, family).completed(family.encode_text(["a robot", "a house"]), None, None)
        assert condition.extras["guidance"].tolist() == [2, 2]

    def test_a_sample_is_drawn_with_the_guidance_of_its_prompt_or_the_models_usual(
        self, family: Pretend, monkeypatch: pytest.MonkeyPatch
    ):
        given, predict = list[float](), family.predict

        def watched(noisy: torch.Tensor, time_B: torch.Tensor, condition: Condition) -> torch.Tensor:
            given.extend(condition.extras["guidance"].tolist())
            return predict(noisy, time_B, condition)

        monkeypatch.setattr(family, "predict", watched)
        shape: dict[str, Any] = {"width": 32, "height": 32, "steps": 1}
        prompts = [Prompt(guidance=1, **shape), Prompt(guidance=2, distilled_guidance=4.5, **shape)]
        samples = list(Sampler(family, 64, cache_texts=True).draw(prompts))
        assert given == [2.5, 4.5, 4.5]
        lines = [parameters_text(sample.prompt, "m") for sample in samples]
        assert "Distilled CFG Scale: 2.5" in lines[0] and "Distilled CFG Scale: 4.5" in lines[1]

    def test_a_single_file_is_refused_in_words(self, tmp_path: Path):
        from safetensors.torch import save_file

        save_file({"x": torch.zeros(1)}, tmp_path / "model.safetensors")
        with pytest.raises(UserError, match="opened as folders"):
            Pretend.load(str(tmp_path / "model.safetensors"), OPTIONS)

    def test_it_learns_no_words(self, family: Pretend):
        with pytest.raises(UserError, match="cannot learn new words"):
            family.add_token("<new>", 1)
