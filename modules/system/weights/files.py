"""Files of tensors as torch and safetensors write them; nothing is believed that does not fit the file."""

from __future__ import annotations

import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from modules.errors import UserError
from modules.system.headers.gguf import MAX_DIMENSIONS, MAX_NUMBERS
from modules.system.reading import MAX_HEADER_BYTES, cut_short, read_json, safetensors_header
from modules.system.weights.protocol import (
    Shape,
    Weights,
    brief,
    bytes_of,
    empty_tensor,
    fill,
    first_names,
)  # fmt: skip

DTYPES: dict[str, torch.dtype] = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
PICKLES = (".ckpt", ".pt", ".pth", ".bin")
NESTED = ("state_dict", "params_ema", "params")  # Lightning's; BasicSR's, with which upscalers are trained

# Everything that torch's reader of pickles raises for damaged ones, beside pickle's own error.
UNREADABLE = (
    RuntimeError, EOFError, OSError, TypeError, ValueError, KeyError, IndexError, AttributeError, AssertionError,
    OverflowError, MemoryError, struct.error, zipfile.BadZipFile, NotImplementedError,
)  # fmt: skip
warnings.filterwarnings("ignore", message="Detected pickle protocol")  # torch's note to itself


@dataclass(frozen=True)
class Entry:
    """Where one tensor lies in its file: `start` counts bytes from the file's beginning."""

    dtype: torch.dtype
    shape: Shape
    start: int
    size: int


class SafetensorsFile(Weights):
    """One .safetensors file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            header, start = safetensors_header(file, path)
        said = header.pop("__metadata__", {})
        if not isinstance(said, dict):
            raise UserError("weights.metadata", file=path)
        self.metadata = {str(k): str(v) for k, v in cast("dict[str, Any]", said).items()}
        self._entries = {name: _entry(name, about, start, path) for name, about in header.items()}
        self.shapes = {name: entry.shape for name, entry in self._entries.items()}
        _refuse_overlaps(self._entries, path)
        end = max((entry.start + entry.size for entry in self._entries.values()), default=start)
        if path.stat().st_size < end:
            raise cut_short(path, end)

    def read(self, name: str, scratch: Tensor | None = None) -> Tensor:
        return self._read(self._entries[name], scratch)

    def rows(self, name: str, first: int, end: int) -> Tensor:
        entry = self._entries[name]
        shape, row = (end - first, *entry.shape[1:]), entry.size // max(1, entry.shape[0])
        return self._read(Entry(entry.dtype, shape, entry.start + first * row, row * (end - first)))

    def _read(self, entry: Entry, scratch: Tensor | None = None) -> Tensor:
        tensor = empty_tensor(entry.shape, entry.dtype, scratch)
        with self.path.open("rb", buffering=0) as file:
            file.seek(entry.start)
            fill(file, bytes_of(tensor), self.path)
        return tensor

    def dtype(self, name: str) -> torch.dtype:
        return self._entries[name].dtype

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path,)


class PickleFile(Weights):
    """A file that torch saved. Read as weights only: what would run code in it is refused."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metadata = {}
        self._tensors = _unpickled(path)
        self.shapes = {name: tuple(tensor.shape) for name, tensor in self._tensors.items()}

    def read(self, name: str, scratch: Tensor | None = None) -> Tensor:
        return self._tensors[name].detach().clone()

    def dtype(self, name: str) -> torch.dtype:
        return self._tensors[name].dtype

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path,)


class ShardedFiles(Weights):
    """Several files beside an index (`*.index.json`), as large models come in diffusers folders."""

    def __init__(self, index: Path, open_shard: Callable[[Path], Weights]) -> None:
        try:
            places = _weight_map(read_json(index, MAX_HEADER_BYTES))
        except (ValueError, KeyError, TypeError) as error:
            raise UserError("weights.index-damaged", file=index) from error
        shards = {file: open_shard(index.parent / file) for file in sorted(set(places.values()))}
        lost = [name for name, file in places.items() if name not in shards[file].shapes]
        if lost:
            raise UserError("weights.lost", folder=index.parent, names=first_names(lost))
        self._of = {name: shards[file] for name, file in places.items()}
        self._shards = shards
        self.metadata = {}
        self.shapes = {name: shard.shapes[name] for name, shard in self._of.items()}

    def read(self, name: str, scratch: Tensor | None = None) -> Tensor:
        return self._of[name].read(name, scratch)

    def rows(self, name: str, first: int, end: int) -> Tensor:
        return self._of[name].rows(name, first, end)

    def dtype(self, name: str) -> torch.dtype:
        return self._of[name].dtype(name)

    def packed(self, name: str) -> Tensor | None:
        return self._of[name].packed(name)

    def fp8(self, name: str, rows: tuple[int, int] | None = None) -> tuple[Tensor, Tensor | None] | None:
        return self._of[name].fp8(name, rows)

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(path for shard in self._shards.values() for path in shard.files)


