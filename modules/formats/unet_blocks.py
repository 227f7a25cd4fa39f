"""The blocks of a U-Net in a single file, read from the names of its tensors: distilled models leave some out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

BLOCK = re.compile(r"(input|output)_blocks\.(\d+)\.(?:1\.transformer_blocks\.(\d+)\.)?")
USUAL: dict[str, Any] = {  # where a config is silent
    "transformer_layers_per_block": 1, "reverse_transformer_layers_per_block": None,
    "mid_block_type": "UNetMidBlock2DCrossAttn",
}  # fmt: skip


def unet_changes(names: Collection[str], prefix: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """What a U-Net has otherwise than `config` says, in diffusers' settings; nothing where it has the same blocks.

    `prefix`: what the names of its tensors begin with. Widths are not looked at.
    """
    levels = len(config["block_out_channels"])
    paths = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    depths: Counter[tuple[str, int]] = Counter()  # side and number of a block -> its transformer layers
    for match in filter(None, map(BLOCK.match, paths)):
        at = (match[1], int(match[2]))
        depths[at] = max(depths[at], int(match[3]) + 1 if match[3] else 0)
    # The middle counts its modules like blocks: a ResNet, a transformer and another ResNet, or a ResNet alone.
    middle = any(path.startswith("middle_block.1.transformer_blocks.") for path in paths)
    layers = sum(side == "input" for side, _ in depths) // levels - 1
    if layers < 1:  # no whole U-Net under these names
        return {}
    down = [[depths["input", 1 + i * (layers + 1) + j] for j in range(layers)] for i in range(levels)]
    up = [[depths["output", i * (layers + 1) + j] for j in range(layers + 1)] for i in range(levels)]
    found = {
        "layers_per_block": layers,
        "down_block_types": ["CrossAttnDownBlock2D" if any(level) else "DownBlock2D" for level in down],
        "up_block_types": ["CrossAttnUpBlock2D" if any(level) else "UpBlock2D" for level in up],
        "mid_block_type": "UNetMidBlock2DCrossAttn" if middle else "UNetMidBlock2D",
        **_transformers(down, up),
    }
    return {key: value for key, value in found.items() if value != config.get(key, USUAL.get(key))}


def _transformers(down: list[list[int]], up: list[list[int]]) -> dict[str, Any]:
    """Transformer layers by block: a number, one for each level, or where sides or layers differ one for each layer."""
    same = [{*level, *other} - {0} for level, other in zip(down, reversed(up), strict=True)]
    if all(len(depth) <= 1 for depth in same):
        each = [next(iter(depth), 1) for depth in same]
        return {
            "transformer_layers_per_block": each[0] if len({*each}) == 1 else each,
            "reverse_transformer_layers_per_block": None,
        }
    down, up = ([[max(depth, 1) for depth in level] for level in side] for side in (down, up))
    return {"transformer_layers_per_block": down, "reverse_transformer_layers_per_block": up}
