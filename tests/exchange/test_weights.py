"""A preset of any LoRA or model: what tensors tell where nobody wrote settings into the header."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from modules.errors import UserError
from modules.exchange.imported import Imported
from modules.exchange.reading import foreign, read

FLUX = {f"transformer.single_transformer_blocks.{n}.attn.to_q": (3072, 3072) for n in range(4)}
UNET_1 = {f"lora_unet_down_blocks_{n}_attentions_0_transformer_blocks_0_attn2_to_k": (768, 320) for n in range(2)}
UNET_XL = {f"lora_unet_input_blocks_{n}_1_transformer_blocks_0_attn2_to_k": (2048, 640) for n in (4, 5)}


def file_of(folder: Path, tensors: dict[str, list[int]], alpha: float = 0.0, **metadata: str) -> Path:
    """A file with these shapes; names that end in "alpha" hold a number, all others nothing."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    data = b""
    for name, shape in tensors.items():
        number = struct.pack("<e", alpha) if name.endswith("alpha") else b""
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [len(data), len(data) + len(number)]}
        data += number
    text = json.dumps(header).encode()
    path = folder / "some.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def lora(layers: dict[str, tuple[int, int]], rank: int, down: str, up: str, *more: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for name, (inputs, outputs) in layers.items():
        found |= {f"{name}.{down}": [rank, inputs], f"{name}.{up}": [outputs, rank]}
        found |= {f"{name}.{each}": [] for each in more}
    return found


def values_of(found: Imported, *paths: str) -> list[Any]:
    whole = found.preset.model_dump()
    return [whole[path.partition(".")[0]][path.partition(".")[2]] for path in paths]


def test_a_lora_of_kohya_without_a_header(tmp_path: Path) -> None:
    layers = {**UNET_XL, "lora_te2_text_model_encoder_layers_0_self_attn_q_proj": (1280, 1280)}
    file = file_of(tmp_path, lora(layers, 32, "lora_down.weight", "lora_up.weight", "alpha"), alpha=16.0)
    found = read(file)
    assert found.partial
    assert values_of(found, "model.family", "method.kind", "method.rank", "method.alpha") == ["sdxl", "lora", 32, 16.0]
    training = found.preset.training
    assert (training.denoiser.train, *(part.train for part in training.text_encoders[:2])) == (True, False, True)


def test_a_lora_of_peft_has_its_alpha_beside_it(tmp_path: Path) -> None:
    file = file_of(tmp_path, lora(FLUX, 8, "lora_A.weight", "lora_B.weight"))
    paths = ("model.family", "method.rank", "method.alpha", "method.layers")
    assert values_of(read(file), *paths) == ["flux1", 8, 8.0, "attention"]
    (tmp_path / "adapter_config.json").write_text('{"r": 8, "lora_alpha": 4}', encoding="utf-8")
    assert values_of(read(file), "method.alpha") == [4.0]


@pytest.mark.parametrize(
    ("layers", "family"),
    [
        (UNET_1, "sd"),
        ({"diffusion_model.double_blocks.0.img_attn.qkv": (3072, 9216)}, "flux1"),
        ({"lora_unet_single_blocks_3_linear1": (3072, 27648)}, "flux2_klein"),
        ({"diffusion_model.single_blocks.3.linear1": (6144, 55296)}, "flux2"),
        ({"transformer.single_transformer_blocks.3.attn.to_qkv_mlp_proj": (4096, 36864)}, "flux2_klein"),
        ({"diffusion_model.layers.7.attention.qkv": (3840, 11520)}, "zimage"),
        ({"transformer.transformer_blocks.7.attn.to_q": (3072, 3072)}, "qwen_image"),
        ({"lora_unet_joint_blocks_7_x_block_attn_qkv": (1536, 4608)}, "sd3"),
        ({"transformer.transformer_blocks.7.attn.to_q": (2432, 2432)}, "sd3"),
        ({"diffusion_model.blocks.7.self_attn.q_proj": (2048, 2048)}, "anima"),
        ({"diffusion_model.blocks.7.attn.wq": (6144, 6144)}, "krea2"),
        ({"diffusion_model.blocks.7.self_attn.q": (5120, 5120)}, None),  # Wan
    ],
)
def test_the_family_is_told_by_names_and_widths(
    tmp_path: Path, layers: dict[str, tuple[int, int]], family: str | None
) -> None:
    found = read(file_of(tmp_path, lora(layers, 16, "lora_A.weight", "lora_B.weight")))
    assert found.values.get("model", {}).get("family") == family


