"""How far weights have moved, and where: a number for each block and kind of layer, tensor by tensor from disk.

The change of a LoRA is measured by its two thin matrices and never built: |B A|^2 is the trace of (B' B)(A A').
Shapes: I inputs, O outputs, R rank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt

import torch
from torch import Tensor

from modules.formats.adapter import AdapterTensors
from modules.formats.lora import LoraTensors
from modules.merging.adapters import sides
from modules.merging.blocks import BASE, KINDS, OTHER, Blocks, kind_of
from modules.merging.difference import Differences
from modules.merging.models import Model, check_sizes
from modules.merging.shift import Cell, Layer
from modules.system.seeds import seed_of

ITERATIONS = 8  # of the power method


@dataclass(frozen=True)
class Change:
    """The change of one tensor: as it is, or a LoRA's two sides, left (O, R) with the scale in it and right (R, I)."""

    dense: Tensor | None = None
    left: Tensor | None = None
    right: Tensor | None = None
    squares: float | None = None  # the sum of its numbers' squares, where it is known
    below: float | None = None  # the norm of the tensor that it was added to, where it is known

    @property
    def norm(self) -> float:
        return sqrt(max(0.0, self.dot(self) if self.squares is None else self.squares))

    def dot(self, other: Change) -> float:
        """The sum of the products of their numbers."""
        if self.left is not None and self.right is not None and other.left is not None and other.right is not None:
            return float(((self.left.T @ other.left).double() * (self.right @ other.right.T).double()).sum())
        return float(torch.dot(self.whole().flatten(), other.whole().flatten()))

    def whole(self) -> Tensor:
        if self.dense is not None:
            return self.dense
        assert self.left is not None and self.right is not None
        return self.left @ self.right

    def largest(self, seed: int) -> float | None:
        """Its largest singular value, by the power method; of a LoRA exactly; None of what is no matrix."""
        if self.left is not None and self.right is not None:
            _, one = torch.linalg.qr(self.left)
            _, other = torch.linalg.qr(self.right.T)
            return float(torch.linalg.svdvals(one @ other.T)[0])
        matrix = self.whole()
        if matrix.dim() < 2:
            return None
        matrix, found = matrix.flatten(1), 0.0
        x = torch.randn(matrix.shape[1], generator=torch.Generator().manual_seed(seed))
        for _ in range(ITERATIONS):
            y = matrix @ (x / x.norm().clamp_min(1e-30))
            found, x = float(y.norm()), matrix.T @ y
        return found


Changes = Mapping[str, Callable[[], Change]]  # by "component|name of the tensor"; one is gone when the next is made


def changes_of(base: Model, tuned: Model) -> dict[str, Callable[[], Change]]:
    """Those of a fine-tuned model.

    Raises:
        UserError: the models differ in the size of a tensor.
    """
    family = base.family
    assert family is not None
    found: dict[str, Callable[[], Change]] = {}
    for component in (name for name in base.weights if name in tuned.weights):
        check_sizes(family, component, base, tuned)
        differences = Differences(base, tuned, component)
        found |= {f"{component}|{name}": partial(_change, differences, name) for name in differences.names}
    return found


def _change(differences: Differences, name: str) -> Change:
    tensor, squares, below = differences.of(name)
    return Change(tensor, squares=squares, below=below)


def changes_in(
    updates: Mapping[str, AdapterTensors], delta: Callable[[str, AdapterTensors], Tensor]
) -> dict[str, Callable[[], Change]]:
    """Those of an adapter. `delta` makes the change of a layer that is more than a plain LoRA."""

    def made(name: str, update: AdapterTensors) -> Callable[[], Change]:
        if isinstance(update, LoraTensors) and "mid" not in update.values and update.dora_scale is None:
            return lambda: Change(None, *sides(update))
        return lambda: Change(delta(name, update))

    return {f"{name}.weight": made(name, update) for name, update in updates.items()}


def measured(
    changes: Changes, blocks: Blocks, weight: Callable[[str], float | None], other: Changes | None = None, *,
    largest: bool = False, progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Layer]:  # fmt: skip
    """Every tensor. `weight`: the norm of a tensor of the base, None where it is not known."""
    found: list[Layer] = []
    for number, (name, make) in enumerate(changes.items()):
        progress(number, len(changes))
        change = make()
        below = weight(name) if change.below is None else change.below
        norm, cosine = change.norm, None
        if other is not None and name in other:
            second = other[name]()
            lengths = norm * second.norm
            cosine = change.dot(second) / lengths if lengths else None
        component, _, tensor = name.partition("|")
        top = change.largest(seed_of(0, "shift", name)) if largest else None
        relative = norm / below if below else None
        block, kind = _column(blocks, component, tensor), kind_of(tensor)
        found.append(Layer(name, block, kind, norm, below, relative, top, cosine))
    return found


def _column(blocks: Blocks, component: str, tensor: str) -> str:
    if component.startswith("text_encoder_"):
        return component.replace("text_encoder_", "TE")
    return blocks.of(component, tensor.removeprefix("text_model."))


def cells_of(layers: Iterable[Layer]) -> list[Cell]:
    """Sums of squares by block and kind; a cosine is the mean, weighted by the norms."""
    held: dict[tuple[str, str], list[Layer]] = {}
    for layer in layers:
        held.setdefault((layer.block, layer.kind), []).append(layer)
    return [
        Cell(block, kind, len(group), norm_of(group), relative_of(group), _largest(group), _cosine(group))
        for (block, kind), group in held.items()
    ]


def relative_of(layers: Iterable[Layer]) -> float | None:
    """Of all of them together; None where nothing is known of the weights."""
    known = [layer for layer in layers if layer.weight is not None]
    weights = sum(layer.weight**2 for layer in known if layer.weight is not None)
    return sqrt(sum(layer.norm**2 for layer in known) / weights) if weights else None


def norm_of(layers: Sequence[Layer]) -> float:
    """Of the change of all of them together."""
    return sqrt(sum(layer.norm**2 for layer in layers))


def _largest(layers: Sequence[Layer]) -> float | None:
    return max((layer.largest for layer in layers if layer.largest is not None), default=None)


def _cosine(layers: Sequence[Layer]) -> float | None:
    known = [layer for layer in layers if layer.cosine is not None]
    weights = sum(layer.norm for layer in known)
    return sum(layer.norm * layer.cosine for layer in known if layer.cosine is not None) / weights if weights else None


def columns(blocks: Blocks, layers: Iterable[Layer]) -> list[str]:
    """The blocks that hold any of them, in the order of the net; text encoders and the VAE last."""
    there = dict.fromkeys(layer.block for layer in layers)
    ordered = [name for name in (BASE, *blocks.names) if name in there]
    return [*ordered, *sorted(name for name in there if name not in ordered)]


def rows(layers: Iterable[Layer]) -> list[str]:
    """The kinds of any of them."""
    there = {layer.kind for layer in layers}
    return [kind for kind in (*KINDS, OTHER) if kind in there]


def by_kind(layers: Sequence[Layer]) -> Iterator[tuple[str, list[Layer]]]:
    for kind in rows(layers):
        yield kind, [layer for layer in layers if layer.kind == kind]
