"""Files of LoHa, LoKr and OFT: names and shapes by the rules of LyCORIS, and what ComfyUI and A1111 make of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from math import isqrt
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from modules.errors import UserError
from modules.families.parts.adapter_origin import read_for
from modules.formats.adapter import merged_weight
from modules.formats.adapter_files import kohya_tensors, read_adapter
from modules.formats.lora import LoraTensors
from modules.formats.metadata import file_metadata
from modules.methods import attach
from modules.methods.adapter import Adapter
from tests.formats.test_lora import GOLDEN, TEXTS, meta_copy
from tests.formats.test_metadata import FACTS, SPEC
from tests.methods.setting import opened, preset, stir

Shapes = dict[str, tuple[int, ...]]


def modules_of(golden: str) -> dict[str, tuple[int, ...]]:
    """Each layer of a file that sd-scripts wrote, by its name there: the shape of its weight."""
    found: dict[str, dict[str, tuple[int, ...]]] = {}
    for line in (GOLDEN / f"{golden}.tsv").read_text().splitlines():
        key, _, shape = line.partition("\t")
        name, _, ending = key.partition(".")
        found.setdefault(name, {})[ending] = tuple(int(n) for n in shape.strip("()").split(",") if n.strip())
    return {name: (shapes["lora_up.weight"][0], *shapes["lora_down.weight"][1:]) for name, shapes in found.items()}


def loha(weight: tuple[int, ...]) -> Shapes:
    """LyCORIS, modules/loha.py: the kernel counts among the inputs."""
    outputs, inputs = weight[0], torch.Size(weight[1:]).numel()
    return {"hada_w1_a": (outputs, 4), "hada_w1_b": (4, inputs), "hada_w2_a": (outputs, 4), "hada_w2_b": (4, inputs)}


def loha_tucker(weight: tuple[int, ...]) -> Shapes:
    if weight[2:] in ((), (1, 1)):
        return loha(weight)
    sides = {f"hada_w{n}_{side}": (4, size) for n in (1, 2) for side, size in zip("ab", weight[:2], strict=True)}
    return {**sides, "hada_t1": (4, 4, *weight[2:]), "hada_t2": (4, 4, *weight[2:])}


def lokr(weight: tuple[int, ...]) -> Shapes:
    """LyCORIS, modules/lokr.py, with factor 8 and rank 4."""
    (o, p), (i, q) = ((8, size // 8) for size in weight[:2])
    kernel = weight[2:]
    if max(p, q) / 2 <= 4:
        return {"lokr_w1": (o, i), "lokr_w2": (p, q, *kernel)}
    return {"lokr_w1": (o, i), "lokr_w2_a": (p, 4), "lokr_w2_b": (4, q * torch.Size(kernel).numel())}


def lokr_full(weight: tuple[int, ...]) -> Shapes:
    """Its default factor, -1: both factors as near to the root as can be."""
    (o, p), (i, q) = (near_root(size) for size in weight[:2])
    return {"lokr_w1": (o, i), "lokr_w2": (p, q, *weight[2:])}


def near_root(size: int) -> tuple[int, int]:
    small = max(n for n in range(1, isqrt(size) + 1) if size % n == 0)
    return small, size // small


def oft(weight: tuple[int, ...]) -> Shapes:
    """sd-scripts, networks/oft.py, and LyCORIS, modules/diag_oft.py: (blocks, size, size)."""
    return {"oft_blocks": (weight[0] // 16, 16, 16)}


CASES: list[tuple[Any, dict[str, Any]]] = [
    (loha, {"kind": "loha", "rank": 4}),
    (loha_tucker, {"kind": "loha", "rank": 4, "tucker": True}),
    (lokr, {"kind": "lokr", "rank": 4, "factor": 8}),
    (lokr_full, {"kind": "lokr", "full_matrix": True}),
    (oft, {"kind": "oft"}),
]


@pytest.mark.parametrize(("rule", "method"), CASES, ids=[rule.__name__ for rule, _ in CASES])
@pytest.mark.parametrize(
    ("kind", "bundled", "golden", "conv", "layers"),
    [("sd", "sd15", "lora_sd15_kohya", False, 264), ("sd", "sd15", "lora_sd15_locon_kohya", True, 350),
     ("sdxl", "sdxl", "lora_sdxl_kohya", False, 986)],
)  # fmt: skip
def test_names_and_shapes_are_those_of_lycoris(
    kind: str, bundled: str, golden: str, conv: bool, layers: int, rule: Any, method: dict[str, Any]
) -> None:
    modules = modules_of(golden)
    assert len(modules) == layers
    expected = {f"{name}.{end}": shape for name, weight in modules.items() for end, shape in rule(weight).items()}
    expected |= {f"{name}.alpha": () for name in modules}
    adapter = attach(meta_copy(kind, bundled), preset({**method, "conv": conv}, *TEXTS[kind], kind=kind))
    assert isinstance(adapter, Adapter)
    names = adapter.family.lora_names()
    held = {names[name]: update.tensors() for name, update in adapter.updates.items()}
    blank = {
        name: type(update)({n: torch.zeros(t.shape) for n, t in update.values.items()}, update.alpha)
        for name, update in held.items()
    }
    found = kohya_tensors(blank, torch.float16)
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == expected


# What other programs would make of our files


def by_comfy(weight: Tensor, v: dict[str, Tensor]) -> Tensor:
    """As ComfyUI and A1111 read it: alpha over the rank, nothing where both matrices are whole; blocks turned."""
    alpha = v["alpha"]
    if "hada_w1_a" in v:
        if "hada_t1" in v:
            change = [
                torch.einsum("ijkl,jr,ip->prkl", v[f"hada_t{n}"], v[f"hada_w{n}_b"], v[f"hada_w{n}_a"]) for n in "12"
            ]
        else:
            change = [v[f"hada_w{n}_a"] @ v[f"hada_w{n}_b"] for n in "12"]
        return weight + alpha / v["hada_w1_b"].shape[0] * (change[0] * change[1]).reshape(weight.shape)
    if "oft_blocks" in v:
        assert alpha == 0, "a limit would be read in two ways"
        skew = v["oft_blocks"] - v["oft_blocks"].transpose(1, 2)
        one = torch.eye(skew.shape[1])
        turn = (one + skew) @ (one - skew).inverse()
        blocks = weight.reshape(*skew.shape[:2], *weight.shape[1:])
        return torch.einsum("knm,kn...->km...", turn, blocks).reshape(weight.shape)
    ranks = [v[name].shape[0] for name in ("lokr_w1_b", "lokr_w2_b") if name in v]
    w1 = v["lokr_w1"] if "lokr_w1" in v else v["lokr_w1_a"] @ v["lokr_w1_b"]
    if "lokr_t2" in v:
        w2 = torch.einsum("ijkl,jr,ip->prkl", v["lokr_t2"], v["lokr_w2_b"], v["lokr_w2_a"])
    else:
        w2 = v["lokr_w2"] if "lokr_w2" in v else v["lokr_w2_a"] @ v["lokr_w2_b"]
    if w2.dim() == 4:
        w1 = w1[:, :, None, None]
    return weight + (alpha / ranks[-1] if ranks else 1.0) * torch.kron(w1, w2.contiguous()).reshape(weight.shape)


MORE: dict[str, dict[str, Any]] = {
    "loha": {"kind": "loha", "rank": 2, "alpha": 3.0},
    "loha tucker": {"kind": "loha", "rank": 2, "alpha": 3.0, "tucker": True},
    "lokr": {"kind": "lokr", "rank": 1, "alpha": 0.5},
    "lokr full": {"kind": "lokr", "full_matrix": True, "alpha": 0.5},
    "lokr both": {"kind": "lokr", "rank": 1, "alpha": 0.5, "decompose_both": True, "tucker": True},
    "oft": {"kind": "oft", "block_size": 4},
    "oft constrained": {"kind": "oft", "block_size": 4, "constraint": 0.001},
}


@pytest.mark.parametrize("method", MORE.values(), ids=MORE)
def test_other_programs_would_draw_what_was_trained(method: dict[str, Any], tmp_path: Path) -> None:
    adapter = attach(opened("sdxl"), preset({**method, "conv": True}, kind="sdxl", output={"dtype": "fp32"}))
    assert isinstance(adapter, Adapter)
    stir(adapter)
    [path] = adapter.export(tmp_path / "it", {})
    layers: dict[str, dict[str, Tensor]] = {}
    for key, tensor in load_file(path).items():
        layers.setdefault(key.partition(".")[0], {})[key.partition(".")[2]] = tensor
    names = adapter.family.lora_names()
    assert layers.keys() == {names[name] for name in adapter.updates}
    for name, update in adapter.updates.items():
        weight = update.layer.weight
        held = update.tensors_class({n: p.detach() for n, p in update.values.items()}, update.alpha)
        torch.testing.assert_close(by_comfy(weight, layers[names[name]]), held.changed(weight), rtol=1e-4, atol=1e-5)


def test_the_header_names_the_kind_as_lycoris_does() -> None:
    def told(method: dict[str, Any]) -> dict[str, str]:
        return file_metadata(preset(method), SPEC, FACTS)

    found = told({"kind": "lokr", "rank": 4, "alpha": 2.0, "factor": 8, "conv": True, "decompose_both": True})
    assert (found["ss_network_module"], found["ss_network_dim"], found["ss_network_alpha"]) == (
        "lycoris.kohya",
        "4",
        "2.0",
    )
    assert json.loads(found["ss_network_args"]) == {
        "algo": "lokr", "factor": "8", "decompose_both": "True", "conv_dim": "4", "conv_alpha": "2.0",
    }  # fmt: skip
    assert json.loads(told({"kind": "oft"})["ss_network_args"]) == {"algo": "diag-oft", "block_size": "16"}
    lora = told({"kind": "lora", "rank_dropout": 0.1, "module_dropout": 0.2, "dropout": 0.3, "rate_ratio": 4.0})
    assert (lora["ss_network_module"], lora["ss_network_dropout"]) == ("networks.lora", "0.3")
    assert json.loads(lora["ss_network_args"]) == {
        "rank_dropout": "0.1", "module_dropout": "0.2", "loraplus_lr_ratio": "4.0",
    }  # fmt: skip
    assert told({"kind": "loha", "max_norm": 1.0})["ss_scale_weight_norms"] == "1.0"


def test_the_place_of_the_file_that_was_gone_on_from_is_not_told(tmp_path: Path) -> None:
    found = file_metadata(preset({"kind": "lora", "start_from": str(tmp_path / "mine.safetensors")}), SPEC, FACTS)
    assert "mine" not in " ".join(found.values())


# Our reader

LAYER = "lora_unet_mid_block_resnets_0_time_emb_proj"  # 32 inputs, 16 outputs
EMB = "mid_block.resnets.0.time_emb_proj"  # the same in the model


@cache
def spellings(kind: str) -> Mapping[str, str]:
    return opened(kind).layer_spellings()


def written(folder: Path, **tensors: Tensor) -> Path:
    save_file({f"{LAYER}.{name}": tensor for name, tensor in tensors.items()}, folder / "x.safetensors")
    return folder / "x.safetensors"


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"hada_w1_a": torch.ones(16, 2), "hada_w1_b": torch.ones(2, 32)}, "lacks its hada"),
        ({"hada_w1_a": torch.ones(16, 2), "hada_w1_b": torch.ones(3, 32), "hada_w2_a": torch.ones(16, 2),
          "hada_w2_b": torch.ones(2, 32)}, "do not fit together"),
        ({"hada_w1_a": torch.ones(16), "hada_w1_b": torch.ones(3, 32), "hada_w2_a": torch.ones(16, 2),
          "hada_w2_b": torch.ones(2, 32)}, "do not fit together"),
        ({"lokr_w1": torch.ones(2, 2)}, "lacks its lokr_w2"),
        ({"lokr_w1": torch.ones(2, 2), "lokr_w2_a": torch.ones(8, 2)}, "lacks its lokr_w2"),
        ({"lokr_w1": torch.ones(2), "lokr_w2": torch.ones(8, 16)}, "do not fit together"),
        ({"oft_blocks": torch.ones(2, 8)}, "not squares"),
        ({"oft_blocks": torch.full((2, 8, 8), torch.nan)}, "not numbers"),
        ({"lora_down.weight": torch.ones(2, 32), "lora_up.weight": torch.ones(16, 2),
          "dora_scale": torch.full((16, 1), torch.nan)}, "not numbers"),
        ({"oft_blocks": torch.ones(2, 8, 8), "hada_w1_a": torch.ones(2, 2)}, "different kinds"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_whole_is_refused_in_words(tensors: dict[str, Tensor], words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        read_adapter(written(tmp_path, **tensors), spellings("sd"))


@pytest.mark.parametrize(
    "tensors",
    [{"oft_blocks": torch.ones(3, 8, 8)}, {"lokr_w1": torch.ones(2, 2), "lokr_w2": torch.ones(8, 15)},
     {"lokr_w1": torch.ones(2, 2), "lokr_w2": torch.ones(8, 16, 3, 3)}],
)  # fmt: skip
def test_a_layer_of_another_size_is_refused_in_words(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    path = written(tmp_path, **tensors)
    assert len(read_adapter(path, spellings("sd"))) == 1
    with pytest.raises(UserError, match=rf"{path.name} was made for another model: its .* for [\w.]+ is"):
        read_for(opened(), path)


def test_kohya_s_own_oft_and_its_limit_are_read(tmp_path: Path) -> None:
    """sd-scripts calls its layers oft_unet, and alpha times the outputs is the longest Q."""
    torch.manual_seed(0)
    blocks = torch.randn(4, 4, 4)
    save_file(
        {
            f"oft_unet{LAYER.removeprefix('lora_unet')}.{n}": t
            for n, t in (("oft_blocks", blocks), ("alpha", torch.tensor(0.01)))
        },
        tmp_path / "x.safetensors",
    )
    [update] = read_adapter(tmp_path / "x.safetensors", spellings("sd")).values()
    skew = blocks - blocks.mT
    skew = skew * (0.16 / skew.norm())
    turn = torch.block_diag(*((torch.eye(4) + q) @ (torch.eye(4) - q).inverse() for q in skew))
    weight = torch.randn(16, 32)
    torch.testing.assert_close(merged_weight(weight, update), turn.T @ weight, rtol=1e-4, atol=1e-5)


def test_columns_and_rows_of_a_dora_are_told_apart() -> None:
    """OneTrainer's usual DoRA brings columns to length: (1, inputs)."""
    torch.manual_seed(0)
    weight, down, up = torch.randn(5, 4), torch.randn(2, 4), torch.randn(5, 2)
    whole = weight + 0.5 * up @ down
    columns, rows = torch.rand(1, 4) + 1, torch.rand(5, 1) + 1
    by_column = merged_weight(weight, LoraTensors.of(down, up, 1.0, columns))
    by_row = merged_weight(weight, LoraTensors.of(down, up, 1.0, rows))
    torch.testing.assert_close(by_column, whole / whole.norm(dim=0, keepdim=True) * columns)
    torch.testing.assert_close(by_row, whole / whole.norm(dim=1, keepdim=True) * rows)
    with pytest.raises(UserError, match="DoRA"):
        merged_weight(weight, LoraTensors.of(down, up, 1.0, torch.ones(1, 3)))


