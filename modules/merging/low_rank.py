"""Matrices of few columns in place of large ones: extracting a LoRA, making it smaller, and adding several up.

Shapes: I inputs, O outputs, R rank, k k the kernel of a convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from modules.system.devices import is_card

MORE, LEAST_MORE, ITERATIONS = 2, 16, 2  # columns tried for each that is kept; 0.1 % over the full SVD's error

PIECE = 2**16  # numbers whose squares are summed up in fp32


@dataclass(frozen=True)
class Wanted:
    """How much is kept: `rank` at most, and no more than it takes for `energy` of the squares (1: all of them)."""

    rank: int
    energy: float = 1.0


@dataclass(frozen=True)
class LowRank:
    """left (O, R) times right (R, I): singular values are shared by both sides evenly. `kept` of the squares."""

    left: Tensor
    right: Tensor
    kept: float
    values: Tensor  # singular values of those that are kept, falling

    def cut(self, rank: int) -> LowRank:
        """The first so many of its ranks."""
        share = float(self.values[:rank].square().sum() / self.values.square().sum()) if len(self.values) else 1.0
        return LowRank(self.left[:, :rank], self.right[:rank], self.kept * share, self.values[:rank])


def squares_of(tensor: Tensor) -> float:
    """The sum of the squares of its numbers, in fp64 over pieces of it: a copy in fp64 takes thirty times as long."""
    return sum(float(torch.dot(piece, piece)) for piece in tensor.reshape(-1).split(PIECE))


def low_rank(matrix_OI: Tensor, wanted: Wanted, seed: int, whole: float | None = None) -> LowRank:
    """The best approximation, by randomised SVD (arXiv:0909.4061) drawn from `seed`; nothing is clamped.

    `whole`: the sum of the matrix's squares, where it is known.
    """
    whole = squares_of(matrix_OI) if whole is None else whole
    most = min(wanted.rank, *matrix_OI.shape)
    rank = most if wanted.energy >= 1 else min(most, LEAST_MORE)
    while True:
        u, s, v = _svd(matrix_OI, rank, seed)
        enough = smallest_rank(s[:rank], wanted.energy, whole)
        if rank >= most or enough < rank or whole == 0:
            return _shared(u, s, v, min(enough, rank), whole)
        rank = min(2 * rank, most)


def _svd(matrix: Tensor, rank: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    columns = max(MORE * rank, rank + LEAST_MORE)
    if columns >= min(matrix.shape):
        u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
        return u, s, vh.T
    on_card = is_card(matrix.device)
    with torch.random.fork_rng(
        [matrix.device] if on_card else [], device_type=matrix.device.type if on_card else "cuda"
    ):
        torch.manual_seed(seed)
        return torch.svd_lowrank(matrix, columns, niter=ITERATIONS)


def smallest_rank(values: Tensor, energy: float, whole: float) -> int:
    """The smallest rank whose squares are so much of the whole; all of them where none is. At least 1."""
    if not len(values) or energy >= 1 or whole == 0:
        return max(1, len(values))
    reached = values.double().square().cumsum(0) / whole
    return min(int((reached < energy).sum()) + 1, len(values))


def _shared(u: Tensor, s: Tensor, v: Tensor, rank: int, whole: float) -> LowRank:
    root, kept = s[:rank].sqrt(), float(s[:rank].double().square().sum())
    return LowRank(u[:, :rank] * root, (v[:, :rank] * root).T, kept / whole if whole else 1.0, s[:rank])


def resized(left_OR: Tensor, right_RI: Tensor, wanted: Wanted) -> LowRank:
    """The product in fewer ranks, exactly as its full SVD would have it, without making the product."""
    (ql, rl), (qr, rr) = torch.linalg.qr(left_OR), torch.linalg.qr(right_RI.T)
    u, s, vh = torch.linalg.svd(rl @ rr.T)
    whole = float(s.double().square().sum())
    rank = smallest_rank(s[: min(wanted.rank, len(s))], wanted.energy, whole)
    return _shared(ql @ u, s, qr @ vh.T, rank, whole)


def joined(products: Sequence[tuple[Tensor, Tensor, float]]) -> tuple[Tensor, Tensor]:
    """Left and right of the sum of strength * left @ right: exact, of the sum of the ranks."""
    left = torch.cat([strength * left for left, _, strength in products], dim=1)
    return left, torch.cat([right for _, right, _ in products])
