"""The two hashes by which other programs know a LoRA or a model, computed without the file in memory.

Of a LoRA sd-scripts saves the tensors to memory with the ss_* metadata alone and hashes that: all of its tensor bytes
(`sshs_model_hash`), and 64 KiB from 1 MiB on (`sshs_legacy_hash`, the first 8 digits). Of a model it hashes the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from modules.system.read_cache import ReadCache
from modules.system.reading import open_file
from modules.system.stamps import stamp_of

MIB = 0x100000
MODELS = "model sha256 1"
NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


def with_hashes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata, and the hashes of a file with these tensors, which must all be of one floating point type."""
    whole, legacy = hashlib.sha256(), hashlib.sha256()
    header = _header(tensors, {name: text for name, text in metadata.items() if name.startswith("ss_")})
    position = 0
    for number, block in enumerate((header, *_blocks(tensors))):
        if number:
            whole.update(block)
        legacy.update(block[max(0, MIB - position) : max(0, MIB + 0x10000 - position)])
        position += len(block)
    spec = "modelspec.sai_model_spec" in metadata  # which wants the same hash under a name of its own
    return {
        **metadata, **({"modelspec.hash_sha256": f"0x{whole.hexdigest()}"} if spec else {}),
        "sshs_model_hash": whole.hexdigest(), "sshs_legacy_hash": legacy.hexdigest()[:8],
    }  # fmt: skip


def model_hashes(path: Path, cache_dir: Path | None, check: Callable[[], None] = lambda: None) -> tuple[str, str]:
    """A1111's old and new hash of a model's file: 8 digits, and the sha256 of all of it, read once and then cached.

    `check` is called between two reads, and may raise to end it.
    """
    name, stamp = str(path.resolve()), stamp_of(path.stat())
    with ReadCache(cache_dir) as cache, open_file(path) as file:
        file.seek(MIB)
        legacy = hashlib.sha256(file.read(0x10000)).hexdigest()[:8]
        if known := cache.get(MODELS, {name: stamp}).get(name):
            return legacy, known.decode()
        file.seek(0)
        whole = hashlib.sha256()
        while block := file.read(4 * MIB):
            check()
            whole.update(block)
        if stamp == stamp_of(path.stat()):  # else it was written while it was read
            cache.put(MODELS, {name: (stamp, whole.hexdigest().encode())})
    return legacy, whole.hexdigest()


def _blocks(tensors: Mapping[str, Tensor]) -> Iterator[memoryview]:
    """The bytes of each tensor, in the order in which safetensors writes those of one type: by name."""
    for name in _order(tensors):
        yield tensors[name].contiguous().reshape(-1).view(torch.uint8).numpy().data


def _order(tensors: Mapping[str, Tensor]) -> list[str]:
    assert len({tensor.dtype for tensor in tensors.values()}) <= 1
    return sorted(tensors, key=str.encode)


def _header(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> memoryview:
    """As long as the header that safetensors writes; equal to it but for the order of the metadata."""
    about: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name in _order(tensors):
        tensor = tensors[name]
        begin, end = end, end + tensor.numel() * tensor.element_size()
        about[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(about, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return memoryview(len(text).to_bytes(8, "little") + text)
