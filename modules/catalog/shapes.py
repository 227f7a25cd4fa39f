"""The shapes of a U-Net's weights, for those who count without torch: read from resources/models/<kind>/layers.json.

The files are written by `python -m modules.tools.layer_shapes`. A file is the tree of the names; siblings that are
numbered in a row and hold the same stand there once: {"attentions": {"0-1": {"to_q": {"weight": [320, 320]}}}}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, cast

Shapes = Mapping[str, tuple[int, ...]]
MODELS = Path(__file__).resolve().parents[2] / "resources" / "models"
TITLES = {
    "sd15": "Stable Diffusion 1.5",
    "sd2": "Stable Diffusion 2",
    "sdxl": "Stable Diffusion XL",
    "starter": "the Starter model",
}
DEFAULT_KIND = {"sd": "sd15", "sdxl": "sdxl"}  # family: the kind that is meant where nobody knows better


def shapes_of(kind: str) -> dict[str, tuple[int, ...]]:
    """The shape of each weight by its name, in the model's order. `kind` is a name in TITLES."""
    return unfolded(json.loads((MODELS / kind / "layers.json").read_text(encoding="utf-8")))


def folded(shapes: Shapes) -> dict[str, Any]:
    """The tree that `unfolded` turns back."""
    tree: dict[str, Any] = {}
    for name, shape in shapes.items():
        *above, last = name.split(".")
        inside = tree
        for part in above:
            inside = inside.setdefault(part, {})
        inside[last] = list(shape)
    return _shared(tree)


def unfolded(tree: Mapping[str, Any], above: str = "") -> dict[str, tuple[int, ...]]:
    """Names and shapes of a tree."""
    found: dict[str, tuple[int, ...]] = {}
    for key, inside in tree.items():
        first, _, last = key.partition("-")
        for part in map(str, range(int(first), int(last) + 1)) if last else (key,):
            if isinstance(inside, list):
                found[f"{above}{part}"] = tuple(cast("list[int]", inside))
            else:
                found |= unfolded(inside, f"{above}{part}.")
    return found


def _shared(tree: Any) -> Any:
    """The same with equal neighbours in a row of numbers put together."""
    if isinstance(tree, list):
        return cast("list[int]", tree)
    inside = {name: _shared(child) for name, child in cast("dict[str, Any]", tree).items()}
    kept: dict[str, Any] = {}
    for _, run in groupby(enumerate(inside), lambda pair: _row(pair[0], pair[1], inside[pair[1]])):
        names = [name for _, name in run]
        kept[names[0] if len(names) == 1 else f"{names[0]}-{names[-1]}"] = inside[names[0]]
    return kept


def _row(place: int, name: str, child: Any) -> tuple[Any, ...]:
    """The same for neighbours that can be put together: their number grows as their place does."""
    return (int(name) - place, json.dumps(child)) if name.isdecimal() else (name,)
