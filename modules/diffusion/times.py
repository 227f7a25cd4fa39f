"""How much noise is practised: shares in [0, 1), each from its own chance."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform_share(chance: torch.Generator) -> Tensor:
    """All amounts of noise alike; float64, no dimensions."""
    return torch.rand((), generator=chance, dtype=torch.float64)


def logit_normal_share(chance: torch.Generator, mean: float, std: float) -> Tensor:
    """The middle more than the ends (arXiv:2403.03206, eq. 19); float64, no dimensions."""
    return torch.sigmoid(mean + std * torch.randn((), generator=chance, dtype=torch.float64))
