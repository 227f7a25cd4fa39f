"""How a loss is read: no alarm where nothing changes, and what changes is seen."""

import math

import numpy as np
import pytest

from modules.event_text import trend_text
from modules.trend import Sums, Trend, latest_trend, moving_average, smoothing_width, trend

SERIES, STEPS, VARIATION = 300, 20_000, 0.6


def noise(seed: int) -> np.ndarray:
    """Losses around 1 as they come from random times and images: lognormal, with this coefficient of variation."""
    sigma = math.sqrt(math.log(1 + VARIATION**2))
    return np.random.default_rng(seed).lognormal(-(sigma**2) / 2, sigma, STEPS).astype(np.float32)


def words(fall: float) -> list[str]:
    line = np.linspace(1 + fall / 2, 1 - fall / 2, STEPS)
    found = [trend((noise(seed) * line).tolist()) for seed in range(SERIES if not fall else SERIES // 3)]
    return [each.word for each in found if each is not None]


def test_flat_series_raise_no_alarm_in_more_than_8_of_100() -> None:
    found = words(0.0)
    assert len(found) == SERIES
    assert sum(word != "flat" for word in found) <= 0.08 * SERIES


def test_a_fall_of_10_percent_over_20_000_steps_is_seen() -> None:
    found = words(0.1)
    assert found.count("falling") >= 0.95 * len(found) and "rising" not in found


def test_the_change_is_a_share_of_where_it_began() -> None:
    found = trend([1.1 - 0.2 * step / 999 for step in range(1000)])
    assert found is not None and found.word == "falling" and found.steps == 1000
    assert found.change == pytest.approx(-0.2 / 1.1, abs=0.002) and found.error == pytest.approx(0, abs=0.002)
    assert trend([0.5] * 1000) == Trend("flat", 0.0, 0.0, 1000)
    steep = trend([1 / step for step in range(1, 1000)])
    assert steep is not None and steep.word == "falling" and steep.change > -1, "never by more than all of it"


def test_too_short_a_run_has_no_trend_and_a_long_one_is_judged_by_its_last_quarter() -> None:
    assert trend([1.0] * 159) is None and trend([]) is None
    fell_early = [2.0] * 3000 + [1.0 + 0.01 * (step % 7) for step in range(7000)]
    found = latest_trend(fell_early)
    assert found is not None and (found.word, found.steps) == ("flat", 2500)
    short = latest_trend([1.0] * 400)
    assert short is not None and short.steps == 400


def test_what_is_no_number_is_left_out() -> None:
    broken = [math.nan if step % 3 else 1.0 for step in range(600)]
    broken[7] = math.inf
    found = trend(broken)
    assert found is not None and found.word == "flat"
    assert trend([math.nan] * 600) is None
    assert moving_average([1.0, math.nan, 3.0]) == 2.0 and math.isnan(moving_average([]))


@pytest.mark.parametrize(("steps", "width"), [(10, 50), (600, 50), (3000, 150), (100_000, 5000)])
def test_the_width_grows_with_the_run(steps: int, width: int) -> None:
    assert smoothing_width(steps) == width
    values = [float(step) for step in range(steps)]
    assert moving_average(values) == pytest.approx(np.mean(values[-2048:]))


def test_sums_give_the_mean_of_any_stretch_and_forget_what_is_cut() -> None:
    values = [*map(float, range(100)), math.nan, 1e30, *map(float, range(100))]
    sums = Sums()
    for value in values:
        sums.append(value)
    assert sums.mean(10, 20) == pytest.approx(14.5) and sums.mean(99, 103) == pytest.approx(49.5)
    assert math.isnan(sums.mean(100, 102))
    sums.cut(50)
    assert sums.mean(-5, 500) == pytest.approx(24.5)


def test_a_trend_is_said_in_words() -> None:
    assert trend_text(Trend("falling", -0.041, 0.016, 500)) == "still falling \u00b7 4.1 % (\u00b11.6) over 500 steps"
    assert trend_text(Trend("rising", 0.041, 0.016, 2500)) == "rising \u00b7 4.1 % (\u00b11.6) over 2,500 steps"
    assert trend_text(Trend("flat", 0.01, 0.016, 500)) == "flat over 500 steps"
