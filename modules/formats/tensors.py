"""Small files of tensors, written so that nothing false is ever left under their name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from modules.errors import UserError
from modules.system.files import staged_file
from modules.system.reading import look_at
from modules.system.weights import PICKLES, SafetensorsFile


def cast(tensor: Tensor, dtype: torch.dtype, name: str) -> Tensor:
    """A copy for a file: on the CPU, contiguous, in another precision.

    Raises:
        UserError: a number is too large for the precision.
    """
    found = tensor.detach().to("cpu", torch.float32).to(dtype).contiguous().clone()
    if not found.isfinite().all() and bool(tensor.isfinite().all()):
        raise UserError("tensor.beyond-fp16", tensor=name)
    return found


def write_tensors(final: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a .safetensors file, read it back and compare every bit; only then it takes its name.

    Raises:
        UserError: what was read is not what was written.
    """
    with staged_file(final) as draft:
        save_file(dict(tensors), draft, dict(metadata))
        compare(tensors, load_file(draft), final)


def compare(written: Mapping[str, Tensor], read: Mapping[str, Tensor], path: Path) -> None:
    """Hold what was read against what was to be written.

    Raises:
        UserError: names, shapes, types or any bit differ.
    """
    wrong = sorted(written.keys() ^ read.keys()) or [n for n in written if not same_bits(written[n], read[n])]
    if wrong:
        raise UserError("file.written-wrong", file=path.name, names=wrong[:3])


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Equality that also holds for NaN."""
    return a.shape == b.shape and a.dtype == b.dtype and _bytes(a).equal(_bytes(b))


def _bytes(x: Tensor) -> Tensor:
    return x.contiguous().reshape(-1).view(torch.uint8)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a .safetensors file.

    Raises:
        UserError: it is missing, damaged or something else.
    """
    look_at(path)
    if not path.is_file():
        raise UserError("file.not-there", file=path)
    if path.suffix in PICKLES:
        raise UserError("tensors.not-safetensors", file=path)
    weights = SafetensorsFile(path)
    return {name: weights.read(name) for name in weights.shapes}
