"""Stable Diffusion 1 and 2."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modules.errors import UserError
from modules.families.family import LoadOptions
from modules.families.sd import Sd
from modules.sentences.render import PLAIN
from modules.system.bundled import resolve
from tests.families.clip_contract import ClipUnetContract, bundle
from tests.families.contract import LONG, OPTIONS, assert_same_weights
from tests.tiny import UNET, tiny_sd, tiny_sd2, tiny_sdxl


class TestSd(ClipUnetContract):
    kind = Sd
    bundled_as = "sd15"
    write = staticmethod(tiny_sd)

    def test_it_says_what_diffusers_says(self, folder: Path, family: Sd):
        from diffusers import StableDiffusionPipeline

        pipe = StableDiffusionPipeline.from_pretrained(folder)
        heard = self.heard(family, "a red robot", "")
        theirs, _ = pipe.encode_prompt(["a red robot", ""], "cpu", 1, False)
        assert torch.allclose(heard.tokens_BTD, theirs, atol=1e-6)
        noisy, time = torch.randn(2, 4, 8, 8), torch.tensor([10, 900])
        assert torch.allclose(family.predict(noisy, time, heard), pipe.unet(noisy, time, theirs).sample, atol=1e-5)
        pixels = torch.rand(1, 3, 64, 64) * 2 - 1
        latents = pipe.vae.encode(pixels).latent_dist.mean * pipe.vae.config.scaling_factor
        assert torch.allclose(family.encode_image(pixels), latents, atol=1e-5)
        assert torch.allclose(family.decode_image(latents), pipe.vae.decode(latents / 0.18215).sample, atol=1e-4)

    @pytest.mark.parametrize("skip", [1, 2, 3])
    def test_clip_skip_counts_as_a1111_does(self, folder: Path, family: Sd, skip: int):
        """1 is the last layer, 2 the one before it: as if the encoder had been made without the last."""
        encoder: Any = family.component("text_encoder_1")
        encoder.encoder.layers = encoder.encoder.layers[: 4 - skip]
        skipping = Sd.load(str(folder), replace(OPTIONS, clip_skip=skip)).encode_text(["a red robot"])
        assert torch.equal(skipping.tokens_BTD, family.encode_text(["a red robot"]).tokens_BTD)

    @pytest.mark.parametrize("write", [tiny_sd, tiny_sd2])
    def test_diffusers_loads_the_folders_we_save(self, tmp_path: Path, write):
        from diffusers import StableDiffusionPipeline

        family = Sd.load(str(write(tmp_path / "tiny", prediction_type="v_prediction")), OPTIONS)
        self.save(family, tmp_path / "saved", single=False)
        pipe = StableDiffusionPipeline.from_pretrained(tmp_path / "saved", safety_checker=None)
        assert pipe.scheduler.config.prediction_type == "v_prediction"
        assert_same_weights(pipe.unet, family.denoiser)
        assert_same_weights(pipe.vae, family.component("vae"))
        assert_same_weights(pipe.text_encoder, family.component("text_encoder_1"))
        ids = pipe.tokenizer(["a red robot"]).input_ids[0][1:-1]
        assert ids == family.token_ids("text_encoder_1", "a red robot")

    def test_the_second_generation_survives_a_single_file(self, tmp_path: Path):
        family = Sd.load(str(tiny_sd2(tmp_path / "two")), OPTIONS)
        file = self.save(family, tmp_path / "two.safetensors", single=True)
        names = load_file(file)
        start = "cond_stage_model.model."
        assert f"{start}transformer.resblocks.3.attn.in_proj_weight" in names, "the last layer, which nobody reads"
        assert {f"{start}logit_scale", f"{start}text_projection", f"{start}positional_embedding"} <= names.keys()
        again = Sd.load(str(file), OPTIONS)
        for component in family.component_names:
            assert_same_weights(family.component(component), again.component(component))
        assert again.modelspec()["ss_base_model_version"] == "sd_v2"
        twice = self.save(again, tmp_path / "again.safetensors", single=True)
        assert load_file(twice).keys() == names.keys()

    @pytest.mark.parametrize(
        ("name", "says"), [("v2-1_768-ema.safetensors", "v_prediction"), ("512-base-ema.safetensors", "epsilon"),
                           ("mine.safetensors", "v_prediction")],
    )  # fmt: skip
    def test_a_second_generation_file_without_a_mark_is_guessed_by_its_name_and_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str
    ):
        folder = tiny_sd2(tmp_path / "bundled" / "sd2")
        family = Sd.load(str(folder), OPTIONS)
        file = self.save(family, tmp_path / "marked.safetensors", single=True)
        save_file(load_file(file), tmp_path / name)  # without metadata
        bundle(folder, monkeypatch)
        guessed = Sd.load(str(tmp_path / name), OPTIONS)
        assert guessed.noise_schedule.prediction == says
        assert name in PLAIN.what(guessed.notes[0])

    def test_files_of_others_take_the_bundled_configs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        folder = bundle(tiny_sd(tmp_path / "bundled" / "sd15"), monkeypatch)
        family = Sd.load(str(folder), OPTIONS)
        tensors = load_file(self.save(family, tmp_path / "own.safetensors", single=True))
        tensors["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(12)[None]
        tensors |= {"model_ema.decay": torch.ones(1), "alphas_cumprod": torch.ones(1000)}
        without = {name.replace(".text_model.", "."): tensor for name, tensor in tensors.items()}
        for name, held in (("theirs", tensors), ("transformers 5", without)):
            save_file(held, tmp_path / f"{name}.safetensors")
            torch.save({"state_dict": held}, tmp_path / f"{name}.ckpt")
            for suffix in ("safetensors", "ckpt"):
                again = Sd.load(str(tmp_path / f"{name}.{suffix}"), OPTIONS)
                for component in family.component_names:
                    assert_same_weights(family.component(component), again.component(component))

    def test_diffusers_reads_our_single_file_as_we_do(self, folder: Path, family: Sd, tmp_path: Path):
        from diffusers import StableDiffusionPipeline

        file = self.save(family, tmp_path / "one.safetensors", single=True)
        pipe = StableDiffusionPipeline.from_single_file(
            str(file), config=str(folder), local_files_only=True, safety_checker=None
        )
        assert_same_weights(pipe.unet, family.denoiser)
        assert_same_weights(pipe.vae, family.component("vae"))
        assert_same_weights(pipe.text_encoder, family.component("text_encoder_1"))

    def test_an_inpainting_model_sees_the_mask(self, tmp_path: Path):
        family = Sd.load(str(tiny_sd(tmp_path / "in", unet={"in_channels": 9})), OPTIONS)
        assert family.inpaints and family.modelspec()["modelspec.architecture"] == "stable-diffusion-v1-inpainting"
        noisy, time, heard = torch.randn(1, 4, 8, 8), torch.tensor([5]), self.heard(family, "a robot")
        with pytest.raises(UserError, match="mask"):
            family.predict(noisy, time, heard)
        one, other = (
            family.predict(noisy, time, replace(heard, inpaint_BChw=hint))
            for hint in (torch.zeros(1, 5, 8, 8), torch.ones(1, 5, 8, 8))
        )
        assert one.shape == noisy.shape and not torch.equal(one, other)
        file = self.save(family, tmp_path / "in.safetensors", single=True)
        assert Sd.load(str(file), OPTIONS).inpaints

    def test_the_starter_is_a_model_like_any_other(self):
        family = Sd.load(str(resolve("starter:model")), OPTIONS)
        assert family.noise_schedule.prediction == "v_prediction"
        words = " ".join(f"robot {i}" for i in range(50))
        chunk_size = family.chunk_size("text_encoder_1")
        one, other = (family.encode_text([words + end]) for end in (" on a red table", " under a tree"))
        count = family.token_counts(words)["text_encoder_1"]
        assert count >= 100 and chunk_size < 100
        same = count // chunk_size * (chunk_size + 2)
        assert torch.allclose(one.tokens_BTD[:, :same], other.tokens_BTD[:, :same], atol=1e-5)
        assert not torch.allclose(one.tokens_BTD[:, same:], other.tokens_BTD[:, same:], atol=1e-3)

    # Folders as they are found

    def test_fp16_variants_shards_pickles_and_old_names_are_read(self, folder: Path, family: Sd, tmp_path: Path):
        copy = Path(shutil.copytree(folder, tmp_path / "found"))
        shard(copy / "unet" / "diffusion_pytorch_model.safetensors")
        text = copy / "text_encoder" / "model.safetensors"
        torch.save(load_file(text), text.with_name("pytorch_model.bin"))
        text.unlink()
        vae = copy / "vae" / "diffusion_pytorch_model.safetensors"
        old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
        tensors = {renamed(name, old): tensor for name, tensor in load_file(vae).items()}
        save_file(tensors, vae.with_name("diffusion_pytorch_model.fp16.safetensors"))
        vae.unlink()
        again = Sd.load(str(copy), OPTIONS)
        for component in family.component_names:
            assert_same_weights(family.component(component), again.component(component))

    def test_another_vae_takes_the_place_of_the_models_own(self, folder: Path, family: Sd, tmp_path: Path):
        other = tiny_sd(tmp_path / "other", seed=5)
        theirs = Sd.load(str(other), OPTIONS)
        file = self.save(theirs, tmp_path / "whole.safetensors", single=True)
        bare = {n.removeprefix("first_stage_model."): t for n, t in load_file(file).items() if n.startswith("first_")}
        save_file(bare, tmp_path / "vae.safetensors")
        places = (other, other / "vae", file, tmp_path / "vae.safetensors",
                  other / "vae" / "diffusion_pytorch_model.safetensors")  # fmt: skip
        for place in places:
            family = Sd.load(str(folder), replace(OPTIONS, others={"vae": str(place)}))
            assert_same_weights(family.component("vae"), theirs.component("vae"))
            assert family.fingerprint("vae") == theirs.fingerprint("vae")

    # What is refused

    def test_other_architectures_are_refused_in_words(self, folder: Path, family: Sd, tmp_path: Path):
        xl = tiny_sdxl(tmp_path / "xl")
        with pytest.raises(UserError, match="XL"):
            Sd.load(str(xl), OPTIONS)
        files = {
            "lora": {"lora_unet_mid_block_attentions_0_proj_in.lora_down.weight": torch.ones(2, 2)},
            "embedding": {"emp_params": torch.ones(1, 16)},
            "flux": {"double_blocks.0.img_attn.qkv.weight": torch.ones(2, 2)},
            "vae": {"decoder.mid.attn_1.q.weight": torch.ones(2, 2)},
            "text": {"some.weight": torch.ones(2)},
        }
        for name, tensors in files.items():
            save_file(tensors, tmp_path / f"{name}.safetensors")
            with pytest.raises(UserError, match=name if name != "text" else "U-Net"):
                Sd.load(str(tmp_path / f"{name}.safetensors"), OPTIONS)

    def test_a_layer_too_few_or_too_many_is_named(self, folder: Path, tmp_path: Path):
        copy = Path(shutil.copytree(folder, tmp_path / "copy"))
        file = copy / "unet" / "diffusion_pytorch_model.safetensors"
        tensors = load_file(file)
        save_file({n: t for n, t in tensors.items() if n != "conv_in.bias"}, file)
        with pytest.raises(UserError, match=r"lacks conv_in\.bias"):
            Sd.load(str(copy), OPTIONS).component("denoiser")
        save_file({**tensors, "surprise.weight": torch.ones(1)}, file)
        with pytest.raises(UserError, match=r"surprise\.weight"):
            Sd.load(str(copy), OPTIONS).component("denoiser")
        save_file({**tensors, "conv_in.bias": torch.ones(3)}, file)
        with pytest.raises(UserError, match=r"conv_in\.bias is 3 instead of 8"):
            Sd.load(str(copy), OPTIONS).component("denoiser")

    def test_what_is_not_there_is_refused_without_the_internet(self):
        for name in ("", "no/such/file.safetensors", "./nowhere", "nobody/nothing-at-all"):
            with pytest.raises(UserError):
                Sd.load(name, replace(OPTIONS, offline=True))

    def test_a_scheduler_that_is_not_of_this_family_is_refused(self, tmp_path: Path):
        for change in ({"prediction_type": "sample"}, {"beta_schedule": "linear"}):
            with pytest.raises(UserError):
                Sd.load(str(tiny_sd(tmp_path / next(iter(change)), **change)), OPTIONS)


def renamed(name: str, old: dict[str, str]) -> str:
    for new, before in old.items():
        name = name.replace(f".attentions.0.{new}.", f".attentions.0.{before}.")
    return name


def shard(file: Path) -> None:
    """Cut a file into two, with the index that diffusers writes."""
    tensors = load_file(file)
    names = sorted(tensors)
    places: dict[str, str] = {}
    for number, half in enumerate((names[::2], names[1::2]), start=1):
        shard_name = f"{file.stem}-0000{number}-of-00002.safetensors"
        save_file({name: tensors[name] for name in half}, file.with_name(shard_name))
        places |= dict.fromkeys(half, shard_name)
    file.with_name(f"{file.name}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    file.unlink()


def test_the_tiny_models_have_every_organ():
    """The contract means little of a U-Net without one of its kinds of layers."""
    assert {"CrossAttnDownBlock2D", "DownBlock2D"} == set(UNET["down_block_types"])
    assert LONG.count(",") > 4 and LoadOptions() == OPTIONS
