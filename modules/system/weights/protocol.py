"""Named tensors that are read one at a time, whatever they lie in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch
from torch import Tensor

from modules.sentences.problem import Problem, problem
from modules.system.headers.gguf import Shape, brief
from modules.system.reading import cut_short


class Weights(ABC):
    """Named tensors that lie somewhere else until they are read."""

    shapes: Mapping[str, Shape]
    metadata: Mapping[str, str]

    @abstractmethod
    def read(self, name: str, scratch: Tensor | None = None) -> Tensor:
        """A tensor in main memory, in its `dtype`.

        With `scratch` (bytes) it may lie there until the next read: fresh pages for every tensor that is only copied
        further cost as much time as the reading itself.
        """

    def rows(self, name: str, first: int, end: int) -> Tensor:
        """Some rows of a tensor, in memory of their own; no others are read where they lie by themselves."""
        return self.read(name)[first:end].clone()

    @abstractmethod
    def dtype(self, name: str) -> torch.dtype:
        """The type it is stored in; of what is quantized, the type it is unpacked to."""

    def packed(self, name: str) -> Tensor | None:
        """All that the file holds of a quantized tensor: for fingerprints, which need nothing unpacked. None: plain."""
        return None

    def fp8(self, name: str, rows: tuple[int, int] | None = None) -> tuple[Tensor, Tensor | None] | None:
        """A weight in 8-bit floating point as the file has it, or some rows of it, and its scale; else None.

        The scale is one number, one for each row, or (rows, blocks, 1); None: 1.
        """
        del name, rows
        return None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files behind it; none for tensors in memory."""
        return ()


def bytes_of(tensor: Tensor) -> memoryview:
    """The memory of a contiguous tensor in main memory, to read or to write into."""
    return memoryview(cast("Any", tensor.reshape(-1).view(torch.uint8).numpy()))


def first_names(names: Iterable[str], count: int = 3) -> Problem:
    """The first few of many names, as a part of a sentence."""
    ordered = sorted(names)
    first, more = [brief(name) for name in ordered[:count]], len(ordered) - count
    return problem("names.more", names=first, more=more) if more > 0 else problem("names.all", names=first)


def empty_tensor(shape: Shape, dtype: torch.dtype, scratch: Tensor | None) -> Tensor:
    """Room for a tensor: in `scratch` (bytes) if that is given and large enough."""
    size = dtype.itemsize * torch.Size(shape).numel()
    if scratch is not None and size <= scratch.numel():
        return scratch[:size].view(dtype).reshape(shape)
    return torch.empty(shape, dtype=dtype)


def fill(file: BinaryIO, memory: memoryview, path: Path) -> None:
    """Read exactly as much as fits: one call may return less, and never more than 2 GB."""
    while memory.nbytes:
        got = file.readinto(memory)  # pyright: ignore[reportAttributeAccessIssue]
        if not got:
            raise cut_short(path, 0)
        memory = memory[got:]
