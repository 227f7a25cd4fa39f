"""Each distribution of times against its formula, and the limits and shifts over all of them."""

from __future__ import annotations

import math
from statistics import NormalDist, mean

import numpy as np
import pytest

from modules.preset.sections.timesteps import SHAPES, Times

EVEN = [(i + 0.5) / 4000 for i in range(4000)]


def density(times: Times) -> np.ndarray:
    """How often each hundredth of the range is drawn, over the even share."""
    counts, _ = np.histogram([times.share(u) for u in EVEN], bins=20, range=(0, 1))
    return counts / (len(EVEN) / 20)


def over(function) -> np.ndarray:
    """The mean of a density over each twentieth, scaled to an area of 1."""
    values = np.array([[function((i + (j + 0.5) / 50) / 20) for j in range(50)] for i in range(20)]).mean(axis=1)
    return values / values.mean()


def normal_in_logits(t: float) -> float:
    return NormalDist(0.4, 0.8).pdf(math.log(t / (1 - t))) / (t * (1 - t))


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (Times(), lambda t: 1.0),
        (Times(kind="logit_normal", mean=0.4, spread=0.8), normal_in_logits),
        (Times(kind="sigmoid", centre=0.3, steepness=8), lambda t: 1 / (1 + math.exp(-8 * (t - 0.3)))),
        (Times(kind="cosine_map"), lambda t: 2 / (math.pi * (1 - 2 * t + 2 * t * t))),  # arXiv:2403.03206, eq. 21
        (Times(kind="beta", alpha=2, beta=5), lambda t: t * (1 - t) ** 4),
        (Times(kind="beta", alpha=1, beta=1), lambda t: 1.0),
        (Times(kind="inverted_parabola", steepness=4, centre=0.5), lambda t: max(0.0, 1 - 4 * (t - 0.5) ** 2)),
    ],
    ids=lambda value: f"{value.kind}" if isinstance(value, Times) else "",
)
def test_a_distribution_has_its_density(times: Times, expected) -> None:
    assert density(times) == pytest.approx(over(expected), abs=0.03)


def test_the_heavy_tail_is_the_papers_function() -> None:
    """arXiv:2403.03206, eq. 20, and uniform where its scale is 0."""
    for u in (0.1, 0.5, 0.9):
        expected = 1 - u - 1.29 * (math.cos(math.pi * u / 2) ** 2 - 1 + u)
        assert Times(kind="heavy_tail", tail=1.29).share(u) == pytest.approx(expected)
    assert density(Times(kind="heavy_tail", tail=0)) == pytest.approx(np.ones(20), abs=0.02)


@pytest.mark.parametrize("kind", SHAPES)
def test_every_distribution_stays_inside_and_moves_one_way(kind: str) -> None:
    shares = [Times(kind=kind).share(u) for u in (0.0, *EVEN, 1.0, 1 - 2**-60)]
    assert min(shares) >= 0
    assert max(shares) < 1
    steps = np.sign(np.diff(shares[1:-2]))
    assert abs(steps.sum()) >= len(steps) * 0.99


@pytest.mark.parametrize("kind", SHAPES)
def test_limits_hold_for_every_distribution(kind: str) -> None:
    shares = [Times(kind=kind, lower=0.2, upper=0.7, shift=3).share(u) for u in EVEN]
    assert min(shares) >= 0.2
    assert max(shares) <= 0.7


def test_a_shift_is_that_of_the_paper_and_grows_with_the_picture() -> None:
    """The paper: t' = s t / (1 + (s - 1) t), arXiv:2403.03206, eq. 23, where s is the root of the areas' ratio."""
    assert Times(shift=3).share(0.5) == pytest.approx(1.5 / 2)
    assert Times(dynamic_shift=True).share(0.5, growth=2.0) == pytest.approx(2 * 0.5 / 1.5)
    assert Times(dynamic_shift=False).share(0.5, growth=2.0) == pytest.approx(0.5)
    assert Times(shift=2, dynamic_shift=True).share(0.5, growth=0.5) == pytest.approx(0.5)


def test_noisy_times_come_more_often_with_a_shift() -> None:
    assert mean(Times(shift=3).share(u) for u in EVEN) > 0.6
