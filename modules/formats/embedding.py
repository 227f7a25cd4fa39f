"""Embedding files (textual inversion) as other programs name them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from modules.errors import UserError
from modules.formats.tensors import cast, read_tensors

# With one text encoder A1111, Forge and ComfyUI take whatever single tensor is in the file, and diffusers likewise;
# kohya writes `emb_params`, OneTrainer `emp_params`. With two, all look for these two names.
ONE = "emp_params"
TWO = {"text_encoder_1": "clip_l", "text_encoder_2": "clip_g"}


def embedding_tensors(vectors: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """`vectors`: (n, D) by text encoder."""
    if len(vectors) == 1:
        return {ONE: cast(next(iter(vectors.values())), dtype, ONE)}
    return {TWO[name]: cast(rows, dtype, name) for name, rows in vectors.items()}


def read_embedding(path: Path, encoders: tuple[str, ...]) -> dict[str, Tensor]:
    """The vectors of a word by text encoder.

    Raises:
        UserError: damaged, or made for a model with other text encoders.
    """
    found = read_tensors(path)
    if len(encoders) == 1 and len(found) == 1:
        return {encoders[0]: next(iter(found.values()))}
    if {TWO[name] for name in encoders} != set(found) or len(encoders) == 1:
        raise UserError(
            f"{path.name} is no embedding for this model (it holds {', '.join(sorted(found)[:4])}).",
            advice="Choose an embedding that was made for a model of the same type.",
        )
    return {name: found[TWO[name]] for name in encoders}
