"""Losses: every one told once, in order, and smoothed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch

from app.gui.kit.charts.curve import Curve
from modules.messages import Progress
from modules.trainer.step.meter import Meter
from modules.trend import smoothing_width


class Reader:
    """A window and a TensorBoard that remember what they were told."""

    def __init__(self) -> None:
        self.told: list[Progress] = []
        self.curves: dict[str, list[tuple[int, float]]] = {}

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.curves.setdefault(name, []).append((step, value))

    def meter(self) -> Meter:
        return Meter(self.told.append, self.numbers)


def add(meter: Meter, step: int, loss: float, norm: float | None = None, seconds: float = 0.5) -> None:
    meter.add(step, torch.tensor(loss), None if norm is None else torch.tensor(norm), {"denoiser": step / 10}, seconds)


def test_every_loss_is_told_once_and_in_order() -> None:
    reader = Reader()
    meter = reader.meter()
    for step in range(1, 8):
        add(meter, step, step / 2)
        if step in (3, 4):
            meter.report(step, 7, 0, 1)
    meter.report(7, 7, 1, 1)
    meter.report(7, 7, 1, 1)  # nothing new: nothing is said
    assert [len(progress.losses) for progress in reader.told] == [3, 1, 3]
    assert [point for progress in reader.told for point in progress.losses] == [[s, s / 2] for s in range(1, 8)]
    assert reader.curves["loss/train"] == [(step, step / 2) for step in range(1, 8)]
    assert [progress.rates for progress in reader.told] == [{"denoiser": 0.3}, {"denoiser": 0.4}, {"denoiser": 0.7}]


def test_the_smoothed_loss_is_the_one_that_the_chart_draws() -> None:
    reader = Reader()
    meter = reader.meter()
    losses = [1.0 / step for step in range(1, 81)]
    for step, loss in enumerate(losses, 1):
        add(meter, step, loss)
        if step % 20 == 0:
            meter.report(step, 80, 0, 1)
    smooth = [value for _, value in reader.curves["loss/smooth"]]
    for count in (1, 30, 80):
        chart = Curve("loss", width=smoothing_width(80))
        chart.add(range(count), losses[:count])
        assert smooth[count - 1] == pytest.approx(chart.mean(count - 1))
    assert reader.told[-1].smooth_loss == pytest.approx(smooth[-1])
    again, older = Reader().meter(), Reader().meter()
    again.load_state_dict(meter.state_dict())
    older.load_state_dict({"smooth": 0.5, "share": 1.0})
    for each in (meter, again, older):
        add(each, 81, 1.0)
        each.report(81, 81, 0, 1)
    assert again.smooth == meter.smooth
    assert older.smooth == pytest.approx((25 * 0.5 + 1) / 26)


def test_the_length_of_the_gradient_is_drawn_where_it_was_measured() -> None:
    reader = Reader()
    meter = reader.meter()
    for step, norm in enumerate((2.0, None, 3.0), 1):
        add(meter, step, 1.0, norm)
    meter.report(3, 3, 0, 1)
    assert reader.curves["gradient_norm"] == [(1, 2.0), (3, 3.0)]


def test_speed_and_the_time_that_is_left() -> None:
    reader = Reader()
    meter = reader.meter()
    add(meter, 1, 1.0, seconds=0.5)
    meter.report(1, 11, 0, 1)
    assert reader.told[0].steps_per_second == pytest.approx(2)
    assert reader.told[0].seconds_left == pytest.approx(5)
    assert reader.told[0].memory > 10_000_000
    add(meter, 2, 1.0, seconds=10)  # one slow step moves the rate a little
    meter.report(2, 11, 0, 1)
    assert 1 < reader.told[1].steps_per_second < 2


def test_it_is_due_again_only_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("modules.trainer.step.meter.time.monotonic", lambda: now[0])
    meter = Reader().meter()
    assert not meter.due()
    now[0] += 0.11
    assert meter.due()
    add(meter, 1, 1.0)
    meter.report(1, 2, 0, 1)
    assert not meter.due()
