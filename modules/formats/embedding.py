"""Embedding files (textual inversion) as other programs name them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from modules.errors import UserError
from modules.formats.tensors import cast, read_tensors
from modules.system.weights import first_names

# With one text encoder A1111, Forge and ComfyUI take whatever single tensor is in the file, and diffusers likewise;
# kohya writes `emb_params`, OneTrainer `emp_params`. With two, all look for these two names.
SINGLE_NAME = "emp_params"
ENCODER_NAMES = {"text_encoder_1": "clip_l", "text_encoder_2": "clip_g"}
BUNDLE = "bundle_emb."  # begins the names of words inside a LoRA file


def embedding_tensors(vectors: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """`vectors`: (n, D) by text encoder."""
    if len(vectors) == 1:
        return {SINGLE_NAME: cast(next(iter(vectors.values())), dtype, SINGLE_NAME)}
    return {ENCODER_NAMES[name]: cast(rows, dtype, name) for name, rows in vectors.items()}


def bundle_tensors(words: Mapping[str, Mapping[str, Tensor]], dtype: torch.dtype) -> dict[str, Tensor]:
    """Words as A1111, Forge and OneTrainer keep them inside a LoRA file: `bundle_emb.<word>.clip_l` and so on."""
    return {
        f"{BUNDLE}{word}.{name}": tensor
        for word, vectors in words.items()
        for name, tensor in embedding_tensors(vectors, dtype).items()
    }


def read_bundle(tensors: Mapping[str, Tensor], encoders: tuple[str, ...], path: Path) -> dict[str, dict[str, Tensor]]:
    """The words in a LoRA file, as `read_embedding` gives each; `path` is for messages.

    Raises:
        UserError: one of them was made for a model with other text encoders.
    """
    words: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith(BUNDLE):
            word, _, name = key.removeprefix(BUNDLE).partition(".")
            words.setdefault(word, {})[name] = tensor
    return {word: _by_encoder(found, encoders, path) for word, found in words.items()}


def read_embedding(path: Path, encoders: tuple[str, ...]) -> dict[str, Tensor]:
    """The vectors (n, D) of a word by text encoder.

    Raises:
        UserError: damaged, or made for a model with other text encoders.
    """
    return _by_encoder(read_tensors(path), encoders, path)


def _by_encoder(found: Mapping[str, Tensor], encoders: tuple[str, ...], path: Path) -> dict[str, Tensor]:
    named = {encoder: found[ENCODER_NAMES[encoder]] for encoder in encoders if ENCODER_NAMES[encoder] in found}
    if len(encoders) == 1 and len(found) == 1:
        named = {encoders[0]: next(iter(found.values()))}
    if len(named) != len(encoders) or len(named) != len(found):
        raise UserError(
            f"{path.name} is no embedding for this model (it holds {first_names(found)}).",
            advice="Choose an embedding that was made for a model of the same type.",
        )
    vectors_by_encoder = {
        name: rows[None] if rows.dim() == 1 else rows for name, rows in named.items()
    }  # one vector, by itself
    if (
        any(rows.dim() != 2 or not len(rows) for rows in vectors_by_encoder.values())
        or len({len(r) for r in vectors_by_encoder.values()}) > 1
    ):
        raise UserError(f"{path.name} is no embedding: its vectors have strange shapes.", advice="Get the file again.")
    return vectors_by_encoder
