"""Opening a model for a tool, whatever its family, and putting on it what was trained."""

from __future__ import annotations

from pathlib import Path

import torch

from modules.catalog import FAMILIES
from modules.errors import UserError
from modules.families import Family, LoadOptions, family_class
from modules.formats.lora import merged_weight, read_lora
from modules.trainer.preparation import place_of


def open_model(source: str, guess: str, options: LoadOptions) -> Family:
    """Open a model as the family it is guessed to be, or else as the one it turns out to be.

    Raises:
        UserError: it cannot be read, or is of no family that is known.
    """
    refused: list[UserError] = []
    for name in sorted(FAMILIES, key=lambda name: name != guess):
        try:
            return family_class(name).load(place_of(source), options)
        except UserError as error:
            refused.append(error)
    raise refused[0]


@torch.no_grad()
def put_on(family: Family, lora: Path) -> int:
    """Add a LoRA to the weights of a family, in memory; gives how many layers it changes.

    Raises:
        UserError: the file is damaged, or was made for another architecture.
    """
    layers = read_lora(lora, family.lora_names())
    for name, tensors in layers.items():
        part, _, path = name.partition("|")
        weight = family.part(part).get_submodule(path).get_parameter("weight")
        weight.copy_(merged_weight(weight, tensors))
    return len(layers)
