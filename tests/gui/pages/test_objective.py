"""The bars of the times follow the settings, and the guided choice changes all at once."""

from __future__ import annotations

import pytest

pytest.importorskip("tkinter", reason="this Python has no tkinter")

from app.gui.desk import Desk
from app.gui.guiding import GuideDialog
from app.gui.kit import Histogram
from app.gui.times_curve import BARS, TimesCurve, heights
from modules.preset.times import Times
from tests.gui.conftest import Pump


def test_the_bars_show_how_often_each_amount_of_noise_is_drawn() -> None:
    assert heights(Times()) == pytest.approx([1 / BARS] * BARS)
    late = heights(Times(shift=3.0))
    assert sum(late[BARS // 2 :]) > 0.7
    assert sum(heights(Times(lower=0.5))[: BARS // 2]) == 0


def test_the_bars_follow_the_draft(desk: Desk, pump: Pump) -> None:
    curve = TimesCurve(desk.app, desk)
    curve.pack()
    before = list(curve.bars._values)
    desk.draft.put("objective.times.kind", "logit_normal")
    pump(lambda: curve.bars._values != before)
    assert isinstance(curve.bars, Histogram)
    curve.destroy()
    desk.draft.put("objective.times.kind", "uniform")  # nobody listens any more


def test_a_guide_is_applied_as_one_step_that_undo_takes_back(desk: Desk, pump: Pump) -> None:
    dialog = GuideDialog(desk)
    pump()
    dialog.choose("flow")
    dialog.close(True)
    assert desk.draft.get("objective.prediction") == "flow"
    assert desk.draft.get("objective.times.shift") == 3.0
    desk.draft.undo()
    assert desk.draft.get("objective.prediction") == "auto"
    assert desk.draft.get("objective.times.shift") == 1.0


def test_cancelling_changes_nothing(desk: Desk, pump: Pump) -> None:
    dialog = GuideDialog(desk)
    pump()
    dialog.close(None)
    assert not desk.draft.can_undo
