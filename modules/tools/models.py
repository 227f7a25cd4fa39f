"""Opening a model for a tool, whatever its family, and putting on it what was trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from modules.catalog import FAMILIES
from modules.errors import UserError
from modules.families import Family, LoadOptions, family_class
from modules.formats.adapter import merged_weight
from modules.formats.adapter_files import read_adapter
from modules.formats.embedding import read_bundle
from modules.formats.tensors import read_tensors
from modules.methods.textual_inversion import TokenTables
from modules.trainer.preparation import model_location


def open_model(source: str, guess: str, options: LoadOptions) -> Family:
    """Open a model as the family it is guessed to be, or else as the one it turns out to be.

    Raises:
        UserError: it cannot be read, or is of no family that is known.
    """
    refused: list[UserError] = []
    for name in sorted(FAMILIES, key=lambda name: name != guess):
        try:
            return family_class(name).load(model_location(source), options)
        except UserError as error:
            refused.append(error)
    raise refused[0]


def add_embeddings(family: Family, embeddings: Sequence[Path], loras: Sequence[Path]) -> list[str]:
    """Let prompts hold the words of embedding files, each called as its file is, and those inside LoRA files.

    Raises:
        UserError: a file is damaged, made for another model, or called as a word that the model knows.
    """
    bundles = {path: read_bundle(read_tensors(path), family.text_encoders, path) for path in loras}
    if not embeddings and not any(bundles.values()):
        return []
    vocabularies = TokenTables(family)
    words = {path.stem: vocabularies.read(path) for path in embeddings}
    for path, found in bundles.items():
        words |= {word: vocabularies.checked(rows, path) for word, rows in found.items() if word not in words}
    for word, rows in words.items():
        vocabularies.add(word, rows)
    return list(words)


@torch.no_grad()
def merge_lora(family: Family, lora: Path) -> int:
    """Add a LoRA to the weights of a family, in memory; gives how many layers it changes.

    Raises:
        UserError: the file is damaged, or was made for another architecture.
    """
    layers = read_adapter(lora, family.lora_names())
    for name, tensors in layers.items():
        component, _, path = name.partition("|")
        weight = family.component(component).get_submodule(path).get_parameter("weight")
        weight.copy_(merged_weight(weight, tensors))
    return len(layers)
