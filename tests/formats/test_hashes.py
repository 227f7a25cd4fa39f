"""The hashes of LoRA files, against an independent computation with safetensors itself."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import safetensors.torch
import torch
from safetensors import safe_open

from modules.formats.hashes import model_hashes, with_hashes
from modules.methods import attach
from tests.data.pictures import aged
from tests.methods.setting import opened, preset, stir


def kohya_hashes(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> tuple[str, str]:
    """As sd-scripts does it (train_util.py, precalculate_safetensors_hashes), with the file in memory."""
    told = {name: text for name, text in metadata.items() if name.startswith("ss_")}
    content = safetensors.torch.save(tensors, told or None)
    length = int.from_bytes(content[:8], "little")
    return (
        hashlib.sha256(content[8 + length :]).hexdigest(),
        hashlib.sha256(content[0x100000:0x110000]).hexdigest()[:8],
    )


@pytest.mark.parametrize("rows", [3, 9_000, 400_000])  # shorter than a mebibyte, across its end, far longer
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_both_hashes_are_those_of_sd_scripts(rows: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    tensors = {f"layer_{i}.ä.weight": torch.randn(rows, 2).to(dtype) for i in (10, 9, 1, 2, 3)}
    tensors["layer_1.alpha"] = torch.tensor(4.0, dtype=dtype)
    metadata = {"ss_tag_frequency": 'a "quoted"\n漢字 \\ \x01 tag', "ss_steps": "20", "modelspec.title": "not hashed"}
    found = with_hashes(tensors, metadata)
    assert (found["sshs_model_hash"], found["sshs_legacy_hash"]) == kohya_hashes(tensors, metadata)
    assert {name: found[name] for name in metadata} == metadata


def test_a_lora_file_carries_the_hashes_of_its_own_tensors(tmp_path: Path) -> None:
    adapter = attach(opened(), preset({"kind": "lora"}))
    stir(adapter)
    [path] = adapter.export(tmp_path / "it", {"ss_output_name": "it"})
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    expected = kohya_hashes(safetensors.torch.load_file(path), metadata)
    assert (metadata["sshs_model_hash"], metadata["sshs_legacy_hash"]) == expected


def test_the_hash_of_the_spec_is_that_of_the_tensors() -> None:
    found = with_hashes({"a": torch.ones(3)}, {"modelspec.sai_model_spec": "1.0.1"})
    assert found["modelspec.hash_sha256"] == "0x" + hashlib.sha256(torch.ones(3).numpy().tobytes()).hexdigest()


@pytest.mark.parametrize("size", [100, 0x100000 + 5, 0x130000])  # shorter than a mebibyte, across its end, longer
def test_a_models_file_is_hashed_as_a1111_does_and_once(size: int, tmp_path: Path) -> None:
    content = torch.randint(256, (size,), dtype=torch.uint8).numpy().tobytes()
    (file := tmp_path / "model" / "it.ckpt").parent.mkdir()
    file.write_bytes(content)
    aged(file.parent)
    wanted = (hashlib.sha256(content[0x100000:0x110000]).hexdigest()[:8], hashlib.sha256(content).hexdigest())
    assert model_hashes(file, tmp_path / "cache") == wanted

    def read_again() -> None:
        raise AssertionError

    assert model_hashes(file, tmp_path / "cache", read_again) == wanted
    with pytest.raises(AssertionError):
        model_hashes(file, None, read_again)