@pytest.mark.parametrize(("alpha", "scale"), [({}, 1.0), ({"alpha": torch.tensor(0.5)}, 0.25)], ids=["as rank", "own"])
def test_a_locon_with_tucker_is_read(alpha: dict[str, Tensor], scale: float, tmp_path: Path) -> None:
    """LyCORIS, modules/locon.py: down 1x1, a core with the kernel, up 1x1; times alpha / rank."""
    torch.manual_seed(0)
    down, mid, up = torch.randn(2, 16, 1, 1), torch.randn(2, 2, 3, 3), torch.randn(16, 2, 1, 1)
    name = "lora_unet_mid_block_resnets_0_conv1"
    held = {"lora_down.weight": down, "lora_mid.weight": mid, "lora_up.weight": up, **alpha}
    save_file({f"{name}.{key}": tensor for key, tensor in held.items()}, tmp_path / "x.safetensors")
    [update] = read_adapter(tmp_path / "x.safetensors", spellings("sd")).values()
    x = torch.randn(1, 16, 5, 5)
    conv = torch.nn.functional.conv2d
    weight = torch.zeros(16, 16, 3, 3)
    torch.testing.assert_close(
        conv(x, merged_weight(weight, update), padding=1),
        scale * conv(conv(conv(x, down), mid, padding=1), up),
        rtol=1e-4,
        atol=1e-4,
    )


