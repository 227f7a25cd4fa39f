"""What files are, by their headers: right parts, wrong ones, and what lies beside a denoiser."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from modules.catalog import FAMILIES, ComponentSpec
from modules.errors import UserError
from modules.system.headers.parts import (
    BUNDLED,
    Part,
    configured,
    family_of_model,
    found_beside,
    read_part,
    wanted_parts,
)

Shapes = dict[str, tuple[int, ...]]
LAYER = "model.layers.0.self_attn"


def llm(width: int, *more: str, layers: int = 36) -> Shapes:
    names = ("q_proj.weight", *more)
    last = {f"model.layers.{layers - 1}.mlp.gate_proj.weight": (4, width)}
    return {"model.embed_tokens.weight": (8, width)} | {f"{LAYER}.{name}": (4, width) for name in names} | last


QWEN3, MISTRAL = llm(2560, "q_norm.weight"), llm(5120, layers=40)
VAE = {"decoder.conv_in.weight": (512, 16, 3, 3)}
CLIP = {
    "text_model.embeddings.token_embedding.weight": (49408, 768),
    "text_model.encoder.layers.0.self_attn.q_proj.weight": (768, 768),
    "text_model.encoder.layers.11.mlp.fc1.weight": (4, 768),
}
CLIP_G = {
    **CLIP,
    "text_model.embeddings.token_embedding.weight": (49408, 1280),
    "text_model.encoder.layers.31.mlp.fc1.weight": (4, 1280),
}
T5 = {"shared.weight": (8, 4096), **{f"encoder.block.{n}.layer.0.SelfAttention.q.weight": (4, 4) for n in (0, 23)}}
UMT5 = T5 | {"encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight": (32, 64)}
ZIMAGE = {"cap_pad_token": (1, 8), "layers.0.attention.qkv.weight": (3_000, 1_000)}

CONDITIONER = {"blocks.0.norm_cross_attn.weight": (8,)}
ANIMA = {"net.blocks.0.mlp.layer1.weight": (8, 8)} | {
    f"net.llm_adapter.{name}": shape for name, shape in CONDITIONER.items()
}


def header_of(path: Path, shapes: Shapes, kind: str = "BF16") -> Path:
    """A file with nothing but its header."""
    tensors = {name: {"dtype": kind, "shape": shape, "data_offsets": [0, 0]} for name, shape in shapes.items()}
    header = json.dumps(tensors).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


def judged(path: Path, family: str, name: str, source: str = "") -> tuple[Part, bool]:
    card = FAMILIES[family]
    part = read_part(path, card.component(name))
    return part, any(part.is_right(each) for each in wanted_parts(card, card.component(name), source))


@pytest.mark.parametrize(
    ("shapes", "family", "component", "name", "right"),
    [
        (QWEN3, "zimage", "text_encoder_1", "Qwen3 4B", True),
        (llm(4096, "q_norm.weight"), "zimage", "text_encoder_1", "Qwen3 8B", False),
        (llm(4096, "q_norm.weight"), "flux2_klein", "text_encoder_1", "Qwen3 8B", True),
        (QWEN3 | {"visual.blocks.0.norm.weight": (4,)}, "zimage", "text_encoder_1", "Qwen3-VL 4B", False),
        (MISTRAL, "flux2", "text_encoder_1", "Mistral 24B", True),
        (MISTRAL, "flux2_klein", "text_encoder_1", "Mistral 24B", False),
        (llm(16, "q_norm.weight"), "zimage", "text_encoder_1", "Qwen3", True),  # of a size that nobody has published
        (llm(2560, "q_norm.weight", layers=27), "flux2_klein", "text_encoder_1", "Qwen3 4B", True),  # all that are run
        (llm(2560, "q_norm.weight", layers=27), "zimage", "text_encoder_1", "Qwen3 4B", False),
        (llm(5120, layers=30), "flux2", "text_encoder_1", "Mistral 24B", True),  # as ComfyUI has it
        (llm(3584, "q_proj.bias", layers=28), "qwen_image", "text_encoder_1", "Qwen2.5 7B", True),
        (llm(4096), "qwen_image", "text_encoder_1", "Mistral 7B", False),
        (CLIP, "flux1", "text_encoder_1", "CLIP-L", True),
        (CLIP, "sd3", "text_encoder_2", "CLIP-L", False),
        (CLIP_G, "sd3", "text_encoder_2", "CLIP-G", True),
        (CLIP_G, "sd3", "text_encoder_1", "CLIP-G", False),
        (T5 | {"shared.weight": (8, 768)}, "flux1", "text_encoder_2", "T5-base", False),
        (UMT5, "chroma", "text_encoder_1", "UMT5-XXL", False),
        (CLIP, "sdxl", "text_encoder_2", "CLIP-L", False),
        (T5, "flux1", "text_encoder_2", "T5-XXL", True),
        (T5, "flux1", "text_encoder_1", "T5-XXL", False),
        (VAE, "zimage", "vae", "VAE", True),
        (VAE, "flux2", "vae", "VAE", False),
        ({"decoder.conv1.weight": (8, 16, 3, 3, 3)}, "zimage", "vae", "VAE", False),  # a video's
        (ZIMAGE, "zimage", "text_encoder_1", "Z-Image", False),
        (CONDITIONER, "anima", "text_encoder_2", "Text conditioner", True),
        (ANIMA, "anima", "text_encoder_2", "Anima", False),
    ],
)
def test_a_header_tells_what_a_file_is(
    tmp_path: Path, shapes: Shapes, family: str, component: str, name: str, right: bool
) -> None:
    part, fits = judged(header_of(tmp_path / "x.safetensors", shapes), family, component)
    assert (part.name, fits) == (name, right)


def test_a_denoiser_is_counted_without_what_lies_beside_it(tmp_path: Path) -> None:
    part = read_part(header_of(tmp_path / "x.safetensors", ANIMA), FAMILIES["anima"].component("denoiser"))
    assert part.inside == ("text_encoder_2",)
    beside = sum(prod(shape) for name, shape in ANIMA.items() if name.startswith("net.llm_adapter."))
    assert part.numbers == sum(prod(shape) for shape in ANIMA.values()) - beside > 0 < beside


def test_cosmos_predict2_is_not_taken_for_anima_which_is_made_of_it(tmp_path: Path) -> None:
    own = {"net.t_embedding_norm.weight": (8,)}
    cosmos = own | {name: shape for name, shape in ANIMA.items() if "llm_adapter" not in name}
    assert family_of_model(header_of(tmp_path / "x.safetensors", cosmos)) == ""
    assert family_of_model(header_of(tmp_path / "y.safetensors", own | ANIMA)) == "anima"


def test_size_and_precision_are_those_of_the_most_numbers(tmp_path: Path) -> None:
    path = header_of(tmp_path / "x.safetensors", {f"model.diffusion_model.{name}": s for name, s in ZIMAGE.items()})
    part = read_part(path, FAMILIES["zimage"].component("denoiser"))
    assert (part.family, part.numbers, part.precision) == ("zimage", 3_000_008, "bf16")


def test_the_size_that_belongs_to_a_variant_is_told_by_the_models_name(tmp_path: Path) -> None:
    path = header_of(tmp_path / "x.safetensors", QWEN3)
    assert judged(path, "flux2_klein", "text_encoder_1", "models/flux-2-klein-4b.safetensors")[1]
    assert not judged(path, "flux2_klein", "text_encoder_1", "models/flux-2-klein-9b.safetensors")[1]


def test_gguf_files_and_folders_are_read_too(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "qwen3")
    for name in ("token_embd", "blk.0.attn_q", "blk.0.attn_q_norm", "blk.35.attn_q"):
        data = gguf.quantize(np.ones((2, 2560), np.float32), gguf.GGMLQuantizationType.Q8_0)
        writer.add_tensor(f"{name}.weight", data, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part, right = judged(tmp_path / "x.gguf", "zimage", "text_encoder_1")
    assert (part.name, part.precision, right) == ("Qwen3 4B", "Q8_0", True)
    header_of(tmp_path / "model/vae/diffusion_pytorch_model.safetensors", VAE)
    assert judged(tmp_path / "model", "zimage", "vae") == judged(tmp_path / "model/vae", "zimage", "vae")
    assert judged(tmp_path / "model", "zimage", "vae")[1]


@pytest.mark.parametrize("about", [{}, {"dtype": "F32", "shape": 3}, {"dtype": "F32", "shape": ["x"]}, 7])
def test_a_header_that_is_none_is_refused(tmp_path: Path, about: Any) -> None:
    text = json.dumps({"a": about}).encode()
    (tmp_path / "x.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(UserError):
        read_part(tmp_path / "x.safetensors", FAMILIES["zimage"].component("vae"))


def test_what_lies_beside_a_denoiser_is_found(tmp_path: Path) -> None:
    denoiser = header_of(tmp_path / "diffusion_models/z_image_turbo_bf16.safetensors", ZIMAGE)
    vae = header_of(tmp_path / "vae/ae.safetensors", VAE)
    header_of(tmp_path / "vae/other.safetensors", {"decoder.conv_in.weight": (512, 4, 3, 3)})
    header_of(tmp_path / "text_encoders/qwen_3_8b.safetensors", llm(4096, "q_norm.weight"))
    qwen = header_of(tmp_path / "text_encoders/qwen_3_4b.safetensors", QWEN3)
    header_of(tmp_path / "text_encoders/another.safetensors", QWEN3)
    card = FAMILIES["zimage"]
    assert found_beside(card, denoiser, ("vae", "text_encoder_1")) == {"vae": vae, "text_encoder_1": qwen}
    assert found_beside(card, denoiser, ("vae",)) == {"vae": vae}
    assert found_beside(FAMILIES["flux1"], denoiser, ("vae",)) == {}
    assert found_beside(card, tmp_path / "no.safetensors", ("vae",)) == {}
    header_of(tmp_path / "vae/also16.safetensors", VAE)
    assert found_beside(card, denoiser, ("vae",)) == {}  # nobody knows which


def test_what_the_denoisers_file_holds_is_not_looked_for(tmp_path: Path) -> None:
    inside = ZIMAGE | {f"vae.{name}": shape for name, shape in VAE.items()}
    whole = header_of(tmp_path / "z_image.safetensors", inside)
    qwen = header_of(tmp_path / "qwen_3_4b.safetensors", QWEN3)
    header_of(tmp_path / "vae/ae.safetensors", VAE)
    assert found_beside(FAMILIES["zimage"], whole, ("vae", "text_encoder_1")) == {"text_encoder_1": qwen}
    anima = header_of(tmp_path / "anima.safetensors", ANIMA)
    header_of(tmp_path / "conditioner.safetensors", CONDITIONER)
    assert read_part(anima, FAMILIES["anima"].component("denoiser")).inside == ("text_encoder_2",)
    assert found_beside(FAMILIES["anima"], anima, ("text_encoder_2",)) == {}


def test_the_index_of_a_modular_pipeline_tells_the_family_too(tmp_path: Path) -> None:
    usual = json.loads((BUNDLED / "anima" / "model_index.json").read_text(encoding="utf-8"))
    entries = {name: [*entry, {"subfolder": name}] for name, entry in usual.items() if isinstance(entry, list)}
    (tmp_path / "modular_model_index.json").write_text(json.dumps(entries), encoding="utf-8")
    assert family_of_model(tmp_path) == "anima"


@pytest.mark.parametrize(
    ("kind", "config", "name"),
    [
        ("llm", {"model_type": "qwen3", "hidden_size": 2560, "num_hidden_layers": 36}, "Qwen3 4B"),
        ("llm", {"model_type": "qwen3_vl", "text_config": {"model_type": "qwen3_vl_text", "hidden_size": 4096}},
         "Qwen3-VL 8B"),
        ("llm", {"text_config": {"model_type": "ministral3", "hidden_size": 3072}}, "ministral3"),
        ("llm", {"model_type": "clip_text_model", "hidden_size": 1280}, "CLIP-G"),
        ("t5", {"model_type": "umt5", "d_model": 4096}, "UMT5-XXL"),
        ("clip", {"model_type": "t5", "d_model": 768}, "T5-base"),
        ("vae", {"model_type": "t5", "d_model": 768}, "T5-base"),
        ("clip", {"_class_name": "AutoencoderKL", "latent_channels": 16}, "VAE"),
        ("llm", {"_class_name": "AutoencoderKLWan", "z_dim": 16}, "VAE"),
    ],
)  # fmt: skip
def test_a_config_tells_what_a_folder_is(kind: Any, config: dict[str, Any], name: str) -> None:
    spec = ComponentSpec("text_encoder_1", kind, "text_encoder", "transformers.models.clip.modeling_clip:CLIPTextModel")
    assert configured(spec, config).name == name


def test_a_denoisers_config_is_neither_a_vae_nor_a_text_encoder() -> None:
    for card in FAMILIES.values():
        config = {"_class_name": card.component("denoiser").class_path.partition(":")[2]}
        kind = card.component("denoiser").kind
        others = [spec for spec in card.components if spec.kind == "vae" or spec.library == "transformers"]
        assert {configured(spec, config).kind for spec in others} == {kind}


def test_a_denoiser_that_nobody_has_published_may_have_an_encoder_of_any_size() -> None:
    card = FAMILIES["flux2_klein"]
    own = json.loads((BUNDLED / "flux2-klein-9b/transformer/config.json").read_text(encoding="utf-8"))
    wanted = [wanted_parts(card, card.component("text_encoder_1"), "x", config) for config in (own, {"num_layers": 3})]
    assert [[part.name for part in parts] for parts in wanted] == [["Qwen3 8B"], ["Qwen3"]]
