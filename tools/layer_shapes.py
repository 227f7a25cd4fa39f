"""Writes the shapes that the window counts layers with: `python -m tools.layer_shapes`.

Run it by hand when an architecture is added; a test compares the files with the models.
"""

from __future__ import annotations

import json
from typing import Any

from modules.catalog import FAMILIES, FamilyCard, Variant
from modules.catalog.shapes import MODELS, folded
from modules.data.text.tokenizer import read_json
from modules.families.parts.building import empty_component
from modules.families.parts.single_file import bundled_config
from modules.system.bundled import resolve


def config_of(card: FamilyCard, variant: Variant) -> dict[str, Any]:
    """The config of a variant's denoiser."""
    if variant.source:
        return read_json(resolve(variant.source) / card.component("denoiser").folder / "config.json")
    return bundled_config(variant.kind, "denoiser")


def layers_of(card: FamilyCard, variant: Variant) -> str:
    """What belongs into a variant's file."""
    denoiser = empty_component(card.component("denoiser"), config_of(card, variant))
    tree = folded({name: tuple(parameter.shape) for name, parameter in denoiser.named_parameters()})
    return json.dumps(tree, separators=(",", ":")) + "\n"


def main() -> None:
    for card in FAMILIES.values():
        for variant in card.variants:
            path = MODELS / variant.kind / "layers.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(layers_of(card, variant), encoding="utf-8")


if __name__ == "__main__":
    main()
