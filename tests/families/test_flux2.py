"""FLUX.2, klein and dev, held against diffusers' pipelines on tiny weights."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any, ClassVar, cast

import diffusers
import gguf
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers.modeling_gguf_pytorch_utils import LlamaTensorProcessor

from modules.catalog.contents import family_of
from modules.catalog.flux2 import DEV, KLEIN
from modules.errors import UserError
from modules.families import flux2_klein
from modules.families.condition import Condition
from modules.families.family import Family
from modules.families.flux2 import Flux2
from modules.families.flux2_klein import Flux2Klein
from modules.families.parts import building
from modules.families.parts.dit.dit_files import BUNDLED
from modules.families.parts.dit.flux2 import LONGEST
from modules.formats.layouts.vae import kl_vae
from modules.system.headers.gguf_names import IN_LAYER
from modules.system.weights import open_weights
from modules.tools.opening.models import open_model
from tests.families.contract import LONG, OPTIONS, assert_same_weights
from tests.families.dit_contract import PROMPTS, DitContract
from tests.families.dit_runs import DitRuns
from tests.families.tiny_models import as_json, tiny_flux2, tiny_flux2_klein

FEW = (1, 2, 3)  # layers that are read of tiny text encoders


class Flux2Contract(DitContract):
    """What both have."""

    masks_text = False

    def unpacked(self, family: Family, latents: Tensor, height: int, width: int) -> Tensor:
        if latents.dim() == 4:  # klein's pipeline ends with latents as the VAE has them
            return cast("Any", family).latents.normalized(latents)
        return latents.transpose(1, 2).unflatten(2, (height // family.downscale, width // family.downscale))

    def test_captions_are_read_as_the_pipeline_reads_them(self, family: Family, drawing: Any) -> None:
        captions = [*PROMPTS, "", LONG * 20, "[IMG] of <pad>"]
        with torch.no_grad():
            said = {name: wish for name, wish in self.wishes.items() if name != "guidance_scale"}
            theirs, _ = drawing.encode_prompt(captions, device=torch.device("cpu"), **said)
        ours = family.encode_text(captions)
        assert ours.tokens_BTD.shape == (5, said["max_sequence_length"], 48)
        torch.testing.assert_close(ours.tokens_BTD, theirs, atol=1e-5, rtol=1e-5)

    def test_images_are_what_the_pipeline_makes_of_them(self, family: Family, drawing: Any) -> None:
        pixels = torch.rand(2, 3, 32, 64) * 2 - 1
        with torch.no_grad():
            theirs = drawing._encode_vae_image(pixels, None)
        torch.testing.assert_close(family.encode_image(pixels), theirs, atol=1e-5, rtol=1e-5)

    def test_a_vae_whose_outer_convolutions_stand_outside_is_read(
        self, family: Family, folder: Path, tmp_path: Path
    ) -> None:
        held = load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")
        links = kl_vae(4).links({name: tuple(tensor.shape) for name, tensor in held.items()})
        path = tmp_path / "vae.safetensors"
        save_file({links[name].theirs: links[name].write(tensor).contiguous() for name, tensor in held.items()}, path)
        again = self.kind.load(str(folder), replace(OPTIONS, others={"vae": str(path)}))
        assert again.fingerprint("vae") == family.fingerprint("vae")


class ShortKlein(Flux2Klein):
    """Klein whose prompts are short and read by a few layers: a test's time is spent on little else."""

    layers_read: ClassVar = FEW
    formats: ClassVar = {"text_encoder_1": replace(Flux2Klein.formats["text_encoder_1"], longest=64)}


class ShortDev(Flux2):
    """Dev alike."""

    layers_read: ClassVar = FEW
    formats: ClassVar = {"text_encoder_1": replace(Flux2.formats["text_encoder_1"], longest=320)}


class TestKlein(DitRuns, Flux2Contract):
    """Read by Qwen3."""

    kind = ShortKlein
    pipeline = "Flux2KleinPipeline"
    parameters: ClassVar = {
        "flux2-klein-base-4b": {"denoiser": 3.876, "text_encoder_1": 3.11, "vae": 0.0840},
        "flux2-klein-9b": {"denoiser": 9.078, "text_encoder_1": 5.83, "vae": 0.0840},
    }
    heart_rate, heart_shift = 1e-2, 1.0
    reads_inner = True
    short: ClassVar = {"num_layers": 1, "num_single_layers": 2}
    wishes: ClassVar = {"guidance_scale": 1.0, "text_encoder_out_layers": FEW, "max_sequence_length": 64}

    @staticmethod
    def write(folder: Path, **changes: Any) -> Path:
        return tiny_flux2_klein(folder, layers=4, **changes)

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def runs_are_short(cls) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(flux2_klein, "FAMILY", ShortKlein)
            yield

    def test_a_tool_knows_a_file_for_what_it_is(self, family: Family, folder: Path, tmp_path: Path) -> None:
        path = self.save(family, tmp_path / "denoiser.safetensors", single=True)
        assert open_model(str(path), "auto", self.beside(folder)).name == "flux2_klein"
        with pytest.raises(UserError, match="holds no VAE or text encoder 1"):
            open_model(str(path), "auto", replace(OPTIONS, offline=True))

    def test_what_was_distilled_says_so_in_what_is_saved(self, folder: Path, tmp_path: Path) -> None:
        path = self.save(self.kind.load(str(folder), OPTIONS), tmp_path / "flux-2-klein.safetensors", single=True)
        for name, distilled in (("flux-2-klein-base.safetensors", False), ("flux-2-klein-4b.safetensors", True)):
            file = path.rename(tmp_path / name)
            family = self.kind.load(str(file), self.beside(folder))
            again = self.save(family, tmp_path / file.stem, single=False)
            assert as_json(again / "model_index.json")["is_distilled"] is distilled
            path = file


