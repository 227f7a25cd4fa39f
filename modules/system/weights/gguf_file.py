"""Files in llama.cpp's format (.gguf), as city96's tools write them for image models: names of the native file.

Text encoders that llama.cpp knows have its names there, and those of transformers here. The header is read here and
not by `GGUFReader` of the authors' package: that maps the file into memory, and a header that lies makes it loop
without end. The numbers are unpacked by the package.

    "GGUF" version:u32 tensors:u64 fields:u64
    fields   name, type:u32, value
    tensors  name, dimensions:u32, sides:u64 each (the innermost first), type:u32, start:u64 in the data
    data     begins at the next multiple of the alignment
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modules.errors import UserError
from modules.system.reading import MAX_HEADER_BYTES, cut_short
from modules.system.weights.gguf_names import transformers_names
from modules.system.weights.protocol import (
    MAX_DIMENSIONS,
    MAX_NUMBERS,
    Shape,
    Weights,
    brief,
    bytes_of,
    empty_tensor,
    fill,
)  # fmt: skip

UNPACKED = torch.bfloat16
AT_ONCE = 2**20  # numbers that are in fp32 at a time
PLAIN: dict[str, torch.dtype] = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
}  # fmt: skip
FORMATS = ("<B", "<b", "<H", "<h", "<I", "<i", "<f", "<?", "", "", "<Q", "<q", "<d")  # of fields, by their type
STRING, ARRAY = 8, 9
VERSIONS = (2, 3)
ORIGINAL_SHAPE = "comfy.gguf.orig_shape."  # of tensors that were reshaped to fit the blocks
Value = str | int | float | list[int] | None  # None: a list of another kind, passed over


@dataclass(frozen=True)
class Block:
    """How a type of numbers lies in a file: so many at a time, in so many bytes."""

    kind: str
    numbers: int
    size: int


@dataclass(frozen=True)
class Entry:
    """Where one tensor lies: `start` counts bytes from the file's beginning."""

    block: Block
    shape: Shape
    start: int

    @property
    def size(self) -> int:
        return prod(self.shape) // self.block.numbers * self.block.size


