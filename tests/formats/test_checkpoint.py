"""Names and shapes of single files against lists of real ones, at full size, without a byte of weights."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from modules.catalog.layers import UNET_SETS
from modules.families.family import LoadOptions
from modules.families.parts import building
from modules.families.parts.lora_targets import lora_targets
from modules.families.parts.unet import single_file
from modules.families.sd import Sd
from modules.families.sdxl import Sdxl
from modules.formats.checkpoint import Link, NoPlace, open_clip_links, planned, unet_path
from modules.formats.layouts.vae import kl_vae
from modules.system.weights import PlannedTensor, open_weights

GOLDEN = Path(__file__).parents[1] / "golden"
FAMILIES = {"sd15": Sd, "sdxl": Sdxl}


def golden(name: str) -> dict[str, tuple[int, ...]]:
    lines = (GOLDEN / name).read_text(encoding="utf-8").splitlines()
    return {key: ast.literal_eval(shape) for key, shape in (line.split("\t") for line in lines)}


def parts(kind: str) -> dict[str, nn.Module]:
    """The parts of a full-size model on the meta device, from the bundled configs."""
    family = FAMILIES[kind]
    return {
        spec.name: building.empty_component(spec, single_file.bundled_config(kind, spec.name))
        for spec in family.card.components
    }


@pytest.mark.parametrize(
    ("kind", "count", "idle"), [("sd15", 1130, set()), ("sdxl", 2514, {"conditioner.embedders.1.model.logit_scale"})]
)  # fmt: skip
def test_a_single_file_has_exactly_the_names_and_shapes_of_a_real_one(kind: str, count: int, idle: set[str]):
    wanted = golden(f"checkpoint_{kind}.tsv")
    assert len(wanted) == count
    found: dict[str, tuple[int, ...]] = {}
    for component, module in parts(kind).items():
        tensors = {
            building.file_name(name, module): PlannedTensor(tuple(p.shape), p.dtype, torch.Tensor)
            for name, p in module.named_parameters()
        }
        links = single_file.file_links(kind, component, list(tensors), single_file.bundled_config(kind, component))
        found |= {name: tensor.shape for name, tensor in planned(tensors, links).items()}
    assert found == {name: shape for name, shape in wanted.items() if name not in idle}
    assert idle <= wanted.keys()


@pytest.mark.parametrize("kind", ["sd15", "sdxl"])
def test_a_full_size_file_fits_the_bundled_configs(kind: str, tmp_path: Path):
    """A file with a hole for its weights: as large as a real one, and nothing is written or read."""
    header, end = {}, 0
    for name, shape in golden(f"checkpoint_{kind}.tsv").items():
        size = 2 * torch.Size(shape).numel()
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    family = FAMILIES[kind].load(str(tmp_path / "model.safetensors"), LoadOptions())
    for component in family.component_names:
        module = family.empty(component)
        wanted = {building.file_name(name, module): tuple(p.shape) for name, p in module.named_parameters()}
        building.check_fit(wanted, family.weights(component), component)
    assert family.token_ids("text_encoder_1", "a photo of a cat, 4k") == [320, 1125, 539, 320, 2368, 267, 275, 330]


def test_the_bundled_vocabulary_reads_as_transformers_does(tmp_path: Path):
    from transformers import CLIPTokenizer

    from modules.data.text.tokenizer import Tokenizer

    ours = Tokenizer.from_folder(single_file.BUNDLED / "sd15" / "tokenizer", single_file.clip_vocabulary())
    ours.write(tmp_path / "tokenizer", 77)
    theirs = CLIPTokenizer.from_pretrained(tmp_path / "tokenizer")
    for text in ("a photo of a cat", "It's 1girl,  (solo:1.2)\n#4 <tag>", "Ünïcödé 日本 🤖", ""):
        ids = theirs(text).input_ids
        assert ids == [49406, *ours.bpe.encode(text, add_special_tokens=False).ids, 49407]


@pytest.mark.parametrize(
    ("kind", "file", "groups"),
    [("sd15", "lora_sd15_kohya.tsv", ("attention-mlp",)), ("sd15", "lora_sd15_locon_kohya.tsv", ("all",)),
     ("sdxl", "lora_sdxl_kohya.tsv", ("attention-mlp",))],
)  # fmt: skip
def test_loras_have_exactly_the_modules_of_kohyas(kind: str, file: str, groups: tuple[str, ...]):
    path = GOLDEN / file
    if not path.is_file():
        pytest.skip(f"{file} is not here yet")
    wanted = {re.split(r"\.(?:alpha|lora_|dora_)", line)[0] for line in path.read_text(encoding="utf-8").splitlines()}
    patterns = [re.compile(pattern) for group in groups for pattern in UNET_SETS[group].patterns]
    found: set[str] = set()
    for component, module in parts(kind).items():
        for layer in lora_targets(module, FAMILIES[kind].card.component(component)):
            if component == "vae" or (component == "denoiser" and not any(p.search(layer) for p in patterns)):
                continue
            found.add(lora_name(kind, component, layer))
    assert found == wanted


def lora_name(kind: str, component: str, layer: str) -> str:
    """By the family's own rule, of a family without a model: the rule asks for nothing but configs."""
    family = object.__new__(FAMILIES[kind])
    family.source = single_file.ModelFiles(Path(), {component: single_file.bundled_config(kind, component)}, {}, {})
    return family.lora_name(component, layer)


