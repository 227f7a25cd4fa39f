"""Tensors written as a stream: only one of them is in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from modules.errors import UserError
from modules.system.weights.files import DTYPES
from modules.system.weights.protocol import Shape, brief, bytes_of

DTYPE_NAMES = {dtype: name for name, dtype in DTYPES.items()}


@dataclass(frozen=True)
class PlannedTensor:
    """A tensor to be written: what it will be, and how to get it when its turn comes."""

    shape: Shape
    dtype: torch.dtype
    make: Callable[[], Tensor]

    @property
    def size(self) -> int:
        return self.dtype.itemsize * torch.Size(self.shape).numel()


def write_safetensors(path: Path, tensors: Mapping[str, PlannedTensor], metadata: Mapping[str, str]) -> None:
    """Write tensors one by one, so that only one of them is in memory; `path` is overwritten: give a staged one."""
    # Wide types first, as the format's library does: every tensor then starts at a multiple of its own width.
    names = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name in names:
        planned = tensors[name]
        offsets = [end, end + planned.size]
        header[name] = {"dtype": DTYPE_NAMES[planned.dtype], "shape": list(planned.shape), "data_offsets": offsets}
        end += planned.size
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            planned = tensors[name]
            tensor = planned.make().detach().to("cpu", planned.dtype).contiguous()
            assert tuple(tensor.shape) == planned.shape, f"{name}: {tuple(tensor.shape)} instead of {planned.shape}"
            _check_finite(name, tensor)
            file.write(bytes_of(tensor))


def _check_finite(name: str, tensor: Tensor) -> None:
    """Refuse what is NaN or infinite, or became so in its precision; costs a seventh of a copy.

    Raises:
        UserError: it is.
    """
    if tensor.is_floating_point() and tensor.numel():
        low, high = (tensor.float() if tensor.itemsize == 1 else tensor).aminmax()
        if not bool((low.float() + high.float()).isfinite()):
            raise UserError("weights.not-finite", tensor=brief(name), dtype=str(tensor.dtype).removeprefix("torch."))
