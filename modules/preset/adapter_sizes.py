"""The shapes of what an adapter trains for a layer: its update makes tensors of these, and the window counts them.

Shapes: a layer's weight, (outputs, inputs) or (outputs, inputs, kernel, kernel).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from modules.preset.sections.method import Adapter, LayerGroup, Loha, Lokr, Lora, LowRank, Oft

Shape = tuple[int, ...]


def tensor_shapes(shape: Shape, settings: Adapter, group: LayerGroup | None = None) -> dict[str, Shape]:
    """The tensors of one layer's update by name, in the order in which they are drawn; `group`: its layer group."""
    return SHAPES[type(settings)](shape, settings, group)


def parameter_count(shape: Shape, settings: Adapter, group: LayerGroup | None = None) -> int:
    """Trained numbers for one layer."""
    magnitudes = shape[settings.dora_axis == "inputs"] if isinstance(settings, LowRank) and settings.dora else 0
    return sum(map(math.prod, tensor_shapes(shape, settings, group).values())) + magnitudes


def low_rank_size(shape: Shape, settings: LowRank, group: LayerGroup | None) -> tuple[int, float]:
    """Rank and alpha of a layer: its group's, or the convolutions' own for kernels wider than 1x1 (as kohya), or all's.

    An alpha that is left open keeps the proportion to the rank.
    """
    share = settings.alpha / settings.rank
    if group is not None and group.rank:
        return group.rank, group.alpha or share * group.rank
    rank, alpha = settings.rank, settings.alpha
    if is_wide(shape):
        rank = settings.conv_rank or rank
        alpha = settings.conv_alpha or share * rank
    return rank, group.alpha if group is not None and group.alpha else alpha


def is_wide(shape: Shape) -> bool:
    """A convolution that sees its neighbours; a 1x1 convolution is a linear layer in all but its shape."""
    return len(shape) == 4 and math.prod(shape[2:]) > 1


def factors(size: int, wanted: int) -> tuple[int, int]:
    """A size as a product, the smaller factor first: how LoKr splits a side of a layer.

    `wanted` and its counterpart, if it divides the size; else the largest divisor up to it that is at most the root. 0:
    the nearest to the root.
    """
    if wanted and size % wanted == 0:
        return min(wanted, size // wanted), max(wanted, size // wanted)
    most = math.isqrt(size) if not wanted else min(wanted, math.isqrt(size))
    small = next(n for n in range(most, 0, -1) if size % n == 0)
    return small, size // small


def _lora(shape: Shape, settings: Lora, group: LayerGroup | None) -> dict[str, Shape]:
    rank, _ = low_rank_size(shape, settings, group)
    return {"down": (rank, *shape[1:]), "up": (shape[0], rank, *[1] * (len(shape) - 2))}


def _loha(shape: Shape, settings: Loha, group: LayerGroup | None) -> dict[str, Shape]:
    rank, _ = low_rank_size(shape, settings, group)
    outputs, inputs, *kernel = shape
    if settings.tucker and is_wide(shape):
        core = (rank, rank, *kernel)
        return {
            "w1_a": (rank, outputs), "w1_b": (rank, inputs), "t1": core, "t2": core,
            "w2_b": (rank, inputs), "w2_a": (rank, outputs),
        }  # fmt: skip
    inputs *= math.prod(kernel)
    return {"w1_a": (outputs, rank), "w1_b": (rank, inputs), "w2_b": (rank, inputs), "w2_a": (outputs, rank)}


def _lokr(shape: Shape, settings: Lokr, group: LayerGroup | None) -> dict[str, Shape]:
    """A matrix is split where that is smaller, else it is whole, by the same rules as in LyCORIS.

    A layer has outputs o p and inputs i q: w1 is (o, i), w2 (p, q).
    """
    rank, _ = low_rank_size(shape, settings, group)
    outputs, inputs, *kernel = shape
    (o, p), (i, q) = factors(outputs, settings.factor), factors(inputs, settings.factor)
    split = settings.decompose_both and not settings.full_matrix and rank < max(o, i) / 2
    small: dict[str, Shape] = {"w1_a": (o, rank), "w1_b": (rank, i)} if split else {"w1": (o, i)}
    if settings.full_matrix or rank >= max(p, q) / 2:
        return {**small, "w2": (p, q, *kernel)}
    if settings.tucker and is_wide(shape):
        return {**small, "t2": (rank, rank, *kernel), "w2_a": (rank, p), "w2_b": (rank, q)}
    return {**small, "w2_a": (p, rank), "w2_b": (rank, q * math.prod(kernel))}


def _oft(shape: Shape, settings: Oft, group: LayerGroup | None) -> dict[str, Shape]:
    """Blocks of the largest size up to the wanted one that divides the outputs."""
    most = (group.rank if group is not None else 0) or settings.block_size
    size = next(size for size in range(min(most, shape[0]), 0, -1) if shape[0] % size == 0)
    return {"blocks": (shape[0] // size, size, size)}


SHAPES: dict[type[Adapter], Callable[..., dict[str, Shape]]] = {Lora: _lora, Loha: _loha, Lokr: _lokr, Oft: _oft}
