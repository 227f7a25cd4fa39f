"""Measurements are dense at the start, fit their budget, and lie at the same steps whatever the speed."""

from __future__ import annotations

from itertools import pairwise

import pytest

from modules.preset.preset import Preset
from modules.trainer.retention.schedule import FIRST, LONG, SHORT, Pace, extent_for, pace_for
from modules.trainer.retention.series import Measured, Series


def preset(steps: int, batch: int = 4, **examine: object) -> Preset:
    training = {"steps": steps, "batch_size": batch}
    return Preset.model_validate({"version": 6, "training": training, "examine": examine})


@pytest.mark.parametrize(
    ("interval", "last", "steps"),
    [
        (80, 600, [10, 20, 40, 80, 160, 240, 320, 400, 480, 560, 600]),
        (640, 600, [10, 20, 40, 80, 160, 320, 600]),
        (10, 45, [10, 20, 30, 40, 45]),
        (80, 7, [7]),
        (0, 600, []),
    ],
)
def test_spacings_double_until_they_are_reached(interval: int, last: int, steps: list[int]) -> None:
    assert list(Pace(interval).steps(last)) == steps
    assert [step for step in range(1, last + 1) if Pace(interval).is_due(step, last)] == steps


@pytest.mark.parametrize("affordable", range(13))
@pytest.mark.parametrize("last", [45, 400, 600, 20_000])
def test_no_more_is_measured_than_can_be_afforded(last: int, affordable: int) -> None:
    pace = pace_for(FIRST, last, affordable)
    later = [step for step in pace.steps(last) if step > FIRST]
    assert len(later) + pace.extra <= affordable
    assert bool(later) == bool(affordable)
    assert not later or later[-1] == last


def test_what_can_be_afforded_is_measured() -> None:
    later = [step for step in pace_for(10, 600, 6).steps(600) if step > 10]
    assert later == [20, 40, 80, 160, 320, 600]
    assert pace_for(10, 600, 8) == Pace(160, extra=1)  # for the models and backups on the way
    assert [step for step in pace_for(10, 600, 3).steps(600) if step > 10] == [40, 160, 600]


def test_a_slower_pace_leaves_steps_out_and_adds_none_but_the_last() -> None:
    paces = [pace_for(10, 5000, affordable) for affordable in (40, 20, 12, 9)]
    for dense, sparse in pairwise(set(pace.steps(5000)) for pace in paces):
        assert sparse < dense


def test_a_long_run_is_measured_on_drawings_a_short_one_on_noise_a_shorter_one_not_at_all() -> None:
    assert extent_for(preset(2000), 2000) == LONG
    assert extent_for(preset(400), 400) == SHORT
    assert extent_for(preset(45), 45) is None
    assert extent_for(preset(45, batch=64), 45) == SHORT
    assert extent_for(preset(45, budget=100), 45) == SHORT
    assert extent_for(preset(2000, points="noise"), 2000) == SHORT
    assert extent_for(preset(1000, points="drawings"), 1000) == LONG
    assert extent_for(preset(45, points="drawings"), 45) is None


def test_a_run_that_goes_on_with_more_steps_keeps_its_points_unless_others_are_asked_for() -> None:
    assert extent_for(preset(2000), 2000, SHORT) == SHORT
    assert extent_for(preset(45), 45, LONG) == LONG
    assert extent_for(preset(2000, points="noise"), 2000, SHORT) == SHORT
    assert extent_for(preset(2000, points="drawings"), 2000, SHORT) == LONG
    assert extent_for(preset(2000, points="noise"), 2000, LONG) == SHORT


@pytest.mark.parametrize(("steps", "batch", "budget"), [(400, 4, 3.0), (600, 4, 3.0), (5000, 1, 3.0), (900, 4, 10.0)])
def test_preparation_and_the_fewest_measurements_fit(steps: int, batch: int, budget: float) -> None:
    extent = extent_for(preset(steps, batch, budget=budget), steps)
    assert extent is not None
    asked = extent.preparation(8) + 3 * extent.measurement(8, held_out=False)
    assert asked <= budget / 100 * steps * batch * 4


def balances(*found: tuple[int, float, float | None]) -> Series:
    return Series(measured=[Measured(step, forgotten, learnt, None) for step, forgotten, learnt in found])


def test_it_alarms_the_second_time_or_once_where_it_is_bad() -> None:
    start = (0, 0.0, 0.0)
    assert not balances(start).alarms()
    assert not balances(start, (10, 0.5, 0.4)).alarms()
    assert balances(start, (10, 0.5, 0.4), (20, 0.5, 0.45)).alarms()
    assert not balances(start, (10, 0.5, 0.4), (20, 0.5, 0.6), (40, 0.5, 0.4)).alarms()
    assert balances(start, (10, 0.9, 0.6)).alarms()
    assert not balances((10, 0.9, None)).alarms()  # nobody knows what was learnt


def test_it_is_told_once_in_a_row() -> None:
    series, told = balances((0, 0.0, 0.0)), list[int]()
    for step, learnt in ((10, 0.1), (20, 0.1), (40, 0.9), (80, 0.45), (160, 0.45), (320, 0.45)):
        series.measured.append(Measured(step, 0.5, learnt, None))
        told += [step] if series.alarms_anew else []
    assert told == [10, 160]


def test_the_best_is_of_what_was_trained() -> None:
    assert balances((0, 0.0, 0.0)).best is None
    best = balances((0, 0.0, 0.0), (10, 0.5, 0.1), (20, 0.9, 0.8), (40, 0.9, 0.2)).best
    assert best and best.step == 20


def test_held_out_images_say_more_than_practised_ones() -> None:
    assert Measured(10, 0.5, 1.5, 0.7).balance == pytest.approx(0.2)


def test_a_series_comes_back_whole() -> None:
    series = balances((0, 0.0, 0.0), (10, 0.5, 0.1))
    series.points, series.practised, series.held_out, series.seconds = "key", {"a 0": 0.5}, {"b 1": 0.25}, 1.5
    series.extent, series.pace = SHORT, Pace(80, 2, 3)
    other = Series()
    other.load_state_dict(series.state_dict())
    assert other == series
