"""Writes the shapes that the window counts layers with: `python -m modules.tools.layer_shapes`.

Run it by hand when an architecture is added; a test compares the files with the models.
"""

from __future__ import annotations

import json
from typing import Any

from modules.catalog.shapes import MODELS, TITLES, folded
from modules.data.text.tokenizer import read_json
from modules.families.parts.building import empty_unet
from modules.families.parts.single_file import bundled_config
from modules.system.bundled import resolve


def config_of(kind: str) -> dict[str, Any]:
    """The U-Net's config of a kind of `TITLES`."""
    if kind == "starter":
        return read_json(resolve("starter:model") / "unet" / "config.json")
    return bundled_config(kind, "denoiser")


def layers_of(kind: str) -> str:
    """What belongs into a kind's file."""
    unet = empty_unet(config_of(kind))
    tree = folded({name: tuple(parameter.shape) for name, parameter in unet.named_parameters()})
    return json.dumps(tree, separators=(",", ":")) + "\n"


def main() -> None:
    for kind in TITLES:
        path = MODELS / kind / "layers.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(layers_of(kind), encoding="utf-8")


if __name__ == "__main__":
    main()