def _weight_map(held: Any) -> dict[str, str]:
    """Where each tensor of an index lies: the name of a file beside it.

    Raises:
        KeyError, TypeError, ValueError: it says nothing of the kind.
    """
    places = held["weight_map"]
    if not isinstance(places, dict) or not all(isinstance(file, str) for file in places.values()):
        raise TypeError("no names of files")
    if any(Path(file).name != file or file.endswith(".json") for file in places.values()):
        raise ValueError("names what does not lie beside it, or another index")
    return cast("dict[str, str]", places)


# Checks ---------------------------------------------------------------------------------------------------------------


def _refuse_overlaps(entries: Mapping[str, Entry], path: Path) -> None:
    end, before = 0, ""
    for name, entry in sorted(entries.items(), key=lambda pair: (pair[1].start, pair[1].size)):
        if entry.size and entry.start < end:
            raise UserError("weights.overlap", file=path, one=brief(before), other=brief(name))
        end, before = max(end, entry.start + entry.size), name


def _entry(name: str, about: Any, start: int, path: Path) -> Entry:
    try:
        dtype, shape = DTYPES[about["dtype"]], tuple(side.__index__() for side in about["shape"])
        first, last = (offset.__index__() for offset in about["data_offsets"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError("weights.dtype", file=path, tensor=brief(name)) from error
    entry = Entry(dtype, shape, start + first, last - first)
    possible = len(shape) <= MAX_DIMENSIONS and min(shape, default=0) >= 0
    possible = possible and prod(max(side, 1) for side in shape) < MAX_NUMBERS  # an empty one has strides, too
    if not possible or first < 0 or entry.size != dtype.itemsize * prod(shape):
        raise UserError("weights.size", file=path, tensor=brief(name))
    return entry


def _unpickled(path: Path) -> dict[str, Tensor]:
    """The tensors of a pickle; those of Lightning checkpoints and of upscalers lie one level down."""
    stored = _refuse_compressed(path) if _is_zip(path) else None
    try:
        # Files in the format before torch 1.6 cannot be mapped into memory; they are rare, and read as a whole.
        held: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except pickle.UnpicklingError as error:
        if "GLOBAL" not in str(error):
            raise UserError("weights.pickle", file=path) from error
        raise UserError("weights.code", file=path) from error
    except UNREADABLE as error:
        raise UserError("weights.incomplete", file=path) from error
    inside = cast("dict[Any, Any]", held) if isinstance(held, dict) else {}
    inside = next((inside[name] for name in NESTED if name in inside), inside)
    found = cast("dict[Any, Any]", inside) if isinstance(inside, dict) else {}
    tensors = {name: value for name, value in found.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if not tensors:
        raise UserError("weights.none", file=path)
    # Mapped into memory, a tensor that is longer than its record would go on with whatever lies behind it.
    storages = {each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in tensors.values()}
    if stored is not None and sum(storages.values()) > stored:
        raise UserError("weights.incomplete", file=path)
    return tensors


def _refuse_compressed(path: Path) -> int:
    """How many bytes of tensors are stored in a zip.

    Torch never packs what it puts into its zips. What is packed may unpack to more than this machine holds.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            packed = [member.filename for member in archive.infolist() if member.compress_type != zipfile.ZIP_STORED]
            claimed = sum(member.file_size for member in archive.infolist())
            stored = sum(member.file_size for member in archive.infolist() if "/data/" in member.filename)
    except UNREADABLE as error:
        raise UserError("weights.incomplete", file=path) from error
    if packed or claimed > path.stat().st_size:
        raise UserError("weights.compressed", file=path)
    return stored


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"
