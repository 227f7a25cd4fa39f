"""Quantized files are seen as plain tensors: every format against another implementation, and every way to be wrong."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM, T5Config, T5EncoderModel

from modules.errors import UserError
from modules.families.parts.fingerprint import Fingerprints
from modules.formats.checkpoint import Link, Renamed
from modules.sentences.render import PLAIN
from modules.system.weights import Weights, open_weights

E4M3, E5M2 = torch.float8_e4m3fn, torch.float8_e5m2


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def json_bytes(value: dict[str, Any]) -> Tensor:
    return torch.tensor(list(json.dumps(value).encode()), dtype=torch.uint8)


def saved(folder: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> Path:
    save_file(tensors, folder / "x.safetensors", metadata)
    return folder / "x.safetensors"


def check_read(weights: Weights, wanted: dict[str, Tensor]) -> None:
    assert {*weights.shapes} == {*wanted}
    for name, tensor in wanted.items():
        room = torch.empty(tensor.numel() * tensor.itemsize, dtype=torch.uint8)
        assert weights.dtype(name) == tensor.dtype and weights.shapes[name] == tuple(tensor.shape)
        for read in (weights.read(name), weights.read(name, room), weights.read(name, room[:0])):
            assert read.dtype == tensor.dtype and torch.equal(read, tensor), name
        assert weights.read(name, room).data_ptr() == room.data_ptr()
        if tensor.dim() and len(tensor) > 1:
            assert torch.equal(weights.rows(name, 1, len(tensor)), tensor[1:])
            assert torch.equal(weights.rows(name, 0, 1), tensor[:1])


# 8 bits with scales ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [E4M3, E5M2])
def test_plain_fp8_is_read_as_bf16_without_loss(tmp_path: Path, dtype: torch.dtype):
    held = torch.randn(4, 6, generator=generator()).to(dtype)
    norm = torch.ones(6, dtype=torch.float16)
    weights = open_weights(saved(tmp_path, {"a.weight": held, "norm.weight": norm}))
    check_read(weights, {"a.weight": held.to(torch.bfloat16), "norm.weight": norm})
    assert torch.equal(weights.read("a.weight").float(), held.float())


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_old_scaled_files_are_multiplied_by_their_scales(tmp_path: Path, prefix: str):
    held, bias = torch.randn(4, 6, generator=generator()).to(E4M3), torch.randn(4)
    tensors = {
        f"{prefix}a.weight": held, f"{prefix}a.scale_weight": torch.tensor(0.37), f"{prefix}a.bias": bias,
        f"{prefix}a.scale_input": torch.tensor(2.0), f"{prefix}scaled_fp8": torch.zeros(2).to(E4M3),
    }  # fmt: skip
    wanted = (held.float() * 0.37).bfloat16()
    check_read(open_weights(saved(tmp_path, tensors)), {f"{prefix}a.weight": wanted, f"{prefix}a.bias": bias})


@pytest.mark.parametrize(
    ("shape", "factors"),
    [((), lambda s: s), ((1,), lambda s: s), ((1, 1), lambda s: s), ((4,), lambda s: s[:, None]), ((4, 1), lambda s: s),
     ((4, 3, 1), lambda s: s[:, :, 0].repeat_interleave(2, dim=1))],
)  # fmt: skip
def test_a_scale_is_one_number_or_one_for_each_row_or_block(tmp_path: Path, shape: tuple[int, ...], factors: Any):
    held, scale = torch.randn(4, 6, generator=generator()).to(E4M3), torch.rand(shape, generator=generator()) + 0.1
    tensors = {"a.weight": held, "a.weight_scale": scale, "a.comfy_quant": json_bytes({"format": "float8_e4m3fn"})}
    wanted = (held.float() * factors(scale)).bfloat16()
    check_read(open_weights(saved(tmp_path, tensors)), {"a.weight": wanted})


def test_int8_without_rotation_is_multiplied_too_and_formats_may_stand_in_the_metadata(tmp_path: Path):
    held, scale = torch.arange(-8, 8, dtype=torch.int8).reshape(4, 4), torch.rand(4, 1, generator=generator())
    metadata = {"_quantization_metadata": json.dumps({"layers": {"a": {"format": "int8_tensorwise"}}})}
    weights = open_weights(saved(tmp_path, {"a.weight": held, "a.weight_scale": scale}, metadata))
    check_read(weights, {"a.weight": (held.float() * scale).bfloat16()})


def test_a_tensor_that_is_only_called_a_scale_stays(tmp_path: Path):
    tensors = {"a.weight": torch.ones(2, 2), "a.weight_scale": torch.ones(2), "b.weight_scale": torch.ones(1)}
    check_read(open_weights(saved(tmp_path, tensors)), tensors)


def test_rows_are_unpacked_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("modules.system.weights.scaled.AT_ONCE", 12)
    held, scale = torch.randn(5, 6, generator=generator()).to(E4M3), torch.rand(5, 1, generator=generator())
    weights = open_weights(saved(tmp_path, {"a.weight": held, "a.weight_scale": scale}))
    assert torch.equal(weights.read("a.weight"), (held.float() * scale).bfloat16())


def test_sharded_files_find_their_scales_in_another_shard(tmp_path: Path):
    held = torch.randn(2, 2, generator=generator()).to(E4M3)
    save_file({"a.weight": held}, tmp_path / "1.safetensors")
    save_file({"a.weight_scale": torch.tensor(3.0)}, tmp_path / "2.safetensors")
    places = {"a.weight": "1.safetensors", "a.weight_scale": "2.safetensors"}
    (tmp_path / "m.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    check_read(open_weights(tmp_path / "m.safetensors.index.json"), {"a.weight": (held.float() * 3).bfloat16()})


U8, F8 = torch.zeros(4, 2, dtype=torch.uint8), torch.zeros(4, 4).to(E4M3)


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"a.weight": U8, "a.weight_scale": F8, "a.weight_scale_2": torch.ones(())}, "nvfp4"),
        ({"a.weight": F8, "a.weight_scale": U8}, "mxfp8"),
        ({"a.weight": U8.to(torch.int8), "a.weight_scale": torch.ones(4, 1),
          "a.comfy_quant": json_bytes({"format": "int8_tensorwise", "convrot": True})}, "ConvRot"),
        ({"a.weight": F8, "a.weight_scale": torch.ones(()), "a.comfy_quant": json_bytes({"format": "fp2"})}, "fp2"),
        ({"a.weight": U8, "a.weight.quant_state.bitsandbytes__nf4": U8.clone()}, "nf4"),
        ({"a.qweight": U8}, "SVDQuant"),
        ({"a.weight": F8, "a.weight_scale": torch.ones(3)}, "do not fit"),
        ({"a.weight": F8, "a.weight_scale": torch.ones(4, 3, 1)}, "do not fit"),
        ({"a.weight": F8, "a.weight_scale": torch.ones(0)}, "do not fit"),
        ({"a.weight": F8, "a.weight_scale": torch.ones(()), "a.comfy_quant": U8}, "metadata"),
        ({"a.weight": F8, "a.weight_scale": torch.ones(()), "a.comfy_quant": torch.zeros(20000, dtype=torch.uint8)},
         "metadata"),
    ],
)  # fmt: skip
def test_what_cannot_be_unpacked_is_named(tmp_path: Path, tensors: dict[str, Tensor], words: str):
    with pytest.raises(UserError, match="safetensors") as caught:
        open_weights(saved(tmp_path, tensors))
    assert words in PLAIN.sentence(caught.value.problem), PLAIN.sentence(caught.value.problem)


@pytest.mark.parametrize("text", ["[]", "{", '{"layers": []}', '{"layers": {"a": 1}}', "[" * 10_000])
def test_metadata_that_says_nothing_is_refused(tmp_path: Path, text: str):
    with pytest.raises(UserError, match="metadata"):
        open_weights(saved(tmp_path, {"a.weight": F8}, {"_quantization_metadata": text}))


# GGUF -----------------------------------------------------------------------------------------------------------------

KINDS = gguf.GGMLQuantizationType
PACKED = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")  # which the authors' package can also write
UNPACKED_ONLY = ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS")


def written(
    path: Path,
    tensors: dict[str, tuple[np.ndarray[Any, Any], str]],
    architecture: str = "flux",
    fields: dict[str, Any] | None = None,
) -> Path:
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_quantization_version(2)
    writer.add_array("some.words", ["a", "b"])
    writer.add_bool("some.truth", True)
    for name, value in (fields or {}).items():
        writer.add_array(name, value)
    for name, (data, kind) in tensors.items():
        writer.add_tensor(name, data, raw_dtype=KINDS[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def blocks_of(kind: str, rows: int, per_row: int) -> np.ndarray[Any, Any]:
    """Any bytes, with a sane scale where the kind has one: whatever they say, both sides must say the same."""
    _, size = gguf.GGML_QUANT_SIZES[KINDS[kind]]
    data = np.random.default_rng(1).integers(0, 256, (rows, per_row * size), dtype=np.uint8)
    for field in range(0, size - 1, 2):  # no 16-bit field is infinite or NaN
        data.reshape(-1, size)[:, field + 1] &= 0x3B
    return data


@pytest.mark.parametrize("kind", [*PACKED, *UNPACKED_ONLY])
def test_every_kind_is_unpacked_as_its_authors_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str):
    monkeypatch.setattr("modules.system.weights.gguf_file.AT_ONCE", 600)  # so that no tensor is one piece
    if kind in PACKED:
        data = gguf.quantize(np.random.default_rng(1).standard_normal((3, 512), np.float32), KINDS[kind])
    else:
        data = blocks_of(kind, 3, 2)
    path = written(tmp_path / "x.gguf", {"a.weight": (data, kind)})
    reader = gguf.GGUFReader(path)
    wanted = torch.from_numpy(gguf.dequantize(reader.tensors[0].data, KINDS[kind])).bfloat16()
    check_read(open_weights(path), {"a.weight": wanted})


def test_numbers_that_are_not_packed_keep_their_type_and_sides_are_turned_round(tmp_path: Path):
    single = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    brain = torch.randn(2, 5, generator=generator()).bfloat16()
    tensors = {
        "a": (single, "F32"), "b": (single.astype(np.float16), "F16"),
        "c": (brain.view(torch.uint8).reshape(2, 10).numpy(), "BF16"), "n": (np.arange(3, dtype=np.int32), "I32"),
    }  # fmt: skip
    weights = open_weights(written(tmp_path / "x.gguf", tensors))
    wanted = {"a": torch.from_numpy(single), "b": torch.from_numpy(single).half(), "c": brain}
    check_read(weights, wanted | {"n": torch.arange(3, dtype=torch.int32)})
    assert weights.metadata["general.architecture"] == "flux" and weights.files == (tmp_path / "x.gguf",)


def test_a_tensor_that_was_reshaped_to_fit_the_blocks_has_its_own_shape(tmp_path: Path):
    data = gguf.quantize(np.ones((9, 256), np.float32), KINDS.Q8_0)
    fields = {"comfy.gguf.orig_shape.conv.weight": [64, 4, 3, 3]}
    weights = open_weights(written(tmp_path / "x.gguf", {"conv.weight": (data, "Q8_0")}, fields=fields))
    assert weights.shapes["conv.weight"] == (64, 4, 3, 3) == tuple(weights.read("conv.weight").shape)
    with pytest.raises(UserError, match="size"):
        fields = {"comfy.gguf.orig_shape.conv.weight": [-64, -4, 3, 3]}
        open_weights(written(tmp_path / "y.gguf", {"conv.weight": (data, "Q8_0")}, fields=fields))


CONFIG: dict[str, Any] = {"vocab_size": 32, "num_hidden_layers": 2, "hidden_size": 8, "intermediate_size": 16,
                          "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4}  # fmt: skip
ENCODERS = {
    "qwen3": (gguf.MODEL_ARCH.QWEN3, lambda: Qwen3ForCausalLM(Qwen3Config(**CONFIG))),
    "qwen2": (gguf.MODEL_ARCH.QWEN2, lambda: Qwen2ForCausalLM(Qwen2Config(**CONFIG))),
    "t5encoder": (gguf.MODEL_ARCH.T5ENCODER, lambda: T5EncoderModel(T5Config(
        vocab_size=32, num_layers=2, d_model=8, d_kv=4, d_ff=16, num_heads=2, feed_forward_proj="gated-gelu"))),
}  # fmt: skip


@pytest.mark.parametrize("architecture", ENCODERS)
def test_a_text_encoder_has_the_names_of_transformers(tmp_path: Path, architecture: str):
    """The authors' own table turns them into those of the file."""
    kind, make = ENCODERS[architecture]
    table = gguf.get_tensor_name_map(kind, 2)
    tensors = {name: t.detach() for name, t in make().state_dict().items() if name != "encoder.embed_tokens.weight"}
    file = {table.get_name(name, (".weight", ".bias")) or "": (t.numpy(), "F32") for name, t in tensors.items()}
    assert len(file) == len(tensors) and "" not in file
    check_read(open_weights(written(tmp_path / "x.gguf", file, architecture)), tensors)


