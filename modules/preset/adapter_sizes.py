"""How many numbers an adapter trains for a layer of some shape. The window counts with this; a test asks the updates.

Shapes: a layer's weight, (outputs, inputs) or (outputs, inputs, kernel, kernel).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from modules.preset.sections.method import Adapter, LayerGroup, Loha, Lokr, Lora, LowRank, Oft

Shape = tuple[int, ...]


def parameter_count(shape: Shape, settings: Adapter, own: LayerGroup | None = None) -> int:
    """Trained numbers for one layer; `own`: the settings of its group."""
    return COUNTS[type(settings)](shape, settings, own) + _magnitude(shape, settings)


def is_wide(shape: Shape) -> bool:
    """A convolution that sees its neighbours."""
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


def _magnitude(shape: Shape, settings: Adapter) -> int:
    return shape[0] if isinstance(settings, LowRank) and settings.dora else 0


def _rank(shape: Shape, settings: LowRank, own: LayerGroup | None) -> int:
    if own is not None and own.rank:
        return own.rank
    return (settings.conv_rank or settings.rank) if is_wide(shape) else settings.rank


def _lora(shape: Shape, settings: Lora, own: LayerGroup | None) -> int:
    outputs, *rest = shape
    return _rank(shape, settings, own) * (outputs + math.prod(rest))


def _loha(shape: Shape, settings: Loha, own: LayerGroup | None) -> int:
    rank, (outputs, inputs, *kernel) = _rank(shape, settings, own), shape
    if settings.tucker and is_wide(shape):
        return 2 * rank * (outputs + inputs + rank * math.prod(kernel))
    return 2 * rank * (outputs + inputs * math.prod(kernel))


def _lokr(shape: Shape, settings: Lokr, own: LayerGroup | None) -> int:
    rank, (outputs, inputs, *kernel) = _rank(shape, settings, own), shape
    (o, p), (i, q) = factors(outputs, settings.factor), factors(inputs, settings.factor)
    split = settings.decompose_both and not settings.full_matrix and rank < max(o, i) / 2
    small = rank * (o + i) if split else o * i
    if settings.full_matrix or rank >= max(p, q) / 2:
        return small + p * q * math.prod(kernel)
    if settings.tucker and is_wide(shape):
        return small + rank * (p + q + rank * math.prod(kernel))
    return small + rank * (p + q * math.prod(kernel))


def _oft(shape: Shape, settings: Oft, own: LayerGroup | None) -> int:
    most = (own.rank if own is not None else 0) or settings.block_size
    size = next(size for size in range(min(most, shape[0]), 0, -1) if shape[0] % size == 0)
    return shape[0] * size


COUNTS: dict[type[Adapter], Callable[..., int]] = {Lora: _lora, Loha: _loha, Lokr: _lokr, Oft: _oft}
