"""Quantized files of whole models are opened, trained from and saved as the plain models that they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from modules.families import LoadOptions, family_class
from modules.system.weights import open_weights
from tests.tiny import tiny_sd

Q8 = gguf.GGMLQuantizationType.Q8_0


def opened(path: Path) -> Any:
    return family_class("sd").load(str(path), LoadOptions())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model in a single file."""
    folder = tmp_path_factory.mktemp("quantized")
    family = opened(tiny_sd(folder / "model"))
    target = folder / "model.safetensors"
    family.save(target, single_file=True, dtype=torch.float32, parts=family.component_names, metadata={}, tensors={})
    return target


def is_layer(name: str, tensor: Tensor) -> bool:
    return name.endswith(".weight") and tensor.dim() == 2


def as_scaled_fp8(whole: Path, target: Path) -> Path:
    tensors = load_file(whole)
    for name, tensor in list(tensors.items()):
        if is_layer(name, tensor):
            scale = tensor.abs().amax() / 448 + 1e-9
            tensors[name] = (tensor / scale).to(torch.float8_e4m3fn)
            tensors[f"{name.removesuffix('weight')}weight_scale"] = scale
    save_file(tensors, target, dict(open_weights(whole).metadata))
    return target


def as_gguf(whole: Path, target: Path) -> Path:
    writer = gguf.GGUFWriter(target, "sd1")
    for name, value in open_weights(whole).metadata.items():
        writer.add_string(name, value)
    for name, tensor in load_file(whole).items():
        if is_layer(name, tensor) and tensor.shape[1] % 32 == 0:
            writer.add_tensor(name, gguf.quantize(tensor.numpy(), Q8), raw_dtype=Q8)
        else:
            writer.add_tensor(name, (tensor.view(torch.int8) if tensor.dtype == torch.uint8 else tensor).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


@pytest.mark.parametrize(("write", "ending"), [(as_scaled_fp8, "safetensors"), (as_gguf, "gguf")])
def test_a_quantized_model_is_nearly_the_one_it_was_made_from(whole: Path, tmp_path: Path, write: Any, ending: str):
    plain, quantized = opened(whole), opened(write(whole, tmp_path / f"x.{ending}"))
    held = [tensor for name in plain.component_names for tensor in plain.component(name).parameters()]
    found = [tensor for name in plain.component_names for tensor in quantized.component(name).parameters()]
    errors = [float((a - b).abs().amax() / a.abs().amax().clamp_min(1e-6)) for a, b in zip(held, found, strict=True)]
    assert 1e-4 < max(errors) < 0.08 and sorted(errors)[len(errors) // 4] < 1e-6
    assert plain.fingerprint("denoiser") != quantized.fingerprint("denoiser")


@pytest.mark.parametrize("dtype", [None, torch.float16])
def test_it_is_saved_as_a_plain_model(whole: Path, tmp_path: Path, dtype: torch.dtype | None):
    quantized = opened(as_scaled_fp8(whole, tmp_path / "x.safetensors"))
    parts, target = quantized.component_names, tmp_path / "y.safetensors"
    quantized.save(target, single_file=True, dtype=dtype, parts=parts, metadata={}, tensors={})
    saved = load_file(target)
    assert saved.keys() == load_file(whole).keys()
    layers = {tensor.dtype for name, tensor in saved.items() if is_layer(name, tensor)}
    assert layers == {dtype or torch.bfloat16}
    if dtype is None:
        again = opened(target).component("denoiser").state_dict()
        assert all(torch.equal(again[n], t) for n, t in quantized.component("denoiser").state_dict().items())
