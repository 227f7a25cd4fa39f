"""OFT (arXiv:2306.07280): a layer's outputs are turned in blocks; lengths and angles inside a block stay as they were.

Shapes: I inputs, O outputs in N blocks of S.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from modules.formats.adapter import AdapterTensors
from modules.formats.checkpoint import Link
from modules.sentences.problem import Problem, problem

# Files by the names of kohya and LyCORIS hold `oft_blocks`, any matrices B, of which Q = B - B' turns the weight. What
# `alpha` says there limits the length of Q, times the number of outputs for kohya, LyCORIS and A1111, as it is for
# ComfyUI. Files that are written here have the limit worked in already and alpha 0, "no limit", which all read alike.
# LyCORIS's `rescale` (a factor for each output) is not written: ComfyUI loads it and leaves it out.
# `oft_R.weight` of OneTrainer and PEFT turns inputs, not outputs: another method under the same name.


@dataclass(frozen=True)
class OftTensors(AdapterTensors):
    """blocks (N, S, S): block n of the weight is turned by R' with R = (1 + Q)(1 - Q)^-1, Q = B - B' (Cayley).

    `alpha` is no scale but a limit: the length of all Q is at most alpha * O. 0: none.
    """

    title = "OFT"
    names: ClassVar[Mapping[str, str]] = {"rescale": "rescale", "blocks": "oft_blocks"}
    of_outputs = ("blocks", "rescale")

    def part(self, link: Link) -> AdapterTensors | None:
        """The limit is one of all blocks together, so it is worked in first."""
        return AdapterTensors.part(self.with_alpha(0.0), link)

    @property
    def rank(self) -> int:
        """The size of a block."""
        return self.values["blocks"].shape[1]

    @property
    def zero_init(self) -> str:
        return "blocks"

    def invalid_reason(self) -> Problem | None:
        blocks = self.values.get("blocks")
        if blocks is None:
            return problem("adapter.lacks", names=["oft_blocks"])
        square = blocks.dim() == 3 and blocks.shape[1] == blocks.shape[2]
        return None if square else Problem("adapter.not-square")

    def fits(self, shape: tuple[int, ...]) -> bool:
        blocks, rescale = self.values["blocks"], self.values.get("rescale")
        return blocks.shape[0] * blocks.shape[1] == shape[0] and (rescale is None or rescale.numel() == shape[0])

    def delta_weight(self, weight: Tensor) -> Tensor:
        blocks = self.values["blocks"]
        before = weight.float().reshape(*blocks.shape[:2], -1)
        rotation = cayley_rotation(blocks.float(), self.alpha * weight.shape[0])
        after = torch.bmm(rotation.mT, before).reshape(weight.shape)
        if (rescale := self.values.get("rescale")) is not None:
            after = after * rescale.float().view(-1, *[1] * (weight.dim() - 1))
        return after - weight.float()

    def with_alpha(self, alpha: float) -> OftTensors:
        """The limit worked into the blocks; `alpha` limits what is trained from here on, and not what is there."""
        if not self.alpha:
            return OftTensors(self.values, alpha)
        blocks = self.values["blocks"]
        count = blocks.shape[0] * blocks.shape[1]
        half = constrained(blocks - blocks.mT, self.alpha * count) / 2  # B - B' is Q again
        return OftTensors({**self.values, "blocks": half}, alpha)


def constrained(skew: Tensor, limit: float) -> Tensor:
    """Q no longer than `limit`; 0: as it is."""
    if not limit:
        return skew
    return skew * (limit / torch.linalg.vector_norm(skew).clamp_min(limit))


def cayley_rotation(blocks_NSS: Tensor, limit: float) -> Tensor:
    """(N, S, S): R = (1 + Q)(1 - Q)^-1. Both commute, so it is the solution of (1 - Q) R = 1 + Q."""
    skew = constrained(blocks_NSS - blocks_NSS.mT, limit)
    one = torch.eye(skew.shape[-1], device=skew.device, dtype=skew.dtype)
    # `solve` would wait for the card to hear whether it can be solved. It always can: 1 - Q has no zero eigenvalue.
    return torch.linalg.solve_ex(one - skew, one + skew)[0]
