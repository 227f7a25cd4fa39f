"""Low rank: as good as the full SVD, the smallest rank that holds what is asked for, and sums that are exact."""

import pytest
import torch
from torch import Tensor

from modules.merging.low_rank import LowRank, Wanted, joined, low_rank, resized

DECAY = 0.8  # of the singular values of a difference between two models, from one to the next


def difference(rows: int = 96, columns: int = 160, seed: int = 1) -> Tensor:
    chance = torch.Generator().manual_seed(seed)
    u, _ = torch.linalg.qr(torch.randn(rows, rows, generator=chance))
    v, _ = torch.linalg.qr(torch.randn(columns, rows, generator=chance))
    return (u * DECAY ** torch.arange(rows)) @ v.T


def error(matrix: Tensor, found: LowRank) -> float:
    return float((matrix - found.left @ found.right).norm() / matrix.norm())


@pytest.mark.parametrize("shape", [(96, 160), (160, 200)])
def test_the_error_is_within_a_hundredth_of_the_full_svds(shape: tuple[int, int]) -> None:
    matrix = difference(*shape)
    found = low_rank(matrix, Wanted(12), seed=0)
    best = torch.linalg.svdvals(matrix)
    optimum = float(best[12:].norm() / best.norm())
    assert found.left.shape == (shape[0], 12)
    assert found.right.shape == (12, shape[1])
    assert error(matrix, found) == pytest.approx(optimum, rel=0.01)
    assert found.kept == pytest.approx(1 - optimum**2, abs=1e-4)


def test_the_rank_is_the_smallest_that_holds_the_energy() -> None:
    matrix = difference()
    squares = torch.linalg.svdvals(matrix).square()
    held = squares.cumsum(0) / squares.sum()
    smallest = int((held < 0.9).sum()) + 1
    found = low_rank(matrix, Wanted(64, 0.9), seed=0)
    assert len(found.values) == smallest
    assert error(matrix, found) ** 2 <= 0.1 + 1e-4 < float(1 - held[smallest - 2])
    assert len(low_rank(matrix, Wanted(3, 0.9), seed=0).values) == 3  # no more than allowed


def test_many_ranks_are_found_where_few_do_not_hold_enough() -> None:
    flat = torch.eye(120)  # every direction counts the same
    assert len(low_rank(flat, Wanted(128, 0.5), seed=0).values) == 60


def test_the_same_seed_gives_the_same_and_leaves_chance_alone() -> None:
    matrix = difference(160, 200)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one, other = (low_rank(matrix, Wanted(8), seed=4) for _ in range(2))
    assert torch.equal(one.left, other.left)
    assert torch.equal(torch.get_rng_state(), before)


def test_nothing_is_clamped() -> None:
    matrix = torch.zeros(32, 32)
    matrix[0, 0] = 100.0
    found = low_rank(matrix, Wanted(1), seed=0)
    torch.testing.assert_close(found.left @ found.right, matrix)
    assert low_rank(torch.zeros(8, 8), Wanted(4), seed=0).kept == 1.0


def test_the_same_rank_again_is_the_same_product_and_fewer_are_the_full_svds() -> None:
    chance = torch.Generator().manual_seed(2)
    left, right = torch.randn(64, 16, generator=chance), torch.randn(16, 48, generator=chance)
    same = resized(left, right, Wanted(16))
    torch.testing.assert_close(same.left @ same.right, left @ right, atol=1e-4, rtol=1e-5)
    fewer, whole = resized(left, right, Wanted(5)), torch.linalg.svdvals(left @ right)
    assert error(left @ right, fewer) == pytest.approx(float(whole[5:].norm() / whole.norm()), rel=1e-4)
    torch.testing.assert_close(fewer.values, whole[:5], rtol=1e-4, atol=1e-3)


def test_one_rank_less_would_not_reach_the_energy() -> None:
    chance = torch.Generator().manual_seed(2)
    left, right = torch.randn(64, 16, generator=chance), torch.randn(16, 48, generator=chance)
    squares = torch.linalg.svdvals(left @ right).square()
    found = resized(left, right, Wanted(16, 0.7))
    rank = len(found.values)
    assert float(squares[:rank].sum() / squares.sum()) >= 0.7 > float(squares[: rank - 1].sum() / squares.sum())


def test_a_sum_of_products_is_exact() -> None:
    chance = torch.Generator().manual_seed(2)
    one = torch.randn(20, 4, generator=chance), torch.randn(4, 30, generator=chance)
    other = torch.randn(20, 6, generator=chance), torch.randn(6, 30, generator=chance)
    left, right = joined([(*one, 0.5), (*other, -1.0)])
    assert left.shape == (20, 10)
    torch.testing.assert_close(left @ right, 0.5 * one[0] @ one[1] - other[0] @ other[1], atol=1e-5, rtol=1e-5)