def test_words_in_a_lora_file_are_left_to_others(tmp_path: Path) -> None:
    tensors = {f"{LAYER}.oft_blocks": torch.zeros(4, 4, 4), "bundle_emb.new.clip_l": torch.ones(1, 16)}
    save_file(tensors, tmp_path / "x.safetensors")
    assert len(read_adapter(tmp_path / "x.safetensors", spellings("sd"))) == 1


NAMES = [  # a layer as programs write it, the family, where it is in the model
    ("lora_unet_conv_in", "sd", "denoiser|conv_in"),
    ("lora_unet_input_blocks_0_0", "sdxl", "denoiser|conv_in"),
    ("lora_unet_out_2", "sdxl", "denoiser|conv_out"),
    ("lora_unet_time_embed_0", "sdxl", "denoiser|time_embedding.linear_1"),
    ("lora_unet_time_embedding_linear_1", "sd", "denoiser|time_embedding.linear_1"),
    ("lora_unet_label_emb_0_2", "sdxl", "denoiser|add_embedding.linear_2"),
    ("lora_te2_text_projection", "sdxl", "text_encoder_2|text_projection"),
    ("lycoris_mid_block_resnets_0_time_emb_proj", "sd", f"denoiser|{EMB}"),  # SimpleTuner
    (f"base_model.model.{EMB}", "sd", f"denoiser|{EMB}"),  # PEFT by itself
    ("unet.middle_block.0.emb_layers.1", "sdxl", f"denoiser|{EMB}"),  # OneTrainer's "omi", and what it made of old
    (f"lora_unet.{EMB}", "sdxl", f"denoiser|{EMB}"),
    ("lora_unet_mid_block_resnets_0_time_emb_proj", "sdxl", f"denoiser|{EMB}"),
    ("diffusion_model.middle_block.0.emb_layers.1", "sdxl", f"denoiser|{EMB}"),
    ("clip_l.text_model.encoder.layers.0.mlp.fc1", "sdxl", "text_encoder_1|encoder.layers.0.mlp.fc1"),
    ("clip_g.text_model.encoder.layers.0.mlp.fc1", "sdxl", "text_encoder_2|text_model.encoder.layers.0.mlp.fc1"),
    ("lora_te1.text_model.encoder.layers.0.mlp.fc1", "sd", "text_encoder_1|encoder.layers.0.mlp.fc1"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "place"), NAMES, ids=[f"{kind} {name}" for name, kind, _ in NAMES])
