"""Chunks of an optimizer's update that are like one before, and so take what that took: only the first ones are run.

An optimizer that works on a few weights at a time does the same for each chunk of the same shapes. A full fine-tune of
SDXL has 299 chunks and 40 kinds of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from modules.check.memory.memory_tracker import Ledger
from modules.trainer.step.optimizers import MixedPrecisionOptimizer


class _Taken(NamedTuple):
    """Bytes."""

    rise: int  # above what was there
    grows: int
    keeps_gradients: bool
    launches: int


class SeenChunks:
    """Stands before the steps of an optimizer's chunks."""

    def __init__(self, ledger: Ledger, optimizer: MixedPrecisionOptimizer) -> None:
        self._ledger, self._optimizer, self._step_chunk = ledger, optimizer, optimizer.step_chunk
        self._seen: dict[Any, _Taken] = {}
        self._first = True  # which may make what an optimizer has but once
        vars(optimizer)["step_chunk"] = self._step

    def _step(self, chunk: Sequence[Tensor], step: int, bad: Tensor | None) -> None:
        group = next(i for i, each in enumerate(self._optimizer.inner.param_groups) if each["params"])
        key = group, tuple((p.shape, p.stride(), p.dtype, None if p.grad is None else p.grad.dtype) for p in chunk)
        if seen := self._seen.get(key):
            self._repeat(chunk, seen)
            return
        ledger, before, launches = self._ledger, self._ledger.live, self._ledger.launches
        highest = ledger.restart()
        self._step_chunk(chunk, step, bad)
        taken = _Taken(
            ledger.peak - before, ledger.live - before, any(p.grad is not None for p in chunk),
            ledger.launches - launches,
        )  # fmt: skip
        ledger.peak = max(ledger.peak, highest)
        if not self._first:
            self._seen[key] = taken
        self._first = False

    def _repeat(self, chunk: Sequence[Tensor], taken: _Taken) -> None:
        ledger, before = self._ledger, self._ledger.live
        if not taken.keeps_gradients:
            for parameter in chunk:
                parameter.grad = None
        ledger.peak = max(ledger.peak, before + taken.rise)
        ledger.live = before + taken.grows
        ledger.launches += taken.launches
