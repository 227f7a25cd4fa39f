"""The curve of the learning rate follows the settings, and points can be drawn on it with mouse and keys."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

pytest.importorskip("tkinter", reason="this Python has no tkinter")

from app.gui.context import AppContext
from app.gui.form.schedule_curve import ScheduleCurve, line_of
from app.gui.kit import LinePlot
from modules.preset.sections.schedule import Schedule
from tests.gui.conftest import Pump
from tests.gui.person import Person

SLOWLY = count(10_000, 1000)


@pytest.fixture
def curve(context: AppContext, pump: Pump) -> ScheduleCurve:
    made = ScheduleCurve(context.app, context)
    made.pack(fill="x")
    pump(lambda: made.plot.winfo_width() > 200)
    return made


def mouse(plot: LinePlot, what: str, point: tuple[float, float]) -> None:
    x, y = plot.place(point)
    plot.event_generate(what, x=round(x), y=round(y), time=next(SLOWLY))  # quick clicks would be double ones


def click(plot: LinePlot, point: tuple[float, float]) -> None:
    mouse(plot, "<ButtonPress-1>", point)
    mouse(plot, "<ButtonRelease-1>", point)


def key(plot: Any, name: str) -> None:
    plot.focus_force()
    plot.update()
    plot.event_generate(f"<{name}>")


def test_numbers_beside_the_curve_say_how_high_it_is(curve: ScheduleCurve) -> None:
    written = {text: curve.plot.coords(item)[1] for item in curve.plot.find_all() if curve.plot.type(item) == "text"
               if (text := curve.plot.itemcget(item, "text")) in ("0", "0.5", "1")}  # fmt: skip
    assert written == {str(y): round(curve.plot.place((0, y))[1]) for y in (1, 0.5, 0)}


def test_the_line_is_the_schedule() -> None:
    line = line_of(Schedule(kind="linear", warmup="50 %"), 100)
    assert line[0] == (0, pytest.approx(1 / 50))
    assert max(line, key=lambda point: point[1])[0] == pytest.approx(0.5, abs=0.02)
    assert len(line_of(Schedule(), 1)) == 1


def drawn(curve: ScheduleCurve) -> list[list[float]]:
    """The places of all that is drawn."""
    return [curve.plot.coords(item) for item in curve.plot.find_all()]


def test_the_curve_follows_the_draft(curve: ScheduleCurve, context: AppContext, person: Person) -> None:
    before = drawn(curve)
    context.draft.put("schedule.kind", "cosine")
    assert drawn(curve) != before
    assert curve.plot.points == [], "only a drawn curve has points"
    context.draft.put("training.steps", 50)
    assert person.sees("start") and person.sees("step 50")
    curve.destroy()
    context.draft.put("schedule.kind", "constant")  # nobody listens any more


def test_points_are_added_dragged_and_removed_with_the_mouse(curve: ScheduleCurve, context: AppContext) -> None:
    context.draft.put("schedule.kind", "custom")
    plot = curve.plot
    assert plot.points == [(0, 1), (1, 0)]
    click(plot, (0.5, 0.8))
    assert [round(x, 1) for x, _ in plot.points] == [0, 0.5, 1]
    assert context.draft.preset().schedule.factor(500, 1000) == pytest.approx(0.8, abs=0.03)

    mouse(plot, "<ButtonPress-1>", plot.points[1])
    mouse(plot, "<B1-Motion>", (0.7, 0.3))
    assert context.draft.preset().schedule.factor(500, 1000) == pytest.approx(0.8, abs=0.03), "told when it is let go"
    mouse(plot, "<ButtonRelease-1>", (0.7, 0.3))
    assert context.draft.preset().schedule.factor(700, 1000) == pytest.approx(0.3, abs=0.03)

    mouse(plot, "<B1-Motion>", (2.0, 5.0))
    assert plot.points[1][0] < 1, "never past its neighbour"
    context.draft.undo()
    assert context.draft.preset().schedule.factor(500, 1000) == pytest.approx(0.8, abs=0.03)
    x, y = map(round, plot.place(plot.points[1]))
    for time in (900_000, 900_050):
        for what in ("<ButtonPress-1>", "<ButtonRelease-1>"):
            plot.event_generate(what, x=x, y=y, time=time)
    assert context.draft.get("schedule.points") == "0:1, 1:0"


def test_the_last_point_stays(curve: ScheduleCurve, context: AppContext) -> None:
    context.draft.put("schedule.kind", "custom")
    context.draft.put("schedule.points", "0.5:0.5")
    curve.plot.chosen = 0
    curve.plot.remove()
    assert curve.plot.points == [(0.5, 0.5)]


def test_keys_do_what_the_mouse_does(curve: ScheduleCurve, context: AppContext) -> None:
    context.draft.put("schedule.kind", "piecewise_constant")
    plot = curve.plot
    key(plot, "Right")
    assert plot.chosen == 0
    key(plot, "Insert")
    assert context.draft.get("schedule.points") == "0:1, 0.5:0.5, 1:0"
    key(plot, "Up")
    key(plot, "Control-Left")
    assert context.draft.get("schedule.points") == "0:1, 0.49:0.51, 1:0"
    key(plot, "Delete")
    assert context.draft.get("schedule.points") == "0:1, 1:0"


def test_points_count_from_the_end_of_the_warm_up(curve: ScheduleCurve, context: AppContext) -> None:
    context.draft.put("schedule.kind", "custom")
    context.draft.put("schedule.warmup", "50 %")
    assert curve.plot.points == [(0.5, 1), (1, 0)]
    click(curve.plot, (0.75, 0.25))
    x, y = context.draft.preset().schedule.drawn[1]
    assert (x, y) == pytest.approx((0.5, 0.25), abs=0.03)


def test_what_was_typed_wrong_leaves_the_curve_as_it_was(curve: ScheduleCurve, context: AppContext) -> None:
    context.draft.put("schedule.kind", "custom")
    before = drawn(curve)
    assert "must be points" in context.draft.type("schedule.points", "up and down")
    assert drawn(curve) == before


def test_the_place_under_the_pointer_is_told(curve: ScheduleCurve, context: AppContext) -> None:
    context.draft.put("training.steps", 200)
    plot = curve.plot
    mouse(plot, "<Motion>", (0.5, 0.5))
    assert [plot.itemcget(item, "text") for item in plot.find_withtag("told")] == ["step 100: 0.0001"]
    plot.event_generate("<Leave>")
    assert not plot.find_withtag("told")
