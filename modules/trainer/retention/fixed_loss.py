"""The loss at a few points on images that never change: what falls is what is learnt.

Each image is asked about with one or some of four amounts of noise, which take turns from image to image, and with
noise of its own: that of validation for an image that is validated on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log

import numpy as np
import torch
from torch import Tensor

from modules.data.batches import BatchLoader
from modules.trainer.sampling.sampler import PIXELS_AT_ONCE
from modules.trainer.step.learner import Learner
from modules.trainer.validation import GoingOn, Validation

TIMES = 4

Losses = dict[str, float]  # by image and amount of noise


class FixedLoss(Validation):
    """At most so many points on the images of a loader."""

    def __init__(self, learner: Learner, loader: BatchLoader, most: int) -> None:
        super().__init__(learner, loader)
        every = self.preset.validation.model_copy(update={"times": TIMES})
        self.preset = self.preset.model_copy(update={"validation": every})
        count = len(loader.index)
        self.rows = np.linspace(0, count - 1, min(most, count)).astype(int)
        self.times = max(each for each in (1, 2, TIMES) if each == 1 or each * count <= most)  # of each image

    def losses(self, going_on: GoingOn) -> Losses:
        """The loss at each point, with the weights as they are. To be called with everything as for use."""
        measured = self.measure(going_on)
        assert measured is not None, "who has enough of it raises"
        return {
            f"{item.key} {k}": loss
            for item, losses in zip(measured.items, measured.losses_NK.tolist(), strict=True)
            for k, loss in zip(self._turns(item.row), losses, strict=True)
        }

    def bucket_rows(self) -> list[np.ndarray]:
        return [kept for rows in super().bucket_rows() if len(kept := rows[np.isin(rows, self.rows)])]

    def at_once(self, rows: np.ndarray) -> int:
        wide, high = self.loader.index[int(rows[0])].bucket
        return max(super().at_once(rows), PIXELS_AT_ONCE // (wide * high))  # as a sample may be large

    def shares(self, rows: Sequence[int], growth: float) -> list[tuple[list[int], Tensor]]:
        every = [shares_B for _, shares_B in super().shares(rows, growth)]
        turns = [self._turns(row) for row in rows]
        return [
            ([turn[j] for turn in turns], torch.stack([every[turn[j]][i] for i, turn in enumerate(turns)]))
            for j in range(self.times)
        ]

    def _turns(self, row: int) -> list[int]:
        """Which amounts of noise the image of a row is asked about with."""
        place = int(np.searchsorted(self.rows, row))
        return [(place + j * (TIMES // self.times)) % TIMES for j in range(self.times)]


def learnt(before: Mapping[str, float], now: Mapping[str, float]) -> float | None:
    """ln(loss before training / loss), at the points that both have; None where there are none."""
    both = [point for point in now if point in before]
    was, is_now = sum(before[point] for point in both), sum(now[point] for point in both)
    return log(was / is_now) if was > 0 and is_now > 0 else None
