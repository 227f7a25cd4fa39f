"""Matrices of few columns in place of large ones: extracting a LoRA, making it smaller, and adding several up.

Shapes: I inputs, O outputs, R rank, k k the kernel of a convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

BLOCKS = 3  # of the Krylov space, each of as many columns as are kept: 0.5 % over the full SVD's error, of noise 1 %
LEAST_BLOCK = 8  # columns
FIRST_RANK = 16  # that is tried where a share of the squares decides
AT_ONCE = 2**10  # columns of a matrix that are in fp64 at a time
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
    """The best approximation, by randomised block Krylov iteration (arXiv:1504.05477) drawn from `seed`.

    Nothing is clamped. `whole`: the sum of the matrix's squares, where it is known.
    """
    whole = squares_of(matrix_OI) if whole is None else whole
    most = min(wanted.rank, *matrix_OI.shape)
    rank = most if wanted.energy >= 1 else min(most, FIRST_RANK)
    while True:
        u, s, v = _svd(matrix_OI, rank, seed)
        enough = smallest_rank(s[:rank], wanted.energy, whole)
        if rank >= most or enough < rank or whole == 0:
            return _shared(u, s, v, min(enough, rank), whole)
        rank = min(2 * rank, most)


def _svd(matrix: Tensor, rank: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """The first singular vectors and values, and some more of less use."""
    if matrix.shape[0] > matrix.shape[1]:
        u, s, v = _svd(matrix.T, rank, seed)
        return v, s, u
    block = max(rank, LEAST_BLOCK)
    if BLOCKS * block >= matrix.shape[0]:
        u, s = _eigen(matrix.T)
        return u, s, _divided(matrix.T @ u, s)
    basis, seen = _krylov(matrix, block, seed)
    u, s = _eigen(seen)
    u, s = u[:, :block], s[:block]
    return basis @ u, s, _divided(seen @ u, s)


def _krylov(matrix_OI: Tensor, block: int, seed: int) -> tuple[Tensor, Tensor]:
    """An orthonormal basis of the outputs (O, columns), and the matrix seen from it (I, columns).

    Each block is what the matrix makes of the last one, less what is in the basis already. Its product with the matrix
    is a part of the result and the way to the next: power iteration as exact takes twice as many products.
    """
    chance = torch.Generator(matrix_OI.device).manual_seed(seed)
    start = torch.randn(matrix_OI.shape[1], block, generator=chance, device=matrix_OI.device)
    basis = torch.linalg.qr(matrix_OI @ start)[0]
    seen = matrix_OI.T @ basis
    for _ in range(BLOCKS - 1):
        new = matrix_OI @ torch.linalg.qr(seen[:, -block:])[0]
        new = torch.linalg.qr(torch.cat([basis, new], 1))[0][:, -block:]  # orthogonal even where nothing is new
        basis, seen = torch.cat([basis, new], 1), torch.cat([seen, matrix_OI.T @ new], 1)
    return basis, seen


def _eigen(tall: Tensor) -> tuple[Tensor, Tensor]:
    """Its right singular vectors and its singular values, falling: in fp64, where squares lose nothing of fp32."""
    squares = torch.zeros(tall.shape[1], tall.shape[1], dtype=torch.float64, device=tall.device)
    for some in tall.split(AT_ONCE):
        squares += some.T.double() @ some.double()
    values, vectors = torch.linalg.eigh(squares)
    return vectors.flip(1).to(tall.dtype), values.flip(0).clamp_min(0).sqrt().to(tall.dtype)


def _divided(products: Tensor, values: Tensor) -> Tensor:
    """Unit vectors; nothing in the place of those that no value belongs to."""
    return products * torch.where(values > 0, 1 / values, 0)


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
