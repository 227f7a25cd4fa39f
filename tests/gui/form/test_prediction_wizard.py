"""The bars of the times follow the settings, and the guided choice changes all at once."""

from __future__ import annotations

import pytest

pytest.importorskip("tkinter", reason="this Python has no tkinter")

from app.gui.context import AppContext
from app.gui.form.prediction_wizard import PredictionWizard
from app.gui.form.timestep_curve import BARS, TimesCurve, heights
from app.gui.kit import Histogram
from modules.preset.sections.timesteps import Times
from tests.gui.conftest import Pump


def test_the_bars_show_how_often_each_amount_of_noise_is_drawn() -> None:
    assert heights(Times()) == pytest.approx([1 / BARS] * BARS)
    late = heights(Times(shift=3.0))
    assert sum(late[BARS // 2 :]) > 0.7
    assert sum(heights(Times(lower=0.5))[: BARS // 2]) == 0


def test_the_bars_follow_the_draft(context: AppContext, pump: Pump) -> None:
    curve = TimesCurve(context.app, context)
    curve.pack()
    drawn = lambda: [curve.bars.coords(item) for item in curve.bars.find_all()]  # noqa: E731
    pump()
    before = drawn()
    context.draft.put("objective.times.kind", "logit_normal")
    pump(lambda: drawn() != before)
    assert isinstance(curve.bars, Histogram)
    curve.destroy()
    context.draft.put("objective.times.kind", "uniform")  # nobody listens any more


def test_a_guide_is_applied_as_one_step_that_undo_takes_back(context: AppContext, pump: Pump) -> None:
    dialog = PredictionWizard(context)
    pump()
    dialog.choose("flow")
    dialog.close(True)
    assert context.draft.get("objective.prediction") == "flow"
    assert context.draft.get("objective.times.shift") == 3.0
    context.draft.undo()
    assert context.draft.get("objective.prediction") == "auto"
    assert context.draft.get("objective.times.shift") == 1.0


def test_cancelling_changes_nothing(context: AppContext, pump: Pump) -> None:
    dialog = PredictionWizard(context)
    pump()
    dialog.close(None)
    assert not context.draft.can_undo
