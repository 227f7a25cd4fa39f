"""FLUX.2, klein and dev, held against diffusers' pipelines on tiny weights."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, cast

import diffusers
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from modules.catalog import FAMILIES
from modules.catalog.contents import family_of
from modules.errors import UserError
from modules.families.family import Condition, Family
from modules.families.flux2 import Flux2
from modules.families.flux2_klein import Flux2Klein
from modules.families.parts import building
from modules.families.parts.dit.dit_files import BUNDLED
from modules.families.parts.dit.flux2 import LONGEST
from modules.formats.layouts.vae import kl_vae
from tests.families.contract import LONG, OPTIONS
from tests.families.dit_contract import PROMPTS, DitContract
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
            theirs, _ = drawing.encode_prompt(captions, device=torch.device("cpu"), text_encoder_out_layers=FEW)
        ours = family.encode_text(captions)
        assert ours.tokens_BTD.shape == (5, LONGEST, 48)
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


class FewLayers(Flux2Klein):
    """Klein that reads tiny text encoders."""

    layers_read: ClassVar = FEW


class FewLayersOfDev(Flux2):
    """Dev that does."""

    layers_read: ClassVar = FEW


class TestKlein(Flux2Contract):
    """Read by Qwen3."""

    kind = FewLayers
    pipeline = "Flux2KleinPipeline"
    wishes: ClassVar = {"guidance_scale": 1.0, "text_encoder_out_layers": FEW}

    @staticmethod
    def write(folder: Path, **changes: Any) -> Path:
        return tiny_flux2_klein(folder, layers=4, **changes)

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

    kind = FewLayersOfDev
    pipeline = "Flux2Pipeline"
    wishes: ClassVar = {"guidance_scale": 2.5, "text_encoder_out_layers": FEW}

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
    with pytest.raises(UserError, match=r"has a qwen3; FLUX\.2 dev was expected"):
        Flux2.load(str(klein), OPTIONS)
    with pytest.raises(UserError, match=r"has a mistral; FLUX\.2 klein was expected"):
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
    assert usual["max_sequence_length"].default == LONGEST
    read = building.read_part(kind.card.component("text_encoder_1"), {"num_hidden_layers": blocks})
    assert read["num_hidden_layers"] == max(kind.layers_read)


@pytest.mark.parametrize(
    ("variant", "billions"),
    [
        ("flux2-klein-base-4b", 3.88), ("flux2-klein-4b", 3.88), ("flux2-klein-base-9b", 9.08),
        ("flux2-klein-9b", 9.08), ("flux2-dev", 32.22),
    ],
)  # fmt: skip
def test_a_variant_is_as_large_as_the_published_model(variant: str, billions: float) -> None:
    card = next(card for card in FAMILIES.values() if any(each.kind == variant for each in card.variants))
    folder = BUNDLED / variant
    spec = card.component("denoiser")
    module = building.empty_component(spec, as_json(folder / spec.folder / "config.json"))
    assert round(sum(p.numel() for p in module.parameters()) / 1e9, 2) == billions
    text = card.component("text_encoder_1")
    config = as_json(folder / text.folder / "config.json")
    width = config.get("text_config", config)["hidden_size"]
    assert as_json(folder / spec.folder / "config.json")["joint_attention_dim"] == 3 * width
