"""The header of files in llama.cpp's format (.gguf), read without torch.

It is read here and not by `GGUFReader` of the authors' package: that maps the file into memory, and a header that lies
makes it loop without end.

    "GGUF" version:u32 tensors:u64 fields:u64
    fields   name, type:u32, value
    tensors  name, dimensions:u32, sides:u64 each (the innermost first), type:u32, start:u64 in the data
    data     begins at the next multiple of the alignment
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

from modules.errors import UserError
from modules.sentences.printable import printable
from modules.system.headers.gguf_names import transformers_names
from modules.system.reading import MAX_HEADER_BYTES, cut_short, open_file

FORMATS = ("<B", "<b", "<H", "<h", "<I", "<i", "<f", "<?", "", "", "<Q", "<q", "<d")  # of fields, by their type
STRING, ARRAY = 8, 9
VERSIONS = (2, 3)
ORIGINAL_SHAPE = "comfy.gguf.orig_shape."  # of tensors that were reshaped to fit the blocks
MAX_DIMENSIONS, MAX_NUMBERS = 16, 2**60
Shape = tuple[int, ...]
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


def gguf_header(path: Path) -> tuple[dict[str, str], dict[str, Entry]]:
    """The fields, and where the tensors lie: text encoders that llama.cpp knows have the names of transformers.

    Raises:
        UserError: damaged, cut short, or another format.
    """
    try:
        with open_file(path) as file:
            fields, entries = Header(file.read(MAX_HEADER_BYTES), path).parse()
    except (struct.error, UnicodeDecodeError, ValueError, OverflowError) as error:
        raise UserError("weights.header", file=path) from error
    metadata = {name: str(value) for name, value in fields.items() if isinstance(value, str | int | float)}
    ours = transformers_names(entries, metadata.get("general.architecture", ""))
    named = {ours[name]: entry for name, entry in entries.items()}
    if len(named) < len(entries):  # a tensor under both of its names
        raise UserError("weights.header", file=path)
    end = max((entry.start + entry.size for entry in entries.values()), default=0)
    if path.stat().st_size < end:
        raise cut_short(path, end)
    return metadata, named


def brief(name: str) -> str:
    """The name of a tensor in a message."""
    return printable(name if len(name) <= 100 else f"{name[:97]}...", line=True)


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
    if found := gguf_blocks().get(number):
        return found
    raise UserError("weights.dtype", file=path, tensor=brief(tensor))


@cache
def gguf_blocks() -> dict[int, Block]:
    # Imported with the first file: the package takes a third of a second.
    from gguf.constants import GGML_QUANT_SIZES  # noqa: PLC0415

    return {int(kind): Block(kind.name, *sizes) for kind, sizes in GGML_QUANT_SIZES.items()}
