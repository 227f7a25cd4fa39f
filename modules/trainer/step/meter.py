"""How fast a run is, what its losses were, and when the window is told: often enough to live, never once per step.

A loss comes from the graphics card by itself, and is told when it has arrived, a step or two later. Asking for it would
make this program wait for the card at every step, and then the card for this program.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import isfinite, isnan, nan
from typing import Any

import torch
from torch import Tensor

from modules.messages import Progress
from modules.system.devices import memory_in_use, to_cpu
from modules.text import GB
from modules.trend import mean_of, smoothing_width


@dataclass(frozen=True)
class StepMetrics:
    """What one step measured."""

    step: int
    values: Tensor  # loss, length of the gradient (NaN if it was not measured) and verdict, in main memory
    arrived: torch.Event | None  # until then they are under way
    rates: dict[str, float]

    def numbers(self) -> tuple[float, float, float]:
        """Loss, length of the gradient, verdict (0: the step was good); waits if they have not arrived."""
        if self.arrived is not None:
            self.arrived.synchronize()
        loss, norm, verdict = (float(value) for value in self.values.tolist())
        return loss, norm, verdict


class Meter:
    """Collects losses between two messages of progress."""

    TELL_EVERY = 0.1  # seconds; the sender allows 20 messages a second

    def __init__(self, tell: Callable[[Progress], None], numbers: Callable[[int, Mapping[str, float]], None]) -> None:
        self._tell, self._numbers = tell, numbers
        self._waiting: list[StepMetrics] = []
        self._told = time.monotonic()
        self._seconds_per_step = 0.0
        self._recent: deque[float] = deque()  # losses whose mean is told: what the chart draws at its last step
        self.nan_step = 0  # the first step that was applied though its loss was no number

    def add(
        self,
        step: int,
        loss: Tensor,
        norm: Tensor | None,
        rates: dict[str, float],
        seconds: float,
        verdict: Tensor | None = None,
    ) -> StepMetrics:
        """Take in a finished step; what was measured may still be under way on the card."""
        length = torch.full_like(loss, nan) if norm is None else norm
        judged = torch.zeros_like(loss) if verdict is None else verdict
        point = StepMetrics(step, *to_cpu(torch.stack([loss.float(), length.float(), judged.float()])), rates)
        self._waiting.append(point)
        known = self._seconds_per_step
        self._seconds_per_step = seconds if known == 0 else 0.95 * known + 0.05 * seconds
        return point

    def due(self) -> bool:
        return time.monotonic() - self._told >= self.TELL_EVERY

    def report(self, step: int, steps: int, epoch: int, epochs: int, *, wait: bool = True) -> None:
        """Send what has gathered: all of it, or, not to wait for the card, what has arrived."""
        ready = self._waiting if wait else list(takewhile(has_arrived, self._waiting))
        if not ready:
            return
        self._waiting = self._waiting[len(ready) :]
        self._told = time.monotonic()
        losses = self._draw_curves(ready, smoothing_width(steps) // 2 + 1)
        memory, card_memory = memory_in_use()
        rate = 1 / self._seconds_per_step if self._seconds_per_step else 0.0
        speed = {"speed/steps_per_second": rate}
        self._numbers(step, {**speed, "memory/main_gb": memory / GB, "memory/card_gb": card_memory / GB})
        points = [[float(point.step), loss] for point, loss in zip(ready, losses, strict=True)]
        left = (steps - step) * self._seconds_per_step
        self._tell(
            Progress(
                step, steps, epoch, epochs, points, self.smooth or 0.0, ready[-1].rates, rate, left, memory, card_memory
            )
        )

    def _draw_curves(self, points: Sequence[StepMetrics], width: int) -> list[float]:
        """A point for each step, for TensorBoard, and the smoothed loss up to here; gives the losses."""
        losses: list[float] = []
        for point in points:
            loss, norm, verdict = point.numbers()
            losses.append(loss)
            if not verdict:  # what was left out of training stays out of the smoothed loss
                self.nan_step = self.nan_step or (0 if isfinite(loss) else point.step)
                self._recent.append(loss)
            while len(self._recent) > width:
                self._recent.popleft()
            curves = {"loss/train": loss}
            curves |= {} if self.smooth is None else {"loss/smooth": self.smooth}
            curves |= {f"learning_rate/{name}": value for name, value in point.rates.items()}
            curves |= {} if isnan(norm) else {"gradient_norm": norm}
            self._numbers(point.step, curves)
        return losses

    @property
    def smooth(self) -> float | None:
        """The mean of the last losses: of half the width that the chart averages over. None before the first."""
        return mean_of(list(self._recent)) if self._recent else None

    def state_dict(self) -> dict[str, list[float]]:
        return {"recent": list(self._recent)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        smooth = state.get("smooth")  # of an earlier version: as if all of the last losses had been that
        self._recent = deque(state.get("recent", [] if smooth is None else [smooth] * (smoothing_width(0) // 2)))


def has_arrived(point: StepMetrics) -> bool:
    """Whether its numbers can be read without waiting."""
    return point.arrived is None or point.arrived.query()
