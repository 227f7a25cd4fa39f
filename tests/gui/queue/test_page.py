"""The page "Queue": what runs, what waits, what is over; and what a person does with it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.gui.context import AppContext
from app.gui.queue.rows import OwnRun, items_of, spans_of
from modules.jobs.entry import Entry, NewEntry
from modules.jobs.owner import Owner
from modules.jobs.queue import Queue
from modules.messages import Progress, RunTool, Started, Train
from modules.preset.preset import Preset
from modules.sentences.problem import problem
from tests.gui.conftest import rest
from tests.gui.contexts import context_at
from tests.gui.person import Person, tip_of

Pump = Callable[..., None]
FILE = "queue.sqlite"


def run(name: str, steps: int = 3000) -> NewEntry:
    values = Preset().model_dump(mode="json")
    values["training"]["steps"] = steps
    return NewEntry(Train(values), name, estimate=600.0)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    """As another window sees it."""
    made = Queue(tmp_path / FILE)
    yield made
    made.close()


@pytest.fixture
def window(root: Any, pump: Pump, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from app.gui.kit import Pictures
    from app.gui.shell.window import Window

    context = context_at(tmp_path)
    context.app, context.pictures = root, Pictures(root, None)
    key_targets = root.on_error
    made = Window(context)
    root.on_error = key_targets
    monkeypatch.setattr(root, "destroy", lambda: None)
    made.show()
    pump()
    yield made
    monkeypatch.undo()
    made.leave()


@pytest.fixture
def person(window: Any, root: Any, pump: Pump) -> Person:
    window.go("queue")
    pump(lambda: window.pages.front.whole)
    return Person(root, pump)


def look(window: Any, pump: Pump) -> None:
    """What has changed since is on the screen."""
    window.context.jobs.act(lambda _: None)
    window.pages.front.page.refresh()
    rest(pump, window.app, 60)


def titles(queue: Queue) -> list[str]:
    return [entry.title for entry in queue.entries()]


def test_an_empty_queue_says_what_it_is_for_and_takes_the_run_of_now(
    person: Person, window: Any, pump: Pump, queue: Queue
) -> None:
    assert person.sees("Runs and tools that wait here begin one after another")
    person.click("Add this run")
    assert titles(queue) == ["Robot LoRA"]
    assert person.sees("LoRA · Stable Diffusion 1 and 2 · 600 steps")
    assert person.sees("The queue rests")
    rest(pump, window.app, 120)
    assert tip_of(window.navigation.list.rows["queue"]) == "1 running or waiting"


def test_what_waits_is_started_and_rests_by_the_button(person: Person, queue: Queue) -> None:
    person.click("Add this run")
    person.click("Start the queue", nth=0)
    assert queue.on
    person.click("Pause the queue")
    assert not queue.on


def test_another_window_s_change_is_seen(person: Person, window: Any, pump: Pump, queue: Queue) -> None:
    queue.add(run("Cat"), run("Dog"))
    look(window, pump)
    assert person.sees("Dog")
    assert person.sees("2 waiting")


def test_rows_are_moved_paused_and_removed_by_keys(person: Person, window: Any, pump: Pump, queue: Queue) -> None:
    queue.add(run("Cat"), run("Dog"))
    look(window, pump)
    person.click("Dog")
    person.press("<Alt-Up>")
    assert titles(queue) == ["Dog", "Cat"]
    person.press("<space>")
    assert queue.entries()[0].state == "paused"
    assert person.sees("Waiting · 1")
    person.press("<space>")
    assert queue.entries()[0].state == "waiting"
    root = window.app
    root.after(50, lambda: Person(root, pump).click("Remove"))
    person.press("<Delete>")
    assert titles(queue) == ["Cat"]


def test_what_would_stand_above_what_it_waits_for_says_why_it_does_not(
    person: Person, window: Any, pump: Pump, queue: Queue
) -> None:
    first = queue.add(run("Cat"))[0]
    queue.add(NewEntry(RunTool("grid", {}), "Grid", after=first.id))
    look(window, pump)
    assert person.sees("after “Cat”")
    person.click("Grid")
    person.press("<Alt-Up>")
    assert titles(queue) == ["Cat", "Grid"]
    assert person.sees("“Grid” waits for “Cat”")


def test_the_menu_lets_one_wait_for_another(person: Person, window: Any, pump: Pump, queue: Queue) -> None:
    cat, dog = queue.add(run("Cat"), run("Dog"))
    look(window, pump)
    person.click("Dog", button=3)
    person.click("After this one …")
    person.click("Cat", nth=1)
    assert queue.entry(dog.id).after == cat.id
    person.click("Dog", button=3)
    person.click("Duplicate")
    assert titles(queue) == ["Cat", "Dog", "Dog"]


def test_a_failure_has_its_sentence_and_is_tried_again(person: Person, window: Any, pump: Pump, queue: Queue) -> None:
    entry = queue.add(run("Cat"))[0]
    finish(queue, entry, "failed", [problem("engine.busy")])
    look(window, pump)
    assert person.sees("Try again")
    person.click("Show log")
    assert person.dialog() == "Cat"
    person.click("Close")
    person.click("Try again")
    assert queue.entry(entry.id).state == "waiting"


def test_what_is_over_is_cleared(person: Person, window: Any, pump: Pump, queue: Queue) -> None:
    entry = queue.add(run("Cat"), run("Dog"))[0]
    finish(queue, entry, "finished", [])
    look(window, pump)
    assert person.sees("Finished today · 1")
    person.click("Clear")
    assert titles(queue) == ["Dog"]


def test_the_run_of_this_window_stands_there_too(person: Person, window: Any, pump: Pump) -> None:
    context: AppContext = window.context
    context.running.begin("train")
    context.engine.inbox.put(Started("/w/Blip 3", 3000, 10, 300))
    context.engine.inbox.put(Progress(1840, 3000, 7, 10, seconds_left=617.0))
    context.inbox.tick()
    look(window, pump)
    assert person.sees("Blip 3")
    assert person.sees("Step 1,840 of 3,000")
    assert person.sees("1 running")


def test_while_a_run_goes_on_other_settings_are_added_beside_stop(
    person: Person, window: Any, pump: Pump, queue: Queue
) -> None:
    window.context.running.begin("train")
    rest(pump, window.app, 60)
    person.click("Add these settings to the queue")
    assert titles(queue) == ["Robot LoRA"]
    assert queue.on  # it is to begin after that run
    assert person.sees("“Robot LoRA” is in the queue")


def test_what_is_done_in_the_end_is_chosen_and_taken_back(
    person: Person, window: Any, pump: Pump, queue: Queue
) -> None:
    queue.add(run("Cat"))
    look(window, pump)
    person.choose("When the queue is done", "Sleep")
    assert queue.when_done == "sleep"
    queue.ends_at = time.time() + 50
    look(window, pump)
    assert person.sees("The computer goes to sleep in")
    person.click("Cancel")
    assert queue.when_done == "nothing"


def finish(queue: Queue, entry: Entry, state: Any, why: list[Any]) -> None:
    owner = Owner(queue.file)
    queue.on = True
    queue.take_next(owner.id, lambda _: "")
    queue.finish(entry.id, state, problems=why, details="the last line")
    queue.on = False
    owner.release()


# Without a window -----------------------------------------------------------------------------------------------------


def test_times_are_sums_up_to_what_nobody_knows(queue: Queue) -> None:
    queue.add(run("a"), run("b"), NewEntry(RunTool("grid", {}), "Grid"), run("c"))
    waiting = queue.entries()
    spans = spans_of([], waiting, OwnRun("now", 1, 2, 100.0, ""))
    found = [(spans[entry.id].begins, spans[entry.id].ends) for entry in waiting if entry.id in spans]
    assert found == [(100.0, 700.0), (700.0, 1300.0)]
    assert spans_of([], waiting, OwnRun("now", 0, 0, 0.0, "")) == {}


def test_neighbours_of_a_set_are_one_row(queue: Queue) -> None:
    tried = [
        NewEntry(run("x").job, f"rate {rate}", group="Rates #1", changes={"training.learning_rate": rate}, estimate=60)
        for rate in (5e-5, 1e-4)
    ]
    queue.add(*tried, run("Cat"))
    rows: Any = [item for item in items_of(queue.entries(), None, True, time.time()) if hasattr(item, "title")]
    assert [row.title for row in rows] == ["Rates: 2 runs", "Cat"]
    assert rows[0].below == "try values · learning rate 5e-5, 1e-4"
    assert rows[0].middle == "60 s each"


def test_a_queue_of_paused_rows_says_so(queue: Queue) -> None:
    entry = queue.add(run("Cat"))[0]
    queue.pause(entry.id)
    head: Any = items_of(queue.entries(), None, True, time.time())[0]
    assert head.words == "Paused · 1"


def test_parts_of_one_set_that_stand_apart_are_rows_of_their_own(
    person: Person, window: Any, pump: Pump, queue: Queue
) -> None:
    def tried(rate: float) -> NewEntry:
        return NewEntry(run("x").job, f"rate {rate}", group="Rates #1", changes={"training.learning_rate": rate})

    entries = queue.add(tried(1e-5), tried(2e-5), run("Cat"), tried(3e-5), tried(4e-5))
    look(window, pump)
    person.click("Rates: 2 runs", nth=1)
    person.press("<Alt-Up>")
    order = [entries[n].id for n in (0, 1, 3, 4, 2)]
    assert [entry.id for entry in queue.entries()] == order
    look(window, pump)
    assert person.sees("Rates: 4 runs")


def test_tables_of_tried_values_are_not_cleared_unasked(person: Person, window: Any, pump: Pump, queue: Queue) -> None:
    entry = queue.add(NewEntry(run("x").job, "rate", group="Rates #1"))[0]
    finish(queue, entry, "finished", [])
    look(window, pump)
    window.app.after(50, lambda: Person(window.app, pump).click("Cancel"))
    person.click("Clear")
    assert titles(queue) == ["rate"]
