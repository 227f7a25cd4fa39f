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
# kohya writes `emb_params`, OneTrainer `emp_params`. With two, all look for the names that the
# catalog has: clip_l and clip_g.
SINGLE_NAME = "emp_params"
BUNDLE = "bundle_emb."  # begins the names of words inside a LoRA file


def embedding_tensors(vectors: Mapping[str, Tensor], names: Mapping[str, str], dtype: torch.dtype) -> dict[str, Tensor]:
    """`vectors`: (n, D) by text encoder. `names`: what files call each encoder's, as everywhere here."""
    if len(vectors) == 1:
        return {SINGLE_NAME: cast(next(iter(vectors.values())), dtype, SINGLE_NAME)}
    return {names[name]: cast(rows, dtype, name) for name, rows in vectors.items()}


def bundle_tensors(
    words: Mapping[str, Mapping[str, Tensor]], names: Mapping[str, str], dtype: torch.dtype
) -> dict[str, Tensor]:
    """Words as A1111, Forge and OneTrainer keep them inside a LoRA file: `bundle_emb.<word>.clip_l` and so on."""
    return {
        f"{BUNDLE}{word}.{name}": tensor
        for word, vectors in words.items()
        for name, tensor in embedding_tensors(vectors, names, dtype).items()
    }


def read_bundle(tensors: Mapping[str, Tensor], names: Mapping[str, str], path: Path) -> dict[str, dict[str, Tensor]]:
    """The words in a LoRA file, as `read_embedding` gives each; `path` is for messages.

    Raises:
        UserError: one of them was made for a model with other text encoders.
    """
    words: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith(BUNDLE):
            word, _, name = key.removeprefix(BUNDLE).partition(".")
            words.setdefault(word, {})[name] = tensor
    return {word: _by_encoder(found, names, path) for word, found in words.items()}


def read_embedding(path: Path, names: Mapping[str, str]) -> dict[str, Tensor]:
    """The vectors (n, D) of a word by text encoder.

    Raises:
        UserError: damaged, or made for a model with other text encoders.
    """
    return _by_encoder(read_tensors(path), names, path)


def _by_encoder(found: Mapping[str, Tensor], names: Mapping[str, str], path: Path) -> dict[str, Tensor]:
    named = {encoder: found[name] for encoder, name in names.items() if name in found}
    if len(names) == 1 and len(found) == 1:
        named = {next(iter(names)): next(iter(found.values()))}
    if len(named) != len(names) or len(named) != len(found):
        raise UserError("embedding.other-model", file=path.name, names=first_names(found))
    if not all(bool(rows.isfinite().all()) for rows in named.values()):
        raise UserError("embedding.not-finite", file=path.name)
    vectors_by_encoder = {
        name: rows[None] if rows.dim() == 1 else rows for name, rows in named.items()
    }  # one vector, by itself
    if (
        any(rows.dim() != 2 or not len(rows) for rows in vectors_by_encoder.values())
        or len({len(r) for r in vectors_by_encoder.values()}) > 1
    ):
        raise UserError("embedding.shapes", file=path.name)
    return vectors_by_encoder
