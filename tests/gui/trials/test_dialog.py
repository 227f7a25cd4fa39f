"""Values are chosen to be tried, and become runs in the queue."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.gui.context import AppContext
from app.gui.trials.trial_draft import RATE, TrialDraft
from modules.jobs.queue import Queue
from modules.messages import Train
from modules.preset.paths import get
from tests.gui.contexts import context_at
from tests.gui.person import Person

Pump = Callable[..., None]


@pytest.fixture
def context(root: Any, tmp_path: Path) -> AppContext:
    made = context_at(tmp_path)
    made.app = root
    return made


@pytest.fixture
def person(root: Any, pump: Pump) -> Person:
    return Person(root, pump)


def opened(context: AppContext, person: Person, path: str = "") -> Any:
    from app.gui.trials.dialog import TryValues

    made = TryValues(context, path)
    person.pump(lambda: person.dialog() == "Try values")
    return made


def added(tmp_path: Path) -> list[Any]:
    queue = Queue(tmp_path / "queue.sqlite")
    found = queue.entries()
    queue.close()
    return found


def test_rates_around_that_of_now_are_offered_and_added(context: AppContext, person: Person, tmp_path: Path) -> None:
    opened(context, person)
    for value in ("2.5e-4", "5e-4", "1e-3"):
        assert person.sees(value)
    person.click("Add 3 runs to the queue")
    entries = added(tmp_path)
    assert [entry.changes for entry in entries] == [{RATE: 2.5e-4}, {RATE: 5e-4}, {RATE: 1e-3}]
    assert len({entry.group for entry in entries}) == 1
    first = entries[0]
    assert isinstance(first.job, Train)
    assert get(first.job.preset, RATE) == 2.5e-4
    assert get(first.job.preset, "general.name") == first.title == "Robot LoRA values, learning rate 2.5e-4"


def test_a_second_setting_makes_all_combinations_or_each_value_alone(context: AppContext, person: Person) -> None:
    opened(context, person)
    person.click("Another setting")
    person.type("add a value", "8, 32", nth=1)
    assert person.sees("Add 9 runs to the queue")
    person.click("One by one")
    assert person.sees("Add 5 runs to the queue")


def test_return_in_the_place_for_values_adds_a_value_and_nothing_to_the_queue(
    context: AppContext, person: Person, tmp_path: Path
) -> None:
    opened(context, person)
    person.type("add a value", "3e-3")
    assert person.dialog() == "Try values"
    assert person.sees("Add 4 runs to the queue")
    assert not (tmp_path / "queue.sqlite").exists()


def test_a_wrong_value_says_its_rule_and_has_to_go(context: AppContext, person: Person) -> None:
    opened(context, person, "method.rank")
    person.type("add a value", "0")
    assert person.sees("0 is out of range: it must be at least 1, at most 1024.")
    assert person.greyed("Add 2 runs to the queue")


def test_one_value_is_nothing_to_compare(context: AppContext, person: Person) -> None:
    opened(context, person, "method.rank")
    assert person.greyed("Add 1 run to the queue")
    assert person.sees("Give a setting two values or more.")


def test_the_steps_are_typed_for_all_runs(context: AppContext, person: Person, tmp_path: Path) -> None:
    opened(context, person)
    person.type("600", "77", end="")
    person.click("Add 3 runs to the queue")
    assert all(get(entry.job.preset, "training.steps") == 77 for entry in added(tmp_path))


def test_choices_are_picked_from_a_list(context: AppContext, person: Person) -> None:
    opened(context, person, "optimizer.kind")
    person.click("Add")
    person.click("Lion")
    assert person.sees("Add 2 runs to the queue")


# Without a window -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values"),
    [("1e-4, 2e-4", [1e-4, 2e-4]), ("1e-4 2e-4;3e-4", [1e-4, 2e-4, 3e-4]), ("0,5", [0.5]), ("1e-4", [1e-4])],
)
def test_several_values_are_typed_at_once(tmp_path: Path, text: str, values: list[float]) -> None:
    draft = TrialDraft(context_at(tmp_path).draft, RATE)
    (line,) = draft.lines
    line.values = []
    draft.type(line, text)
    assert line.values == values


def test_settings_that_are_hidden_now_are_not_offered(tmp_path: Path) -> None:
    draft = TrialDraft(context_at(tmp_path).draft)
    offered = {option.value for option in draft.options(draft.lines[0])}
    assert {RATE, "method.rank", "optimizer.kind"} <= offered
    assert not {"concepts", "model.source", "method.lokr_factor"} & offered


def test_wrong_settings_are_mended_first(context: AppContext, person: Person) -> None:
    context.draft.type("training.batch_size", "0")
    opened(context, person)
    assert person.greyed("Add 3 runs to the queue")
    assert person.sees("Fix 1 setting first (F8).")


def test_steps_that_are_no_number_add_nothing(context: AppContext, person: Person) -> None:
    opened(context, person)
    person.type("600", "many", end="")
    assert person.greyed("Add 3 runs to the queue")