def test_every_form_of_lying_comes_back():
    tensors = {"w": torch.randn(4, 3)}
    for form in ("same", "conv", "turned"):
        links = {"w": Link("theirs", form)}
        lying = planned({"w": PlannedTensor((4, 3), torch.float32, lambda: tensors["w"])}, links)["theirs"]
        made = lying.make()
        assert tuple(made.shape) == lying.shape
        link = links["w"]
        assert torch.equal(link.read(made), tensors["w"]) and link.shape(lying.shape) == (4, 3)
    assert Link("theirs", "conv").write(tensors["w"]).shape == (4, 3, 1, 1)
    assert torch.equal(Link("theirs", "turned").write(tensors["w"]), tensors["w"].T)


def test_query_key_and_value_are_fused_in_this_order():
    ours = {f"text_model.encoder.layers.0.self_attn.{letter}_proj.weight": torch.randn(2, 2) for letter in "vkq"}
    links = open_clip_links(ours, "model.")
    lying = planned({n: PlannedTensor((2, 2), t.dtype, lambda t=t: t) for n, t in ours.items()}, links)
    (name, fused), *rest = lying.items()
    assert not rest and name == "model.transformer.resblocks.0.attn.in_proj_weight"
    q, k, v = (ours[f"text_model.encoder.layers.0.self_attn.{letter}_proj.weight"] for letter in "qkv")
    assert torch.equal(fused.make(), torch.cat([q, k, v]))
    assert all(torch.equal(links[n].read(fused.make()), tensor) for n, tensor in ours.items())


def test_a_vaes_attention_is_read_with_and_without_its_kernel_sides(tmp_path):
    name = "decoder.mid_block.attentions.0.to_q.weight"
    link = kl_vae(2).links({name: (4, 4)})[name]
    assert link.theirs == "decoder.mid.attn_1.q.weight"
    weight = torch.randn(4, 4)
    for lying in (weight, weight[:, :, None, None]):
        save_file({link.theirs: lying}, tmp_path / "vae.safetensors")
        found = building.renamed(open_weights(tmp_path / "vae.safetensors"), {name: link})
        assert torch.equal(found.read(name), weight)


def test_a_layer_without_a_place_is_a_bug_and_not_dropped():
    with pytest.raises(NoPlace, match="class_embedding"):
        unet_path("class_embedding.weight", {"layers_per_block": 2, "up_block_types": []})
