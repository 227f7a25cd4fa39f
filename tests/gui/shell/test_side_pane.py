"""The live pane."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.gui.context import AppContext
from app.gui.session.hardware import Card, Reading
from modules.messages import Progress
from tests.gui.person import Person
from tests.gui.run.a_run import PROMPTS, STEPS, draw, events_of

GIB = 1024**3
Pump = Callable[..., None]


@pytest.fixture
def pane(context: AppContext, root: Any, tmp_path: Path, pump: Pump) -> Iterator[Any]:
    from app.gui.kit import Pictures
    from app.gui.shell.side_pane import LivePane

    context.pictures = Pictures(root, tmp_path / "thumbs")
    made = LivePane(root, context)
    made.pack(side="right", fill="y")
    pump()
    yield made
    made.destroy()
    context.pictures.close()


def test_at_rest_it_says_what_will_be_there(pane: Any) -> None:
    assert pane.winfo_width() == 316
    assert list(pane.meters.meters) == ["RAM", "CPU"]
    assert pane.position.cget("text") == ""


def test_it_shows_the_newest_sample_and_the_loss(
    pane: Any, person: Person, context: AppContext, pump: Pump, tmp_path: Path
) -> None:
    events = events_of(tmp_path / "run")
    draw(events)
    context.running.begin("train")
    for event in events:
        context.running.take(event)
    pump(lambda: len(pane.chart.curves[0]) == STEPS and pane.pictures.shot is not None)
    assert pane.position.cget("text") == "3 of 3"
    assert (pane.pictures.shot.step, pane.pictures.shot.prompt) == (200, PROMPTS[0])
    person.click(f"“{PROMPTS[0]}”")
    person.click(f"“{PROMPTS[1]}”")
    assert pane.pictures.shot.prompt == PROMPTS[1]


def test_another_run_begins_with_an_empty_chart(pane: Any, context: AppContext, pump: Pump, tmp_path: Path) -> None:
    context.running.begin("train")
    for event in events_of(tmp_path / "run"):
        context.running.take(event)
    pump(lambda: len(pane.chart.curves[0]) == STEPS)
    context.running.begin("train")
    context.running.take(Progress(1, 9, 0, 1, [[1.0, 0.5]]))
    pump(lambda: list(pane.chart.curves[0].xs) == [1.0])
    assert pane.pictures.shot is None


def test_a_card_brings_its_meters_and_takes_them_away(pane: Any, context: AppContext, pump: Pump) -> None:
    card = Card("RTX", 97.0, 11 * GIB, 12 * GIB, 71)
    context.meters.latest = Reading(22.0, 13 * GIB, 32 * GIB, card)
    pump(lambda: len(pane.meters.meters) == 4)
    assert pane.meters.meters["GPU"].value.cget("text") == "97\u00a0%  71 °C"
    assert pane.meters.meters["VRAM"].value.cget("text") == "11.0 / 12 GB"
    context.meters.latest = Reading(22.0, 13 * GIB, 32 * GIB)
    pump(lambda: list(pane.meters.meters) == ["RAM", "CPU"])


def test_many_events_are_drawn_four_times_a_second_at_most(pane: Any, context: AppContext, pump: Pump) -> None:
    """Losses are kept for the next tick; an event by itself touches no widget."""
    context.running.begin("train")
    pane.refresh()
    drawn: list[str] = []
    pane.chart.redraw = lambda: drawn.append("chart")
    for step in range(1, 1301):
        context.running.take(Progress(step, 2000, 0, 1, [[float(step), 0.1]]))
    assert drawn == []
    pump(lambda: len(pane.chart.curves[0]) == 1300)
    assert drawn == ["chart"]
