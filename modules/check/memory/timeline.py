"""A step's memory from mark to mark, so that of blocks which repeat only a few need be run.

What a transformer of 57 blocks holds grows by the same with each, goes back by the same, and is fullest somewhere
between. So a model with three blocks of each kind is run, and marks are set after the last two of them, and where their
first gradients appear on the way back. What lies between two such marks comes again for every block that was left out:
its bytes, its gradients, its arithmetic. Its peak is then highest the first or the last time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from modules.check.memory.memory_tracker import Ledger
from modules.check.memory.repeated import Run


@dataclass(frozen=True)
class Stretch:
    """What happened between two marks; bytes."""

    run: Run | None  # whose block it was, which others repeat
    peak: int
    grows: int
    gradients: int  # at the peak
    more_gradients: int
    flops: int
    launches: int


@dataclass(frozen=True)
class Passes:
    """Forward and backward passes of a step, with all of its blocks."""

    peak: int
    gradients: int  # at the peak
    flops: int
    launches: int


class Timeline:
    """Watches the passes of a step, whose first update ends them."""

    def __init__(
        self, ledger: Ledger, denoiser: nn.Module, runs: Mapping[Run, tuple[str, str]], parameters: Mapping[str, Tensor]
    ) -> None:
        """`runs`: of each row the paths of its last two blocks."""
        self.ledger, self.started = ledger, lambda: None
        self._stretches: list[Stretch] = []
        self._open: Run | None = None
        self._on_way_back = set[Run]()
        self._arrived, self._there = set[Tensor](), 0
        for parameter in parameters.values():
            parameter.register_post_accumulate_grad_hook(self._arrive)  # type: ignore[attr-defined]
        for run, (before, last) in runs.items():
            for path, mark in ((before, self._begin), (last, self._end)):
                denoiser.get_submodule(path).register_forward_hook(partial(self._after, partial(mark, run)))
                inside = [p for name, p in parameters.items() if name.startswith(f"denoiser|{path}.")]
                for parameter in inside:
                    hook = partial(self._way_back, run, path is last)
                    parameter.register_post_accumulate_grad_hook(hook)  # type: ignore[attr-defined]
        self._restart()

    def finish(self) -> None:
        """The passes are over."""
        self._mark(None)

    def passes(self, left_out: Mapping[Run, int], ahead: int = 0) -> Passes:
        """With blocks that were left out. `ahead`: bytes that were made for those before the first block."""
        peak = gradients = flops = launches = more_gradients = 0
        more = ahead
        for each in self._stretches:
            times = left_out.get(each.run, 0) if each.run else 0
            for count in (0, times):
                found = each.peak + more + count * each.grows
                if found > peak:
                    peak, gradients = found, each.gradients + more_gradients + count * each.more_gradients
            more, more_gradients = more + times * each.grows, more_gradients + times * each.more_gradients
            flops, launches = flops + (1 + times) * each.flops, launches + (1 + times) * each.launches
        return Passes(peak, gradients, flops, launches)

    # Marks

    def _after(self, mark: Callable[[], None], *_: Any) -> None:
        """Set a mark once nobody needs what entered the block: at the operation that comes next."""
        if torch._C._current_graph_task_id() == -1:  # pyright: ignore[reportPrivateUsage] - else it is computed again
            self.ledger.before_next = mark

    def _begin(self, run: Run) -> None:
        self.started()
        self._on_way_back.discard(run)
        self._mark(None)
        self._open = run

    def _end(self, run: Run) -> None:
        assert self._open == run, "blocks of two rows take turns"
        self._mark(run)

    def _way_back(self, run: Run, last: bool, _: Tensor) -> None:
        """The first gradient of a block is where its period begins: on the way back, the last one comes first."""
        if last and run not in self._on_way_back:
            self._on_way_back.add(run)
            self._mark(None)
            self._open = run
        elif not last and self._open == run:
            self._mark(run)

    def _mark(self, run: Run | None) -> None:
        self._look()
        ledger, flops, launches = self.ledger, *self._before
        gradients = self._there
        self._stretches.append(
            Stretch(
                run, ledger.peak, ledger.live - self._live, self._at_peak, gradients - self._gradients,
                ledger.flops - flops, ledger.launches - launches,
            )
        )  # fmt: skip
        self._restart()

    def _restart(self) -> None:
        self._open = None
        self.ledger.restart()
        self._live, self._before = self.ledger.live, (self.ledger.flops, self.ledger.launches)
        self._gradients = self._at_peak = self._there
        self._seen = self.ledger.peak

    # Gradients

    def _arrive(self, parameter: Tensor) -> None:
        self._look()
        if parameter.grad is not None and parameter not in self._arrived:  # it lies beside its weight
            self._arrived.add(parameter)
            self._there += parameter.grad.untyped_storage().nbytes()

    def _look(self) -> None:
        """A peak that is younger than the gradient before this one."""
        if self.ledger.peak > self._seen:
            self._seen, self._at_peak = self.ledger.peak, self._there
