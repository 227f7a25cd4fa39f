"""Tensors in files: read one at a time, and written as a stream, so that memory holds little more than the model.

`safetensors` maps files into memory, and the pages that were touched count as this process's own until it ends. Here a
tensor is read straight into fresh memory instead, so that what is let go is really free.

    Weights
    ├── SafetensorsFile    one file, after its header was checked
    ├── PickleFile         .bin, .ckpt, .pt: weights only, code in them never runs
    ├── GgufFile           .gguf: unpacked tensor by tensor
    ├── ShardedFiles       several files and the index that says what is where
    └── Scaled             another one's 8-bit numbers with their scales, as plain tensors
"""

from __future__ import annotations

from pathlib import Path

from modules.errors import UserError
from modules.system.reading import look_at
from modules.system.weights.files import DTYPES, PICKLES, PickleFile, SafetensorsFile, ShardedFiles
from modules.system.weights.gguf_file import GgufFile
from modules.system.weights.protocol import Shape, Weights, brief, bytes_of, first_names
from modules.system.weights.scaled import unscaled
from modules.system.weights.writing import PlannedTensor, write_safetensors

__all__ = [
    "DTYPES", "PICKLES", "GgufFile", "PickleFile", "PlannedTensor", "SafetensorsFile", "Shape", "ShardedFiles",
    "Weights", "brief", "bytes_of", "first_names", "open_weights", "write_safetensors",
]  # fmt: skip


def open_weights(path: Path) -> Weights:
    """Open a file of tensors by its kind; reads the header only, where the format has one.

    Quantized ones are seen as the plain tensors that they stand for.

    Raises:
        UserError: missing, damaged, cut short, of an unknown kind, quantized in a way that is not known, or with code
            in it.
    """
    return unscaled(_opened(path), path)


def _opened(path: Path) -> Weights:
    look_at(path)
    if not path.is_file():
        raise UserError("weights.not-there", file=path)
    match path.suffix.lower():
        case ".safetensors":
            return SafetensorsFile(path)
        case ".gguf":
            return GgufFile(path)
        case ending if ending in PICKLES:
            return PickleFile(path)
        case _ if path.name.endswith(".index.json"):
            return ShardedFiles(path, _opened)
        case _:
            raise UserError("weights.kind", file=path.name)
