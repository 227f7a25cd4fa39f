"""The numbers of forgetting, against their definition written out: the mean of |v - v0|^2 / |v0|^2, in units."""

from __future__ import annotations

from math import log

import pytest
import torch
from torch import Tensor

from modules.diffusion.noise_schedule import EpsilonPrediction, NoiseSchedule, RectifiedFlow, VPrediction
from modules.trainer.retention.anchors import Answers, Points
from modules.trainer.retention.drift import drift_of, text_drift, unit_of
from modules.trainer.retention.fixed_loss import learnt

SHAPE = (4, 3, 5, 5)
UNPROMPTED = [0, 3]
SHARES = torch.tensor([0.125, 0.875] * 2, dtype=torch.float64)


def half(seed: int) -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed)).half()


def points(schedule: NoiseSchedule) -> Points:
    clean, noise = half(1).float(), half(2).float()
    noisy = schedule.add_noise(clean, noise, schedule.time(SHARES))
    return Points(noisy, SHARES, Answers(half(3), half(4)), "key")


def velocity(schedule: NoiseSchedule, answer: Tensor, noisy: Tensor) -> Tensor:
    """As the definition has it: the noise and the image that the answer implies, and from them alpha e - sigma x0."""
    if schedule.prediction != "epsilon":
        return answer.double()
    alpha, sigma = (each.double() for each in schedule.alpha_sigma(schedule.time(SHARES)))
    clean = (noisy.double() - sigma * answer.double()) / alpha
    return alpha * answer.double() - sigma * clean


@pytest.mark.parametrize("schedule", [EpsilonPrediction(), VPrediction(), RectifiedFlow()])
def test_it_is_how_far_velocities_have_moved(schedule: NoiseSchedule) -> None:
    given, now = points(schedule), Answers(half(5), half(6)[UNPROMPTED])
    v0, v, u0 = (
        velocity(schedule, answer, given.noisy_NChw)
        for answer in (given.answers.prompted_NChw, now.prompted_NChw, given.answers.unprompted_MChw)
    )

    def moved(there: Tensor) -> list[float]:
        return [float((a - b).norm() ** 2 / a.norm() ** 2) for a, b in zip(v0, there, strict=True)]

    unit = sum(moved(u0)) / 4
    assert unit_of(given, schedule) == pytest.approx(unit)
    found = drift_of(given, now, UNPROMPTED, 2, schedule)
    each = [ratio / unit for ratio in moved(v)]
    assert found.forgotten == pytest.approx(sum(each) / 4)
    assert found.by_prompt == pytest.approx([(each[0] + each[1]) / 2, (each[2] + each[3]) / 2])
    turned = [
        torch.cosine_similarity(
            (v - velocity(schedule, _spread(now.unprompted_MChw), given.noisy_NChw))[n].flatten(),
            (v0 - u0)[n].flatten(),
            dim=0,
        )
        for n in UNPROMPTED
    ]
    assert found.cosine == pytest.approx(float(sum(turned)) / 2)


def _spread(chosen: Tensor) -> Tensor:
    whole = torch.zeros(SHAPE, dtype=chosen.dtype)
    whole[UNPROMPTED] = chosen
    return whole


def test_the_same_answers_have_not_moved_and_those_without_the_prompt_have_by_one() -> None:
    schedule = VPrediction()
    given = points(schedule)
    base = given.answers
    same = drift_of(given, Answers(base.prompted_NChw, base.unprompted_MChw[UNPROMPTED]), UNPROMPTED, 2, schedule)
    assert (same.forgotten, same.by_prompt) == (0.0, [0.0, 0.0])
    assert same.cosine == pytest.approx(1)
    without = Answers(base.unprompted_MChw, base.unprompted_MChw[UNPROMPTED])
    assert drift_of(given, without, UNPROMPTED, 2, schedule).forgotten == pytest.approx(1)


def test_learnt_is_the_logarithm_of_how_far_the_loss_fell_where_both_know_it() -> None:
    assert learnt({"a": 1.0, "b": 3.0, "gone": 9.0}, {"a": 0.5, "b": 0.5, "new": 7.0}) == pytest.approx(log(4))
    assert learnt({"gone": 9.0}, {"new": 7.0}) is None
    assert learnt({}, {}) is None


def test_texts_move_by_their_relative_length() -> None:
    base, now = [{"tokens": torch.ones(3, 4)}, {"tokens": torch.ones(2, 4)}], [{"tokens": torch.ones(3, 4)}] * 2
    assert text_drift(base, [{"tokens": torch.full((3, 4), 1.5)}, {"tokens": torch.ones(2, 4)}]) == pytest.approx(0.25)
    assert text_drift(base, now) == 0  # the second is read in another number of tokens: it holds a word to be learnt