class TestDev(Flux2Contract):
    """Read by Mistral 3, and told the guidance."""

    kind = ShortDev
    pipeline = "Flux2Pipeline"
    wishes: ClassVar = {"guidance_scale": 2.5, "text_encoder_out_layers": FEW, "max_sequence_length": 320}

    @staticmethod
    def write(folder: Path, **changes: Any) -> Path:
        return tiny_flux2(folder, layers=4, **changes)

    def heard(self, family: Family, *captions: str) -> Condition:
        return family.with_guidance(super().heard(family, *captions), 2.5)

    def test_the_guidance_is_heard(self, family: Family) -> None:
        noisy, heard = torch.randn(1, family.channels, 4, 4), family.encode_text(["a robot"])
        said = [family.predict(noisy, torch.tensor([500]), family.with_guidance(heard, scale)) for scale in (1, 4)]
        assert not torch.equal(*said)


def test_one_is_not_taken_for_the_other(tmp_path: Path) -> None:
    klein, dev = tiny_flux2_klein(tmp_path / "klein", layers=1), tiny_flux2(tmp_path / "dev", layers=1)
    with pytest.raises(UserError, match=r"is Qwen3; a model of the type FLUX\.2 dev has Mistral"):
        Flux2.load(str(klein), OPTIONS)
    with pytest.raises(UserError, match=r"is Mistral; a model of the type FLUX\.2 klein has Qwen3"):
        Flux2Klein.load(str(dev), OPTIONS)


@pytest.mark.parametrize(("prefix", "family"), [("", "flux2"), ("model.diffusion_model.", "flux2_klein")])
def test_a_file_tells_which_it_is(prefix: str, family: str) -> None:
    names = {f"{prefix}single_stream_modulation.lin.weight", f"{prefix}img_in.weight"}
    more = {"guidance_in.in_layer.weight", "single_blocks.47.linear1.weight"} if family == "flux2" else set[str]()
    assert family_of(names | more) == family


@pytest.mark.parametrize(("kind", "blocks"), [(Flux2Klein, 36), (Flux2, 40)])
def test_the_text_is_read_after_the_pipelines_layers_and_no_layer_beyond_is_there(kind: Any, blocks: int) -> None:
    pipeline = getattr(diffusers, "Flux2KleinPipeline" if kind is Flux2Klein else "Flux2Pipeline")
    usual = inspect.signature(pipeline.encode_prompt).parameters
    assert kind.layers_read == usual["text_encoder_out_layers"].default
    assert usual["max_sequence_length"].default == kind.formats["text_encoder_1"].longest == LONGEST
    read = building.read_part(kind.card.component("text_encoder_1"), {"num_hidden_layers": blocks})
    assert read["num_hidden_layers"] == max(kind.layers_read)


@pytest.mark.parametrize("variant", [each.kind for card in (KLEIN, DEV) for each in card.variants])
def test_what_a_text_encoder_says_is_as_wide_as_the_denoiser_reads(variant: str) -> None:
    denoiser, text = (as_json(BUNDLED / variant / part / "config.json") for part in ("transformer", "text_encoder"))
    assert denoiser["joint_attention_dim"] == 3 * text.get("text_config", text)["hidden_size"]
    assert denoiser["guidance_embeds"] == (variant == "flux2-dev")


def test_dev_is_as_large_as_the_published_model() -> None:
    for name, billions in (("denoiser", 32.22), ("text_encoder_1", 17.34)):
        spec = DEV.component(name)
        shapes, _ = building.tensor_shapes(spec, as_json(BUNDLED / "flux2-dev" / spec.folder / "config.json"))
        assert round(sum(map(prod, shapes.values())) / 1e9, 2) == billions


def test_a_mistral_in_a_gguf_file_is_the_one_that_it_was_made_from(tmp_path: Path) -> None:
    folder = tiny_flux2(tmp_path / "model")
    family, inner = Flux2.load(str(folder), OPTIONS), {ours: theirs for theirs, ours in IN_LAYER.items()}
    writer = gguf.GGUFWriter(tmp_path / "mistral.gguf", "llama")
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    weights = open_weights(folder / "text_encoder" / "model.safetensors")
    start, text = "language_model.model.", {}
    for name in weights.shapes:
        if name.startswith(start):
            path, tensor = name.removeprefix(start), weights.read(name)
            text[path] = tensor
            heads = 2 if ".q_proj" in path else 1
            if ".q_proj" in path or ".k_proj" in path:  # as llama.cpp's converter does
                tensor = tensor.reshape(heads, 2, -1, tensor.shape[1]).swapaxes(1, 2).reshape(tensor.shape)
                back = LlamaTensorProcessor()._reverse_permute_weights(tensor.numpy(), heads, heads)
                assert torch.equal(torch.from_numpy(back.copy()), text[path])
            outer = {"embed_tokens": "token_embd", "norm": "output_norm"}
            parts = path.removesuffix(".weight").split(".", 2)
            here = f"blk.{parts[1]}.{inner[parts[2]]}" if parts[0] == "layers" else outer[parts[0]]
            writer.add_tensor(f"{here}.weight", tensor.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    others = {"text_encoder_1": str(tmp_path / "mistral.gguf")}
    again = Flux2.load(str(folder), replace(OPTIONS, others=others))
    assert_same_weights(again.component("text_encoder_1"), family.component("text_encoder_1"))
    query = "layers.0.self_attn.q_proj.weight"
    assert torch.equal(again.weights("text_encoder_1").rows(query, 1, 5), text[query][1:5])
