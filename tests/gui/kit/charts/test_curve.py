"""Curves and axes: what is drawn is what was recorded."""

import math

import pytest

from app.gui.kit.charts.axis import Axis, number, round_step
from app.gui.kit.charts.curve import BLOCK, Curve


def test_the_mean_is_centred_and_does_not_lag() -> None:
    curve = Curve("loss", width=50)
    curve.add(range(1000), [float(step) for step in range(1000)])
    assert curve.mean(500) == pytest.approx(500)
    assert curve.mean(999) == pytest.approx(sum(range(974, 1000)) / 26), "of what there is, at the end"
    assert curve.mean(0) == pytest.approx(12.5)
    exact = Curve("held out", width=0, dots=True)
    exact.add([0, 50], [0.3, 0.2])
    assert exact.mean(1) == 0.2 and not exact.faint


def test_a_run_that_goes_on_from_a_backup_forgets_what_came_after_it() -> None:
    curve = Curve("loss")
    curve.add(range(100), [float(step) for step in range(100)])
    curve.add([50, 51], [7.0, 8.0])
    fresh = Curve("loss")
    fresh.add([*range(50), 50, 51], [*(float(step) for step in range(50)), 7.0, 8.0])
    assert list(curve.raw) == list(fresh.raw)
    assert [curve.mean(index) for index in range(52)] == pytest.approx([fresh.mean(index) for index in range(52)])
    assert curve.limits(0, 99) == fresh.limits(0, 99)


def test_values_that_come_together_are_those_that_come_one_by_one() -> None:
    xs = [*range(90), *range(40, 120), 100]
    values = [math.nan if step % 17 == 5 else 1e30 if step == 99 else math.sin(step) for step in range(len(xs))]
    together, single, pieces = Curve("a"), Curve("b"), Curve("c")
    together.add(xs, values)
    for x, value in zip(xs, values, strict=True):
        single.add([x], [value])
    pieces.add(xs[:45], values[:45])
    pieces.add(xs[45:], values[45:])
    for other in (single, pieces):
        assert list(other.xs) == list(together.xs) and str(list(other.raw)) == str(list(together.raw))
        for first, last in ((0, 200), (3, 70), (33, 63), (64, 96)):
            assert other.limits(first, last) == together.limits(first, last)
        assert str([other.mean(n) for n in range(101)]) == str([together.mean(n) for n in range(101)])
    finite = [value for value in together.raw if math.isfinite(value)]
    assert together.limits(0, 200) == (min(finite), max(finite))


def test_a_single_spike_does_not_press_the_rest_to_the_ground() -> None:
    curve = Curve("loss")
    curve.add(range(1000), [0.1 + 0.05 * (step % 3) if step != 700 else 40.0 for step in range(1000)])
    assert curve.usual_high(0, 999) < 1.0 < curve.limits(0, 999)[1]
    exact = Curve("held out", width=0)
    exact.add([0, 1], [0.1, 5.0])
    assert exact.usual_high(0, 1) == 5.0


@pytest.mark.parametrize("count", [5, BLOCK, BLOCK * 3 + 5, 5000])
def test_limits_by_blocks_are_those_of_all_values(count: int) -> None:
    values = [math.sin(step * 12.9898) * 3 for step in range(count)]
    curve = Curve("loss")
    curve.add(range(count), values)
    for first, last in ((0, count), (count // 3, count // 2), (1, count - 2)):
        part = values[max(first, 0) : last + 1]
        assert curve.limits(first, last) == (min(part), max(part))


def test_every_extreme_survives_in_the_columns() -> None:
    values = [0.0] * 100_000
    values[77_777] = 9.0
    values[22_222] = -9.0
    curve = Curve("loss")
    curve.add(range(len(values)), values)
    columns = list(curve.columns(0, len(values), 700))
    assert len(columns) == 700
    assert max(column[2] for column in columns) == 9.0
    assert min(column[1] for column in columns) == -9.0


def test_what_is_not_a_number_is_passed_over() -> None:
    curve = Curve("loss")
    curve.add([0, 1, 2], [1.0, math.nan, 3.0])
    assert curve.limits(0, 2) == (1.0, 3.0)
    assert len(list(curve.columns(0, 2, 10))) == 2
    assert [curve.mean(index) for index in range(3)] == [2.0, 2.0, 2.0]


def test_nearest_finds_the_point_beside() -> None:
    curve = Curve("loss")
    assert curve.nearest(3) == -1
    curve.add([0, 10, 20], [1, 2, 3])
    assert [curve.nearest(x) for x in (-5, 4, 6, 99)] == [0, 0, 1, 2]


def test_points_keep_the_last_one() -> None:
    curve = Curve("loss")
    curve.add(range(10_000), [float(step) for step in range(10_000)])
    points = list(curve.points(0, 9_999, 300))
    assert points[0][0] == 0 and points[-1][0] == 9_999
    assert len(points) <= 303


def test_an_axis_goes_there_and_back() -> None:
    for log in (False, True):
        axis = Axis(0.01, 10, 300, 20, log=log)
        assert axis.at(0.01) == pytest.approx(300)
        assert axis.at(10) == pytest.approx(20)
        assert axis.value(axis.at(0.5)) == pytest.approx(0.5)


def test_ticks_are_round_and_inside() -> None:
    assert Axis(0.087, 0.213, 0, 1).ticks(4) == pytest.approx([0.1, 0.15, 0.2])
    assert Axis(0.01, 1, 0, 1, log=True).ticks(3) == pytest.approx([0.01, 0.1, 1.0])
    assert Axis(3, 3, 0, 1).ticks(3) == [3.0]
    assert round_step(0.03) == pytest.approx(0.05)


def test_numbers_are_short() -> None:
    assert [number(value) for value in (0, 0.0912, 1840, 3e-5, math.nan)] == ["0", "0.0912", "1,840", "3e-05", "\u2013"]