class GgufFile(Weights):
    """One .gguf file. What is quantized is unpacked to bf16 when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                header = Header(file.read(MAX_HEADER_BYTES), path)
            fields, entries = header.parse()
        except (struct.error, UnicodeDecodeError, ValueError, OverflowError) as error:
            raise UserError("weights.header", file=path) from error
        self.metadata = {name: str(value) for name, value in fields.items() if isinstance(value, str | int | float)}
        ours = transformers_names(entries, self.metadata.get("general.architecture", ""))
        self._entries = {ours[name]: entry for name, entry in entries.items()}
        if len(self._entries) < len(entries):  # a tensor under both of its names
            raise UserError("weights.header", file=path)
        end = max((entry.start + entry.size for entry in entries.values()), default=0)
        if path.stat().st_size < end:
            raise cut_short(path, end)
        self.shapes = {name: entry.shape for name, entry in self._entries.items()}

    def read(self, name: str, scratch: Tensor | None = None) -> Tensor:
        return self._read(self._entries[name], scratch)

    def rows(self, name: str, first: int, end: int) -> Tensor:
        entry = self._entries[name]
        if prod(entry.shape[1:]) % entry.block.numbers:  # a reshaped tensor's block can hold the end of a row
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


class Header:
    """Reads the beginning of a file from left to right; each method raises where that ends before its value does."""

    def __init__(self, data: bytes, path: Path) -> None:
        self._data, self._path, self._at = data, path, 0

    def parse(self) -> tuple[dict[str, Value], dict[str, Entry]]:
        """The fields, and where the tensors lie.

        Raises:
            struct.error, ValueError, OverflowError, UnicodeDecodeError: damaged.
            UserError: another format, or a type of numbers that cannot be unpacked.
        """
        if self._data[:4] != b"GGUF":
            raise UserError("weights.not-gguf", file=self._path)
        self._at = 4
        if (version := self._one("<I")) not in VERSIONS:
            raise UserError("weights.gguf-version", file=self._path, version=version)
        tensors, count = self._one("<Q"), self._one("<Q")
        fields: dict[str, Value] = {}
        for _ in range(count):
            name, kind = self._text(), self._one("<I")
            fields[name] = self._value(kind)
        found: dict[str, Entry] = {}
        for _ in range(tensors):
            name, entry = self._tensor(fields)
            if name in found:
                raise ValueError("a name stands there twice")
            found[name] = entry
        alignment = fields.get("general.alignment", 32)
        if not isinstance(alignment, int) or not 0 < alignment <= 2**20:
            raise ValueError("no alignment")
        start = -(-self._at // alignment) * alignment
        return fields, {name: Entry(each.block, each.shape, each.start + start) for name, each in found.items()}

    def _one(self, form: str) -> Any:
        value = struct.unpack_from(form, self._data, self._at)[0]
        self._at += struct.calcsize(form)
        return value

    def _text(self) -> str:
        length = self._one("<Q")
        self._skip(length)
        return self._data[self._at - length : self._at].decode()

    def _skip(self, size: int) -> None:
        if size > len(self._data) - self._at:
            raise ValueError("ends early")
        self._at += size

    def _value(self, kind: int) -> Value:
        if kind == STRING:
            return self._text()
        if kind != ARRAY:
            return self._one(_format(kind))
        kind, count = self._one("<I"), self._one("<Q")
        if kind == ARRAY:
            raise ValueError("lists of lists")
        if kind == STRING:
            for _ in range(count):
                self._skip(self._one("<Q"))
            return None
        start, form = self._at, _format(kind)
        self._skip(count * struct.calcsize(form))
        if count > MAX_DIMENSIONS or form not in ("<i", "<I", "<q", "<Q"):
            return None
        return [
            struct.unpack_from(form, self._data, start + place * struct.calcsize(form))[0] for place in range(count)
        ]

    def _tensor(self, fields: Mapping[str, Value]) -> tuple[str, Entry]:
        name, dimensions = self._text(), self._one("<I")
        if dimensions > MAX_DIMENSIONS:
            raise ValueError("dimensions")
        stored = tuple(self._one("<Q") for _ in range(dimensions))[::-1]
        block, start = _block(self._one("<I"), name, self._path), self._one("<Q")
        original = fields.get(f"{ORIGINAL_SHAPE}{name}")
        shape = tuple(original) if isinstance(original, list) else stored
        possible = prod(max(side, 1) for side in stored) < MAX_NUMBERS and min(shape, default=0) >= 0
        if not possible or prod(shape) != prod(stored) or (stored or (1,))[-1] % block.numbers:
            raise UserError("weights.size", file=self._path, tensor=brief(name))
        return name, Entry(block, shape, start)


def _format(kind: int) -> str:
    if not 0 <= kind < len(FORMATS) or not FORMATS[kind]:
        raise ValueError("a kind of value that there is not")
    return FORMATS[kind]


def _block(number: int, tensor: str, path: Path) -> Block:
    found = _blocks().get(number)
    if found is None:
        raise UserError("weights.dtype", file=path, tensor=brief(tensor))
    if found.kind not in PLAIN and not _can_unpack(found.kind):
        raise UserError("weights.quantized", file=path, format=found.kind)
    return found


@cache
def _blocks() -> dict[int, Block]:
    # Imported with the first file: the package takes a third of a second.
    from gguf.constants import GGML_QUANT_SIZES  # noqa: PLC0415

    return {int(kind): Block(kind.name, *sizes) for kind, sizes in GGML_QUANT_SIZES.items()}


@cache
def _can_unpack(kind: str) -> bool:
    block = next(block for block in _blocks().values() if block.kind == kind)
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