def test_metadata_counts_more_than_names(tmp_path: Path) -> None:
    found = read(
        file_of(tmp_path, lora(FLUX, 8, "lora_A.weight", "lora_B.weight"), 0.0, ss_base_model_version="chroma")
    )
    assert values_of(found, "model.family") == ["chroma"]


def test_relatives_of_lora_are_told_by_their_tensors(tmp_path: Path) -> None:
    name = next(iter(UNET_1))
    loha = {f"{name}.hada_w{n}_{part}": [320, 4] if part == "a" else [4, 768] for n in (1, 2) for part in "ab"}
    assert values_of(read(file_of(tmp_path, loha)), "method.kind", "method.rank") == ["loha", 4]
    lokr = {f"{name}.lokr_w1": [16, 16], f"{name}.lokr_w2": [20, 48]}
    paths = "method.kind", "method.factor", "method.full_matrix"
    assert values_of(read(file_of(tmp_path, lokr)), *paths) == ["lokr", 16, True]
    dora = {**lora(UNET_1, 8, "lora_down.weight", "lora_up.weight"), f"{name}.dora_scale": [320, 1]}
    assert values_of(read(file_of(tmp_path, dora)), "method.dora", "method.dora_axis") == [True, "outputs"]


def test_convolutions_have_a_rank_of_their_own(tmp_path: Path) -> None:
    conv = "lora_unet_down_blocks_0_resnets_0_conv1"
    tensors = lora(UNET_1, 16, "lora_down.weight", "lora_up.weight")
    tensors |= {f"{conv}.lora_down.weight": [4, 320, 3, 3], f"{conv}.lora_up.weight": [320, 4, 1, 1]}
    paths = "method.rank", "method.conv", "method.conv_rank"
    assert values_of(read(file_of(tmp_path, tensors)), *paths) == [16, True, 4]


def test_steps_of_ai_toolkit_are_taken(tmp_path: Path) -> None:
    metadata = {"training_info": '{"step": 1750, "epoch": 3}', "software": '{"name": "ai-toolkit"}'}
    found = read(file_of(tmp_path, lora(FLUX, 8, "lora_A.weight", "lora_B.weight"), 0.0, **metadata))
    assert found.preset.training.steps == 1750
    assert any("ai-toolkit" in str(row.problem.values.get("who")) for row in found.rows)


def test_a_model_gives_its_type_and_itself(tmp_path: Path) -> None:
    tensors = {"model.diffusion_model.input_blocks.0.0.weight": [320, 4, 3, 3], "v_pred": [], "ztsnr": [],
               "conditioner.embedders.1.model.ln_final.weight": [1280]}  # fmt: skip
    found = read(file_of(tmp_path, tensors))
    assert found.partial and found.is_project is False
    assert values_of(found, "model.family", "objective.prediction") == ["sdxl", "v_prediction"]
    assert found.preset.model.source.endswith("some.safetensors")


def test_what_is_neither_ends_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="says nothing"):
        foreign(file_of(tmp_path, {"something": [4]}))


@pytest.mark.parametrize("about", [None, 7, {}, {"shape": "x"}, {"shape": [2, None], "data_offsets": [0]},
                                   {"shape": [], "dtype": "F16", "data_offsets": [10**12, 10**12 + 2]}])  # fmt: skip
def test_damaged_headers_break_nothing(tmp_path: Path, about: Any) -> None:
    name = next(iter(UNET_1))
    text = json.dumps({f"{name}.{part}": about for part in ("lora_down.weight", "lora_up.weight", "alpha")}).encode()
    file = tmp_path / "some.safetensors"
    file.write_bytes(len(text).to_bytes(8, "little") + text)
    try:
        assert read(file).values["method"]["kind"] == "lora"
    except UserError as error:
        assert str(error)
