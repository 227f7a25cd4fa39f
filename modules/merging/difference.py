"""What a model has learnt, tensor by tensor: a fine-tuned one less the one below it.

Memory that is asked of the system anew for every tensor costs several times what the computing does. So each difference
lies where the last one lay.
"""

from __future__ import annotations

from math import isfinite, sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from modules.merging.models import Model, checked, common, room_for

PIECE = 2**16  # numbers that are worked on at a time: they stay in the processor's cache


class Difference(NamedTuple):
    tensor: Tensor  # fp32
    squares: float  # the sum of its numbers' squares
    below: float  # the norm of the tensor that it was added to


class Differences:
    """Of a component, by the names of the tensors of numbers that both have."""

    def __init__(self, base: Model, tuned: Model, component: str) -> None:
        self._base, self._tuned, self._component = base, tuned, component
        self.names = [*common([base, tuned], component)]
        self._rooms: list[Tensor] = []  # bytes: of one model, of the other, of the difference

    def of(self, name: str) -> Difference:
        """One of them; the next call overwrites it.

        Raises:
            UserError: one of them holds NaN or infinite numbers.
        """
        scratch = self._scratch()
        below, above = (
            model.weights[self._component].read(name, room)
            for model, room in zip((self._base, self._tuned), scratch, strict=False)
        )
        found = scratch[2][: 4 * below.numel()].view(torch.float32)
        moved, squares = _subtracted(found, above.reshape(-1), below.reshape(-1))
        if not isfinite(moved + squares):
            for model in (self._base, self._tuned):
                checked(model.weights[self._component], name, model.name)
            moved, squares = (float(each.double().square().sum()) for each in (found, below))
        return Difference(found.view(below.shape), moved, sqrt(squares))

    def _scratch(self) -> list[Tensor]:
        if not self._rooms:
            both = [model.weights[self._component] for model in (self._base, self._tuned)]
            numbers = max(torch.Size(both[0].shapes[name]).numel() for name in self.names)
            self._rooms = [
                *(room_for(weights, self.names) for weights in both),
                torch.empty(4 * numbers, dtype=torch.uint8),
            ]
        return self._rooms


def _subtracted(found: Tensor, above: Tensor, below: Tensor) -> tuple[float, float]:
    """Put above - below there. Gives the sums of squares of the difference and of what is below."""
    moved, squares, room = 0.0, 0.0, torch.empty(min(PIECE, len(found)))
    for first in range(0, len(found), PIECE):
        piece = slice(first, first + PIECE)
        into = found[piece].copy_(above[piece])
        under = room[: len(into)].copy_(below[piece])
        squares += float(torch.dot(under, under))
        into.sub_(under)
        moved += float(torch.dot(into, into))
    return moved, squares