def test_every_layer_is_read_under_the_names_of_every_program(name: str, kind: str, place: str, tmp_path: Path) -> None:
    """Also layers that are never trained here."""
    tensors = {f"{name}.lora_down.weight": torch.ones(1, 2), f"{name}.lora_up.weight": torch.ones(3, 1)}
    save_file(tensors, tmp_path / "x.safetensors")
    assert [*read_adapter(tmp_path / "x.safetensors", spellings(kind))] == [place]


def test_the_attention_of_old_diffusers_files_is_read(tmp_path: Path) -> None:
    attention = "mid_block.attentions.0.transformer_blocks.0.attn1"
    for layer in ("to_q", "to_out"):
        name = f"{attention}.processor.{layer}_lora"
        tensors = {f"{name}.down.weight": torch.ones(1, 2), f"{name}.up.weight": torch.ones(3, 1)}
        save_file(tensors, tmp_path / f"{layer}.safetensors")
        [read] = read_adapter(tmp_path / f"{layer}.safetensors", spellings("sd"))
        assert read == f"denoiser|{attention}.{layer.replace('to_out', 'to_out.0')}"


@pytest.mark.parametrize(
    "extra",
    ["norm1.w_norm", "conv1.diff", "time_emb_proj.lora_up.bias", "conv1.oft_blocks", "time_emb_proj.reshape_weight"],
)
def test_one_tensor_that_cannot_be_read_is_named_and_left_out_where_that_is_wanted(extra: str, tmp_path: Path) -> None:
    stray = f"{LAYER.removesuffix('time_emb_proj')}{extra}"
    tensors = {f"{LAYER}.lora_down.weight": torch.ones(2, 32), f"{LAYER}.lora_up.weight": torch.ones(16, 2)}
    save_file({**tensors, stray: torch.ones(1, 1, 1, 1)}, tmp_path / "x.safetensors")
    with pytest.raises(UserError, match=r"1 tensor that cannot be read here.*skip_unread") as refusal:
        read_adapter(tmp_path / "x.safetensors", spellings("sd"))
    assert refusal.value.problem.values["names"].values["names"] == [stray]
    unread: list[str] = []
    assert [*read_adapter(tmp_path / "x.safetensors", spellings("sd"), unread)] == [f"denoiser|{EMB}"]
    assert unread == [stray]


def test_the_scalar_of_lycoris_counts(tmp_path: Path) -> None:
    torch.manual_seed(0)
    down, up, weight = torch.randn(2, 32), torch.randn(16, 2), torch.randn(16, 32)
    path = written(tmp_path, **{"lora_down.weight": down, "lora_up.weight": up, "scalar": torch.tensor(0.5)})
    [update] = read_adapter(path, spellings("sd")).values()
    torch.testing.assert_close(merged_weight(weight, update), weight + 0.5 * up @ down)
