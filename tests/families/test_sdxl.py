"""Stable Diffusion XL."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from modules.errors import UserError
from modules.families.sdxl import Sdxl
from tests.families.clip_contract import ClipUnetContract
from tests.families.contract import OPTIONS, assert_same_weights
from tests.tiny import tiny_sd, tiny_sdxl


class TestSdxl(ClipUnetContract):
    kind = Sdxl
    bundled_as = "sdxl"
    write = staticmethod(tiny_sdxl)

    def test_it_says_what_diffusers_says(self, folder: Path, family: Sdxl):
        from diffusers import StableDiffusionXLPipeline

        pipe = StableDiffusionXLPipeline.from_pretrained(folder)
        heard = self.heard(family, "a red robot")
        theirs, _, pooled, _ = pipe.encode_prompt("a red robot", device="cpu", do_classifier_free_guidance=False)
        assert heard.pooled_BD is not None
        assert torch.allclose(heard.tokens_BTD, theirs, atol=1e-6) and torch.allclose(
            heard.pooled_BD, pooled, atol=1e-6
        )
        noisy, time = torch.randn(1, 4, 8, 8), torch.tensor([900])
        added = {"text_embeds": pooled, "time_ids": heard.sizes_B6}
        said = pipe.unet(noisy, time, theirs, added_cond_kwargs=added).sample
        assert torch.allclose(family.predict(noisy, time, heard), said, atol=1e-5)

    def test_clip_skip_counts_from_the_last_layer_and_two_is_what_it_was_made_for(self, folder: Path):
        from diffusers import StableDiffusionXLPipeline

        pipe = StableDiffusionXLPipeline.from_pretrained(folder)
        for ours, theirs in ((0, None), (2, None), (3, 1)):  # diffusers counts from the layer before the last
            said = pipe.encode_prompt("a robot", device="cpu", do_classifier_free_guidance=False, clip_skip=theirs)
            family = Sdxl.load(str(folder), replace(OPTIONS, clip_skip=ours))
            assert torch.allclose(family.encode_text(["a robot"]).tokens_BTD, said[0], atol=1e-6)

    def test_the_denoiser_is_told_the_sizes(self, family: Sdxl):
        heard, noisy, time = self.heard(family, "a robot"), torch.randn(1, 4, 8, 8), torch.tensor([700])
        said = family.predict(noisy, time, heard)
        cropped = replace(heard, sizes_B6=torch.tensor([[64, 64, 16, 0, 64, 64]]))
        assert not torch.allclose(said, family.predict(noisy, time, cropped), atol=1e-6)

    def test_a_new_word_does_not_change_where_the_pooled_vector_is_taken(self, family: Sdxl):
        before = family.encode_text(["a robot"]).pooled_BD
        module = family.component("text_encoder_2")
        table = module.get_parameter("text_model.embeddings.token_embedding.weight")
        longer = torch.nn.Embedding.from_pretrained(torch.cat([table, torch.zeros(1, table.shape[1])]))
        module.set_submodule("text_model.embeddings.token_embedding", longer)
        ids = family.add_token("<blip>", 1)["text_encoder_2"]
        assert ids == [table.shape[0]]
        heard = module(torch.tensor([[*family.tokenizers["text_encoder_2"].chunks("a robot", 1)[0].ids]])).text_embeds
        assert torch.equal(heard, before)
        chunk = family.tokenizers["text_encoder_2"].chunks("a <blip>", 1)[0].ids
        last = module(torch.tensor([[*chunk]]), output_hidden_states=True)
        normed = module.text_model.final_layer_norm(last.hidden_states[-1])[0, 3]  # start, a, <blip>, end
        assert torch.allclose(last.text_embeds[0], module.text_projection(normed), atol=1e-6)

    def test_diffusers_loads_the_folders_we_save(self, family: Sdxl, tmp_path: Path):
        from diffusers import StableDiffusionXLPipeline

        self.save(family, tmp_path / "saved", single=False)
        pipe = StableDiffusionXLPipeline.from_pretrained(tmp_path / "saved")
        assert_same_weights(pipe.unet, family.denoiser)
        assert_same_weights(pipe.text_encoder, family.component("text_encoder_1"))
        assert_same_weights(pipe.text_encoder_2, family.component("text_encoder_2"))
        assert pipe.tokenizer_2.pad_token == "!" and pipe.tokenizer.pad_token == "<|endoftext|>"

    def test_diffusers_reads_our_single_file_as_we_do(self, folder: Path, family: Sdxl, tmp_path: Path):
        from diffusers import StableDiffusionXLPipeline

        file = self.save(family, tmp_path / "one.safetensors", single=True)
        pipe = StableDiffusionXLPipeline.from_single_file(str(file), config=str(folder), local_files_only=True)
        assert_same_weights(pipe.unet, family.denoiser)
        assert_same_weights(pipe.vae, family.component("vae"))
        assert_same_weights(pipe.text_encoder, family.component("text_encoder_1"))
        assert_same_weights(pipe.text_encoder_2, family.component("text_encoder_2"))

    def test_an_older_generation_and_the_refiner_are_refused(self, tmp_path: Path, family: Sdxl):
        with pytest.raises(UserError, match=r"Change the model type|no folder"):
            Sdxl.load(str(tiny_sd(tmp_path / "sd")), OPTIONS)
        tensors = load_file(self.save(family, tmp_path / "one.safetensors", single=True))
        refiner = {n.replace("embedders.1.model", "embedders.0.model"): t for n, t in tensors.items()}
        save_file(refiner, tmp_path / "refiner.safetensors")
        with pytest.raises(UserError, match="refiner"):
            Sdxl.load(str(tmp_path / "refiner.safetensors"), OPTIONS)
