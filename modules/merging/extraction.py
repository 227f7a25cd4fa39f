"""The difference between a model and what it was fine-tuned from, as updates of layers.

One tensor of each is in memory at a time. Shapes: I inputs, O outputs, R rank, k k the kernel of a convolution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod, sqrt
from typing import Literal

import torch
from torch import Tensor

from modules.families import Family
from modules.formats.adapter import AdapterTensors
from modules.formats.lokr import LokrTensors
from modules.formats.lora import LoraTensors
from modules.merging.difference import Differences
from modules.merging.low_rank import LowRank, Wanted, low_rank
from modules.merging.models import Model, check_sizes
from modules.preset.adapter_sizes import factors, is_wide
from modules.system.seeds import seed_of

UNTOUCHED = 1e-6  # of the length of a component's weights: rounding, and nothing that was learnt


@dataclass(frozen=True)
class Extraction:
    """What is made of a difference."""

    kind: Literal["lora", "lokr"] = "lora"
    wanted: Wanted = field(default_factory=lambda: Wanted(32))
    numbers: int = 0  # in the file, at most: ranks go where they hold most; 0: as wanted
    convolutions: bool = True
    factor: int = 8  # LoKr: of the small matrix
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))


@dataclass
class Kept:
    """Sums of squares: of what changed, of what the updates hold of it, and by layer."""

    whole: float = 0.0
    held: float = 0.0
    outside: float = 0.0  # of tensors that an adapter's file has no place for
    layers: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])
    left_out: list[str] = field(default_factory=list[str])

    def add(self, name: str, squares: float, share: float) -> None:
        """A layer, of whose squares a share is held."""
        self.layers[name] = squares, share
        self.whole += squares
        self.held += squares * share

    def add_outside(self, name: str, squares: float) -> None:
        self.whole += squares
        self.outside += squares
        if squares:
            self.left_out.append(name)

    def worst(self, count: int) -> list[tuple[str, float]]:
        """The layers of which least is held; where 99 % is held or hardly anything changed, none."""
        small = 0.01 * self.whole / max(1, len(self.layers))
        found = [(name, share) for name, (squares, share) in self.layers.items() if squares > small and share < 0.99]
        return sorted(found, key=lambda layer: layer[1])[:count]


def extract(
    base: Model, tuned: Model, components: list[str], how: Extraction, progress: Callable[[int, int], None]
) -> tuple[dict[str, AdapterTensors], dict[str, Kept]]:
    """Updates by "component|module path", and what they hold of each component.

    A component that did not change has none.

    Raises:
        UserError: tensors have other sizes, or hold NaN.
    """
    family = base.family
    assert family is not None, "the base is whole"
    updates: dict[str, AdapterTensors] = {}
    kept: dict[str, Kept] = {}
    found: dict[str, LowRank] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for component in components:
        check_sizes(family, component, base, tuned)
        layers = _layers(family, component, how)
        kept[component] = about = Kept()
        differences = Differences(base, tuned, component)
        if not _changed(differences, progress):
            continue
        for number, name in enumerate(differences.names):
            progress(number, len(differences.names))
            delta, squares, _ = differences.of(name)
            layer = layers.get(name)
            if layer is None or not squares:
                about.add_outside(name, squares)
            elif how.kind == "lokr":
                updates[layer], share = _kronecker(delta.to(how.device), how)
                about.add(layer, squares, share)
            else:
                matrix, shapes[layer] = delta.flatten(1).to(how.device), tuple(delta.shape)
                found[layer] = low_rank(matrix, how.wanted, seed_of(0, "extract", layer), squares)
                about.add(layer, squares, found[layer].kept)
    if how.numbers:
        _distribute(found, shapes, kept, how.numbers)
    return updates | {name: _lora(each, shapes[name]) for name, each in found.items()}, kept


def _changed(differences: Differences, progress: Callable[[int, int], None]) -> bool:
    """Whether any tensor has moved by more than rounding; looks no further than it must."""
    for number, name in enumerate(differences.names):
        progress(number, len(differences.names))
        found = differences.of(name)
        if found.below and sqrt(found.squares) >= UNTOUCHED * found.below:
            return True
    return False


def _layers(family: Family, component: str, how: Extraction) -> Mapping[str, str]:
    """The tensors that an adapter can change, by their names in files -> "component|module path"."""
    shapes = family.weights(component).shapes
    found: dict[str, str] = {}
    for layer in family.lora_names():
        part, _, path = layer.partition("|")
        name = next((n for n in (f"{path}.weight", f"text_model.{path}.weight") if n in shapes), "")
        if part == component and name and (how.convolutions or not is_wide(shapes[name])):
            found[name] = layer
    return found


def _lora(found: LowRank, shape: tuple[int, ...]) -> LoraTensors:
    rank = len(found.values)
    down, up = found.right.reshape(rank, *shape[1:]), found.left.reshape(shape[0], rank, *[1] * (len(shape) - 2))
    return LoraTensors.of(down.cpu(), up.cpu(), float(rank))


def _kronecker(delta: Tensor, how: Extraction) -> tuple[LokrTensors, float]:
    """The nearest Kronecker product (Van Loan and Pitsianis 1993): the first rank of the blocks as rows."""
    outputs, inputs, *kernel = delta.shape
    (o, p), (i, q) = factors(outputs, how.factor), factors(inputs, how.factor)
    blocks = delta.reshape(o, p, i, q, -1).permute(0, 2, 1, 3, 4).reshape(o * i, -1)
    found = low_rank(blocks, Wanted(1), seed_of(0, "extract", "lokr"))
    small, large = found.left.reshape(o, i), found.right.reshape(p, q, *kernel)
    return LokrTensors({"w1": small.cpu(), "w2": large.cpu()}, 1.0), found.kept


def _distribute(
    found: dict[str, LowRank], shapes: Mapping[str, tuple[int, ...]], kept: Mapping[str, Kept], numbers: int
) -> None:
    """Cut each layer to the ranks with which all of them together hold most in so many numbers."""
    costs = {name: shape[0] + prod(shape[1:]) for name, shape in shapes.items()}
    gains = [(float(value) ** 2 / costs[name], name) for name, each in found.items() for value in each.values.tolist()]
    ranks = dict.fromkeys(found, 0)
    for _, name in sorted(gains, reverse=True):
        numbers -= costs[name]
        if numbers < 0:
            break
        ranks[name] += 1
    for name, rank in ranks.items():
        whole = found.pop(name)
        component = kept[name.partition("|")[0]]
        squares, share = component.layers[name]
        cut = whole.cut(rank) if rank else None
        component.held -= squares * (share - (cut.kept if cut else 0.0))
        component.layers[name] = squares, cut.kept if cut else 0.0
        if cut:
            found[name] = cut