def gguf_bytes(*, version: int = 3, tensors: int = 1, fields: int = 0, body: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, fields) + body


def info(name: bytes = b"a", sides: tuple[int, ...] = (2,), kind: int = 0, start: int = 0) -> bytes:
    numbers = struct.pack(f"<I{len(sides)}QIQ", len(sides), *sides, kind, start)
    return struct.pack("<Q", len(name)) + name + numbers


def field(kind: int, value: bytes) -> bytes:
    return struct.pack("<Q", 1) + b"k" + struct.pack("<I", kind) + value


LIES = {
    "nothing": b"",
    "another format": b"PK\x03\x04" * 20,
    "an old version": gguf_bytes(version=1),
    "the other byte order": gguf_bytes(version=3 << 24),
    "a count without end": gguf_bytes(tensors=2**64 - 1),
    "fields without end": gguf_bytes(fields=2**64 - 1),
    "a name without end": gguf_bytes(body=struct.pack("<Q", 2**63)),
    "a list without end": gguf_bytes(fields=1, body=field(9, struct.pack("<IQ", 4, 2**63))),
    "texts without end": gguf_bytes(fields=1, body=field(9, struct.pack("<IQ", 8, 2**63))),
    "lists of lists": gguf_bytes(fields=1, body=field(9, struct.pack("<IQ", 9, 2))),
    "an unknown value": gguf_bytes(fields=1, body=field(99, b"12345678")),
    "a name that is no text": gguf_bytes(body=info(b"\xff")),
    "a side without end": gguf_bytes(body=info(sides=(2**62,))),
    "sides whose product overflows": gguf_bytes(body=info(sides=(2**33, 2**33))),
    "zero times without end": gguf_bytes(body=info(sides=(0, 2**63))),
    "many sides": gguf_bytes(body=info(sides=(1,) * 200)),
    "an unknown kind": gguf_bytes(body=info(kind=77)),
    "a kind that nobody unpacks": gguf_bytes(body=info(sides=(32,), kind=int(KINDS.Q8_1))),
    "half a block": gguf_bytes(body=info(sides=(33,), kind=int(KINDS.Q8_0))),
    "beyond the end": gguf_bytes(body=info(start=2**40)) + bytes(64),
    "cut short": gguf_bytes(body=info(sides=(100,))) + bytes(64),
    "twice the same": gguf_bytes(tensors=2, body=info() * 2) + bytes(64),
    "no alignment": gguf_bytes(fields=1, body=struct.pack("<Q", 17) + b"general.alignment" + struct.pack("<II", 4, 0)
                               + info()) + bytes(64),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_gguf_header_that_lies_is_refused(tmp_path: Path, lie: str):
    (tmp_path / "x.gguf").write_bytes(LIES[lie])
    with pytest.raises(UserError) as caught:
        open_weights(tmp_path / "x.gguf")
    assert "x.gguf" in PLAIN.sentence(caught.value.problem)


def test_the_lies_above_are_only_a_step_from_the_truth(tmp_path: Path):
    body = gguf_bytes(body=info(), fields=0)
    (tmp_path / "x.gguf").write_bytes(body + bytes(-len(body) % 32) + struct.pack("<2f", 1, 2))
    assert open_weights(tmp_path / "x.gguf").read("a").tolist() == [1, 2]


def test_of_a_fused_tensor_only_the_wanted_rows_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    unpacked: list[int] = []
    monkeypatch.setattr(
        "modules.system.weights.gguf_file._unpack",
        lambda packed, kind: unpacked.append(packed.size) or np.zeros(packed.size * 32 // 34, np.float32),
    )
    data = gguf.quantize(np.ones((9, 64), np.float32), KINDS.Q8_0)
    path = written(tmp_path / "x.gguf", {"qkv": (data, "Q8_0")})
    fused = Renamed(open_weights(path), {name: Link("qkv", "slice", n, (1, 1, 1)) for n, name in enumerate("qkv")})
    unpacked.clear()
    assert [tuple(fused.read(name).shape) for name in "qkv"] == [(3, 64)] * 3
    assert unpacked == [3 * 2 * 34] * 3


# Fingerprints ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("large", [0, 2**40])
def test_a_fingerprint_unpacks_nothing_and_knows_the_scales(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: int
):
    def no(*_: Any) -> None:
        raise AssertionError("unpacked")

    def of(weights: Weights) -> str:
        return Fingerprints().of("denoiser", weights, {}, None)

    monkeypatch.setattr("modules.families.parts.fingerprint.LARGE_BYTES", large)
    monkeypatch.setattr("modules.system.weights.gguf_file._can_unpack", lambda _: True)
    monkeypatch.setattr("modules.system.weights.gguf_file._unpack", no)
    monkeypatch.setattr("modules.system.weights.scaled._multiply", no)
    found: set[str] = set()
    for number in range(2):
        data = gguf.quantize(np.full((2, 64), number, np.float32), KINDS.Q8_0)
        found.add(of(open_weights(written(tmp_path / f"{number}.gguf", {"a.weight": (data, "Q8_0")}))))
        found.add(of(open_weights(saved(tmp_path, {"a.weight": F8, "a.weight_scale": torch.tensor(float(number))}))))
    assert len(found) == 4


def test_a_large_part_has_another_fingerprint_as_soon_as_one_number_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("modules.families.parts.fingerprint.LARGE_BYTES", 0)
    table = torch.zeros(50, 8)
    tensors = {"a": table, "b": torch.ones(3), "c": torch.ones(3)}
    table[49, 7] = 1
    changed = [tensors, {**tensors, "a": torch.zeros(50, 8)}, {**tensors, "b": -torch.ones(3)},
               {"a": table, "c": torch.ones(3), "d": torch.ones(3)}]  # fmt: skip
    prints = [Fingerprints().of("te", open_weights(saved(tmp_path, each)), {}, None) for each in [*changed, tensors]]
    assert len({*prints}) == 4 and prints[0] == prints[-1]
