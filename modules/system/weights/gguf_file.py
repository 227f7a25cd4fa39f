"""Files in llama.cpp's format (.gguf), as city96's tools write them for image models: names of the native file.

The numbers are unpacked by the authors' package.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modules.errors import UserError
from modules.system.headers.gguf import Entry, gguf_blocks, gguf_header
from modules.system.headers.gguf_names import heads_in_turns
from modules.system.weights.protocol import Weights, bytes_of, empty_tensor, fill

UNPACKED = torch.bfloat16
AT_ONCE = 2**20  # numbers that are in fp32 at a time
PLAIN: dict[str, torch.dtype] = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
}  # fmt: skip


class GgufFile(Weights):
    """One .gguf file. What is quantized is unpacked to bf16 when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metadata, self._entries = gguf_header(path)
        for kind in {entry.block.kind for entry in self._entries.values()} - PLAIN.keys():
            if not _can_unpack(kind):
                raise UserError("weights.quantized", file=path, format=kind)
        self.shapes = {name: entry.shape for name, entry in self._entries.items()}
        try:
            self._heads = heads_in_turns(self.shapes, self.metadata)
        except ValueError as error:
            raise UserError("weights.header", file=path) from error
        if any(heads < 1 or self.shapes[name][0] % (2 * heads) for name, heads in self._heads.items()):
            raise UserError("weights.header", file=path)

    def read(self, name: str, scratch: Tensor | None = None) -> Tensor:
        tensor = self._read(self._entries[name], scratch)
        return _in_halves(tensor, self._heads[name]) if name in self._heads else tensor

    def rows(self, name: str, first: int, end: int) -> Tensor:
        entry = self._entries[name]
        if (
            name in self._heads or prod(entry.shape[1:]) % entry.block.numbers
        ):  # a reshaped tensor's block can hold the end of a row
            return super().rows(name, first, end)
        some = replace(entry, shape=(end - first, *entry.shape[1:]))
        return self._read(replace(some, start=entry.start + first * some.size // max(1, end - first)))

    def _read(self, entry: Entry, scratch: Tensor | None = None) -> Tensor:
        tensor = empty_tensor(entry.shape, PLAIN.get(entry.block.kind, UNPACKED), scratch)
        with self.path.open("rb", buffering=0) as file:
            file.seek(entry.start)
            if entry.block.kind in PLAIN:
                fill(file, bytes_of(tensor), self.path)
                return tensor
            numbers, flat = AT_ONCE // entry.block.numbers * entry.block.numbers, tensor.view(-1)
            for some in flat.split(numbers) if flat.numel() else ():
                packed = torch.empty(some.numel() // entry.block.numbers * entry.block.size, dtype=torch.uint8)
                fill(file, bytes_of(packed), self.path)
                some.copy_(torch.from_numpy(_unpack(packed.numpy()[None], entry.block.kind)).view(-1))
        return tensor

    def dtype(self, name: str) -> torch.dtype:
        return PLAIN.get(self._entries[name].block.kind, UNPACKED)

    def packed(self, name: str) -> Tensor | None:
        entry = self._entries[name]
        if entry.block.kind in PLAIN:
            return None
        held = torch.empty(entry.size, dtype=torch.uint8)
        with self.path.open("rb", buffering=0) as file:
            file.seek(entry.start)
            fill(file, bytes_of(held), self.path)
        return held

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path,)


def _in_halves(turns: Tensor, heads: int) -> Tensor:
    """Rows as transformers has them: of each head the first half, then the second."""
    return turns.unflatten(0, (heads, -1, 2)).transpose(1, 2).reshape(turns.shape)


@cache
def _can_unpack(kind: str) -> bool:
    block = next(block for block in gguf_blocks().values() if block.kind == kind)
    try:
        _unpack(np.zeros((1, block.size), np.uint8), kind)
    except NotImplementedError:
        return False
    return True


def _unpack(packed: np.ndarray[Any, np.dtype[np.uint8]], kind: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    from gguf.constants import GGMLQuantizationType  # noqa: PLC0415
    from gguf.quants import dequantize  # noqa: PLC0415

    with np.errstate(all="ignore"):  # scales of damaged files; NaN is refused where the model is filled
        return dequantize(packed, GGMLQuantizationType[kind])
