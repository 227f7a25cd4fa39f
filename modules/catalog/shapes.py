"""The shapes of a denoiser's weights, for those who count without torch: read from resources/models/<kind>/layers.json.

The files are written by `python -m tools.layer_shapes`. A file is the tree of the names; siblings that are
numbered in a row and hold the same stand there once: {"attentions": {"0-1": {"to_q": {"weight": [320, 320]}}}}.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, cast

from modules.catalog.card import FamilyCard, Variant

MAX_CONFIG_BYTES = 5_000_000  # of a file that a stranger made

Shapes = Mapping[str, tuple[int, ...]]
MODELS = Path(__file__).resolve().parents[2] / "resources" / "models"


def variant_of(card: FamilyCard, source: str) -> tuple[Variant | None, bool]:
    """The architecture of a model, as far as its name or its folder tells, and whether that is sure.

    None for a family whose layers are not listed.
    """
    if not card.variants:
        return None, False
    if source and (own := next((variant for variant in card.variants if variant.source == source), None)):
        return own, True
    first, told_apart = card.variants[0], [variant for variant in card.variants if variant.facts]
    if not told_apart:
        return first, not source or "/" in source
    config = Path(source).expanduser() / card.component("denoiser").folder / "config.json"
    if source and config.is_file():
        found = next((variant for variant in told_apart if _says(config, variant.facts)), None)
        return found or first, found is not None
    by_name = (variant for variant in told_apart if variant.names and re.search(variant.names, source, re.IGNORECASE))
    return next(by_name, first), False


def _says(config: Path, facts: Mapping[str, Any]) -> bool:
    try:
        with config.open("rb") as file:
            held = json.loads(file.read(MAX_CONFIG_BYTES))
        return all(held.get(name) == fact for name, fact in facts.items())
    except (OSError, ValueError, AttributeError, RecursionError):
        return False  # the engine will say what is wrong with it


def shapes_of(kind: str) -> dict[str, tuple[int, ...]]:
    """The shape of each weight by its name, in the model's order. `kind` is that of a `Variant`."""
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
