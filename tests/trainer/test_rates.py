import math
from itertools import pairwise

import pytest
import torch

from modules.preset.schedule import Schedule
from modules.trainer.rates import rate_factor


def curve(steps: int, **settings) -> list[float]:
    return [rate_factor(Schedule(**settings), step, steps) for step in range(steps)]


def test_warm_up_climbs_in_even_steps_and_ends_at_the_full_rate() -> None:
    assert curve(6, warmup="4 steps") == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])
    assert curve(10, warmup="20 %")[:3] == pytest.approx([0.5, 1, 1])


@pytest.mark.parametrize("kind", ["linear", "cosine", "rex"])
def test_falling_schedules_start_full_fall_always_and_end_near_the_minimum(kind) -> None:
    rates = curve(1000, kind=kind, minimum=0.1)
    assert rates[0] == 1
    assert all(later < earlier for earlier, later in pairwise(rates))
    assert 0.1 < rates[-1] < 0.11


def test_cosine_agrees_with_torch() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50)
    expected = []
    for _ in range(50):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step()
    assert curve(50, kind="cosine") == pytest.approx(expected, abs=1e-6)


def test_restarts_return_to_the_full_rate() -> None:
    rates = curve(100, kind="cosine_restarts", cycles=4)
    assert [step for step, rate in enumerate(rates) if rate == 1] == [0, 25, 50, 75]


def test_rex_follows_its_paper() -> None:
    assert curve(10, kind="rex")[5] == pytest.approx((1 - 0.5) / (0.5 + 0.5 * (1 - 0.5)))


def test_a_warm_up_longer_than_the_run_is_no_crash() -> None:
    assert all(math.isfinite(rate) for rate in curve(3, kind="cosine", warmup="10 steps"))
