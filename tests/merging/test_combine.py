"""Merging tensors: against PEFT's functions, against the papers' formulas, and what must come out exactly."""

from typing import Any

import pytest
import torch
from torch import Tensor

from modules.merging.combine import METHODS, NEED_BASE, Mix, dare, geometric_median, model_stock, slerp, ties
from modules.system.seeds import seed_of


def tensors(count: int, shape: tuple[int, ...] = (24, 16)) -> list[Tensor]:
    chance = torch.Generator().manual_seed(3)
    return [torch.randn(shape, generator=chance) for _ in range(count)]


BASE, A, B, C = tensors(4)


@pytest.mark.parametrize("name", ["weighted_sum", "slerp"])
def test_no_share_is_the_first_model_and_all_of_it_the_other_bit_for_bit(name: str) -> None:
    assert torch.equal(METHODS[name]([A, B], None, Mix((0.0,)), "w"), A)
    assert torch.equal(METHODS[name]([A, B], None, Mix((1.0,)), "w"), B)
    assert torch.equal(METHODS["weighted_sum"]([A, A], None, Mix((0.3,)), "w"), A)


def test_shares_of_several_models_are_those_asked_for() -> None:
    found = METHODS["weighted_sum"]([A, B, C], None, Mix((0.2, 0.3)), "w")
    torch.testing.assert_close(found, 0.5 * A + 0.2 * B + 0.3 * C)


def test_a_difference_is_added_so_much_of() -> None:
    found = METHODS["add_difference"]([A, B, C], BASE, Mix((0.5, 1.0)), "w")
    torch.testing.assert_close(found, A + 0.5 * (B - BASE) + (C - BASE))


def test_an_arc_keeps_the_length() -> None:
    one, other = A / A.norm(), B / B.norm()
    found = slerp([one, other], None, Mix((0.25,)), "w")
    angle = torch.arccos((one * other).sum())
    assert float(found.norm()) == pytest.approx(1.0, abs=1e-5)
    assert float(torch.arccos((one * found).sum())) == pytest.approx(float(angle) / 4, abs=1e-4)
    torch.testing.assert_close(slerp([A, 2 * A], None, Mix((0.5,)), "w"), 1.5 * A)


@pytest.mark.parametrize("density", [0.2, 0.5, 0.9])
def test_ties_are_pefts(density: float) -> None:
    utils: Any = pytest.importorskip("peft.utils.merge_utils")
    theirs = utils.ties([A - BASE, B - BASE], torch.ones(2), density, "total")
    torch.testing.assert_close(ties([A, B], BASE, Mix((0.5,), density), "w"), BASE + theirs)


def test_dare_drops_by_the_tensors_name_and_keeps_the_mean() -> None:
    big, other = tensors(2, (300, 300))
    mix = Mix((1.0,), density=0.25, seed=5)
    found = dare([big, other], torch.zeros_like(big), mix, "a")
    assert torch.equal(found, dare([big, other], torch.zeros_like(big), mix, "a"))
    assert not torch.equal(found, dare([big, other], torch.zeros_like(big), mix, "b"))
    assert float((found == 0).float().mean()) == pytest.approx(0.75, abs=0.01)
    kept = found != 0
    torch.testing.assert_close(found[kept], 4 * other[kept])  # the first model's share is 0


@pytest.mark.parametrize("density", [0.2, 0.7])
def test_dare_with_the_same_masks_is_pefts(density: float, monkeypatch: pytest.MonkeyPatch) -> None:
    utils: Any = pytest.importorskip("peft.utils.merge_utils")
    chances = [torch.Generator().manual_seed(seed_of(5, "dare", "w", n)) for n in range(2)]
    masks = [(torch.rand(A.numel(), generator=chance) < density).view(A.shape).float() for chance in chances]
    ours = dare([A, B], BASE, Mix((0.6,), density, seed=5), "w")
    monkeypatch.setattr(torch, "bernoulli", lambda of, **_: masks.pop(0))  # where PEFT takes its chance from
    theirs = utils.dare_linear([A - BASE, B - BASE], torch.tensor([0.4, 0.6]), density)
    assert not masks, "PEFT has used both"
    torch.testing.assert_close(ours, BASE + theirs)


def test_dare_with_everything_kept_is_task_arithmetic() -> None:
    utils: Any = pytest.importorskip("peft.utils.merge_utils")
    theirs = utils.task_arithmetic([A - BASE, B - BASE], torch.tensor([0.4, 0.6]))
    torch.testing.assert_close(dare([A, B], BASE, Mix((0.6,), density=1.0), "w"), BASE + theirs)


def test_model_stock_goes_as_far_as_the_models_agree() -> None:
    x, y = torch.zeros(4), torch.zeros(4)
    x[0], y[1] = 1.0, 1.0
    zero = torch.zeros(4)
    assert torch.equal(model_stock([x, y], zero, Mix((0.5,)), "w"), zero)  # at right angles: nothing in common
    torch.testing.assert_close(model_stock([x, x], zero, Mix((0.5,)), "w"), x)
    y[0] = 1.0
    cosine = 2**-0.5
    torch.testing.assert_close(
        model_stock([x, y], zero, Mix((0.5,)), "w"), 2 * cosine / (1 + cosine) * (x + y) / 2
    )  # formula (6) of the paper


def test_the_median_is_not_moved_by_one_that_is_far_away() -> None:
    far = A + 1000
    found = geometric_median([A, A + 0.01, A - 0.01, far], None, Mix((0.25, 0.25, 0.25)), "w")
    assert float((found - A).abs().max()) < 0.02
    line = [torch.tensor([x]) for x in (0.0, 1.0, 10.0)]
    assert float(geometric_median(line, None, Mix((0.3, 0.3)), "w")) == pytest.approx(1.0, abs=1e-2)


@pytest.mark.parametrize("name", list(METHODS))
def test_every_method_gives_equal_models_back(name: str) -> None:
    base = A if name in NEED_BASE else None
    torch.testing.assert_close(METHODS[name]([A, A], base, Mix((0.5,), density=1.0), "w"), A)
