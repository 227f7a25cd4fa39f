"""Schedules against transformers' and written formulas; the curve of one's own points."""

import math
from itertools import pairwise

import pytest
import torch

from modules.preset.sections.schedule import FALLING, POINT_KINDS, SHAPES, Schedule
from modules.preset.text.curve_points import format_points, interpolate_linear, interpolate_steps, parse_points

STEPS, WARM = 60, 10


def curve(steps: int = STEPS, **settings) -> list[float]:
    return [Schedule(**settings).factor(step, steps) for step in range(steps)]


def theirs(name: str, warm: int = WARM, **arguments) -> list[float]:
    """What transformers makes of the same schedule, from the end of the warm-up: there it begins at 0, here at 1."""
    from transformers import get_scheduler

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = get_scheduler(name, optimizer, warm, STEPS, scheduler_specific_kwargs=arguments)
    rates: list[float] = []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates[warm:]


TABLE = [
    ("constant_with_warmup", {}, {"kind": "constant"}),
    ("linear", {}, {"kind": "linear"}),
    ("cosine", {}, {"kind": "cosine"}),
    ("cosine", {"num_cycles": 2.5}, {"kind": "cosine_waves", "cycles": 3}),
    ("cosine_with_restarts", {"num_cycles": 4}, {"kind": "cosine_restarts", "cycles": 4}),
    ("cosine_with_min_lr", {"min_lr_rate": 0.1}, {"kind": "cosine", "minimum": 0.1}),
    ("polynomial", {"power": 3.0, "lr_end": 0.25}, {"kind": "polynomial", "power": 3.0, "minimum": 0.25}),
    ("inverse_sqrt", {"timescale": 25}, {"kind": "inverse_sqrt", "timescale": 25}),
    ("inverse_sqrt", {"timescale": WARM}, {"kind": "inverse_sqrt"}),
    (
        "warmup_stable_decay",
        {"num_decay_steps": 20, "decay_type": "linear"},
        {"kind": "stable_decay", "decay": "20 steps"},
    ),
    (
        "warmup_stable_decay",
        {"num_decay_steps": 15, "decay_type": "cosine", "min_lr_ratio": 0.2},
        {"kind": "stable_decay", "decay": "25 %", "decay_shape": "cosine", "minimum": 0.2},
    ),
    (
        "warmup_stable_decay",
        {"num_decay_steps": 20, "decay_type": "1-sqrt"},
        {"kind": "stable_decay", "decay": "20 steps", "decay_shape": "root"},
    ),
]


@pytest.mark.parametrize(("name", "arguments", "settings"), TABLE, ids=[f"{row[0]} {row[1]}" for row in TABLE])
def test_schedules_agree_with_the_library(name, arguments, settings) -> None:
    ours = curve(**settings, warmup=f"{WARM} steps")[WARM:]
    assert ours == pytest.approx(theirs(name, **arguments), abs=1e-6)


def test_stairs_agree_with_diffusers() -> None:
    from diffusers.optimization import get_scheduler

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = get_scheduler("piecewise_constant", optimizer, step_rules="1:15,0.5:30,0.1")
    expected: list[float] = []
    for _ in range(STEPS):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert curve(kind="piecewise_constant", points="0:1, 0.25:0.5, 0.5:0.1") == pytest.approx(expected, abs=1e-6)


def test_rex_and_adafactor_follow_their_papers() -> None:
    assert curve(10, kind="rex")[5] == pytest.approx(0.5 / 0.75)
    long = [Schedule(kind="adafactor").factor(step, 100_000) for step in (0, 9_999, 39_999, 99_999)]
    assert [0.01 * factor for factor in long] == pytest.approx([min(0.01, t**-0.5) for t in (1, 1e4, 4e4, 1e5)])


@pytest.mark.parametrize("kind", FALLING)
def test_falling_schedules_start_full_and_never_leave_their_limits(kind) -> None:
    rates = curve(1000, kind=kind, minimum=0.1)
    assert rates[0] == 1
    assert all(0.1 <= rate <= 1 for rate in rates)
    if kind not in ("cosine_restarts", "cosine_waves"):
        assert all(later <= earlier for earlier, later in pairwise(rates))


@pytest.mark.parametrize("kind", ["linear", "cosine", "cosine_restarts", "cosine_waves", "polynomial", "rex"])
def test_those_that_end_with_the_run_end_at_the_minimum(kind) -> None:
    assert Schedule(kind=kind, cycles=3, minimum=0.2).factor(500, 500) == pytest.approx(0.2)


def test_waves_fall_as_often_as_they_are_told() -> None:
    rates = curve(1000, kind="cosine_waves", cycles=3)
    turns = [step for step in range(1, 999) if rates[step - 1] < rates[step] >= rates[step + 1]]
    assert len(turns) == 2  # it climbs back twice between three falls


@pytest.mark.parametrize("kind", SHAPES)
def test_every_schedule_is_finite_for_runs_and_warm_ups_of_any_length(kind) -> None:
    for steps in (1, 2, 7):
        for warmup in ("0 steps", "50 %", "100 %", "20 steps"):
            rates = curve(steps, kind=kind, warmup=warmup, decay="500 steps")
            assert all(math.isfinite(rate) and 0 <= rate <= 1 for rate in rates)


def test_points_are_joined_by_lines_or_stairs() -> None:
    points = parse_points("0.2:1, 0.6:0.5, 1:0")
    assert [interpolate_linear(points, x) for x in (0, 0.2, 0.4, 0.6, 0.8, 1)] == pytest.approx(
        [1, 1, 0.75, 0.5, 0.25, 0]
    )
    assert [interpolate_steps(points, x) for x in (0, 0.2, 0.4, 0.6, 0.99, 1)] == [1, 1, 1, 0.5, 0.5, 0]
    drawn = curve(100, kind="custom", points="0:0, 0.1:1, 1:0")
    assert (drawn[0], drawn[10], drawn[55]) == pytest.approx((0, 1, 0.5))
    assert set(POINT_KINDS) == {"custom", "piecewise_constant"}


def test_the_minimum_does_not_bend_what_was_drawn() -> None:
    assert curve(10, kind="custom", points="0:1, 1:0", minimum=0.5) == curve(10, kind="linear")


def test_points_are_written_as_they_are_read() -> None:
    text = "0:1, 0.3333:0.05, 1:0"
    assert format_points(parse_points(text)) == text
    assert Schedule(kind="custom", points=" 0:1.0 ,.5:.25 ").points == "0:1, 0.5:0.25"


@pytest.mark.parametrize(
    "text", ["", "1", "0:1, 0:0", "0.5:1, 0.2:0", "0:2", "1.5:0", "0:nan", "0:1e0", "0:-1", "0:1;1:0", "0:1," * 101]
)
def test_what_is_no_curve_is_refused(text) -> None:
    with pytest.raises(ValueError, match="points"):
        Schedule(kind="custom", points=text)
