"""A file of adapters that was made for another model is refused and named, also where some of its layers fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from modules.catalog.card import LoraFormat
from modules.errors import UserError
from modules.families.parts.adapter_origin import layer_shapes, read_for, reservations, usual_model
from modules.families.parts.pipeline import DiffusersFamily
from modules.formats.adapter_names import in_file
from modules.formats.lora import LoraTensors
from modules.sentences.render import PLAIN


def lora(path: Path, family: DiffusersFamily, layers: str, form: LoraFormat = "diffusers", **metadata: str) -> Path:
    """A LoRA of rank 1, in real sizes, for the layers of a denoiser whose paths hold `layers`."""
    shapes, links = layer_shapes(family), family.adapter_links(form)
    updates = {
        name: LoraTensors.of(torch.zeros(1, shape[1]).half(), torch.zeros(shape[0], 1).half(), 1.0)
        for name, shape in shapes.items()
        if layers in name and name in links
    }
    tensors = {
        f"{name}.{end}": tensor
        for name, update in in_file(updates, links).items()
        for end, tensor in (("lora_A.weight", update.down), ("lora_B.weight", update.up))
    }
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)
    return path


@pytest.mark.parametrize(
    ("made_for", "used_with", "layers", "form", "words"),
    [
        (("flux2_klein", "flux2-klein-9b"), ("flux2", "flux2-dev"), "attn", "diffusers", "for FLUX.2 klein: "),
        (("flux2", "flux2-dev"), ("flux2_klein", "flux2-klein-4b"), "attn", "native", "for FLUX.2 dev: "),
        (("flux2_klein", "flux2-klein-9b"), ("flux2_klein", "flux2-klein-4b"), "attn", "diffusers", "klein 9B, and"),
        (("qwen_image", "qwen-image"), ("flux1", "flux1-dev"), "attn.to_", "diffusers",
         "for Qwen-Image: of its 300 layers 300 fit that, and 95 fit this model (FLUX.1)"),
    ],
)  # fmt: skip
def test_a_file_of_another_model_is_named(
    tmp_path: Path, made_for: tuple[str, str], used_with: tuple[str, str], layers: str, form: LoraFormat, words: str
) -> None:
    path = lora(tmp_path / "a.safetensors", usual_model(*made_for), layers, form)
    assert read_for(usual_model(*made_for), path, [])
    with pytest.raises(UserError) as caught:
        read_for(usual_model(*used_with), path, [])
    assert words in PLAIN.sentence(caught.value.problem)


def test_of_an_unusual_size_names_alone_tell(tmp_path: Path) -> None:
    """Attention of FLUX.1 and FLUX.2 is called alike."""
    shape = {"A": (1, 24), "B": (24, 1)}
    names = [f"transformer_blocks.{n}.attn.to_{each}" for n in range(2) for each in "qkv"]
    names += [f"single_transformer_blocks.{n}.attn.{each}" for n in range(4) for each in ("to_qkv_mlp_proj", "to_out")]
    tensors = {f"transformer.{name}.lora_{end}.weight": torch.zeros(shape[end]) for name in names for end in shape}
    save_file(tensors, tmp_path / "a.safetensors")
    with pytest.raises(UserError, match=r"made for FLUX\.2 \w+: of its 14 layers 14 fit that, and 6 fit"):
        read_for(usual_model("flux1", "flux1-dev"), tmp_path / "a.safetensors", [])


def test_what_fits_two_families_is_told_by_the_metadata_and_only_doubted(tmp_path: Path) -> None:
    """FLUX.1 and Chroma have attention and MLP of the same sizes."""
    chroma, flux = usual_model("chroma", "chroma1"), usual_model("flux1", "flux1-dev")
    said = {"modelspec.architecture": "chroma/lora"}
    path = lora(tmp_path / "a.safetensors", chroma, "single_transformer_blocks.1.", **said)
    assert read_for(flux, path) and read_for(chroma, path)
    assert not [*reservations(chroma, path)]
    assert [PLAIN.headline(each) for each in reservations(flux, path)] == [
        "a.safetensors says that it was made for Chroma1, and this model is FLUX.1. Its layers fit, but it may not do "
        "here what it does there."
    ]
    assert not [*reservations(flux, lora(path, chroma, "blocks.1.", ss_base_model_version="flux1"))]


def test_layers_that_only_one_of_two_families_has_tell_it_for_certain(tmp_path: Path) -> None:
    flux, chroma = usual_model("flux1", "flux1-dev"), usual_model("chroma", "chroma1")
    links = layer_shapes(flux)
    modulation = [name for name in links if "norm" in name and "transformer_blocks" in name][:8]
    tensors = {
        f"transformer.{name.partition('|')[2]}.lora_{end}.weight": torch.zeros(shape).half()
        for name in [*modulation, "denoiser|transformer_blocks.0.attn.to_q"]
        for end, shape in (("A", (1, links[name][1])), ("B", (links[name][0], 1)))
    }
    save_file(tensors, tmp_path / "a.safetensors")
    assert len(read_for(flux, tmp_path / "a.safetensors")) == 9
    with pytest.raises(UserError, match=r"made for FLUX\.1: of its 9 layers 9 fit that, and 1 fit this model"):
        read_for(chroma, tmp_path / "a.safetensors", [])
