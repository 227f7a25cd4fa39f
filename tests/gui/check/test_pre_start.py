"""From Start to the run: the look between them, decided without a widget."""

from pathlib import Path

import pytest

from app.gui.check.findings import checks_for
from app.gui.check.pre_start import PreStartCheck
from app.gui.context import AppContext
from app.gui.run_control import RunControl, Way
from modules.errors import UserError
from modules.messages import CheckPreset, Event, Failed, Finding, Finished, Started, Stop, Train
from tests.gui.contexts import context_at, sent

HURTS = Finding("test.long", "warning", title="9 captions are too long.")
STOPS = Finding("test.taken", "error", title="The file is there already.")
KNOWN = Finding("memory.fits", "info", title="It takes 2 GB.")


class Flow:
    """A context, its Start button, and what came to the front."""

    def __init__(self, folder: Path, *, check_first: bool = True) -> None:
        self.context: AppContext = context_at(folder, check_first=check_first)
        self.job = RunControl(self.context)
        self.fronts = 0
        self.pre_start = PreStartCheck(self.context, self.job, self.job.start, self._front)
        self.checks = checks_for(self.context)

    def _front(self) -> None:
        self.fronts += 1
        if self.checks.shown is not None:
            self.checks.mark_seen(self.checks.shown)

    def says(self, *events: Event) -> None:
        for event in events:
            self.context.running.take(event)
        self.pre_start.tick()

    @property
    def kinds(self) -> list[str]:
        return [type(command).__name__ for command in sent(self.context)]


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    return Flow(tmp_path)


def test_without_anything_bad_the_run_starts_right_after_the_look(flow: Flow) -> None:
    flow.pre_start.start()
    flow.pre_start.tick()
    assert flow.kinds == ["CheckPreset"]
    flow.says(KNOWN, Finished())
    assert flow.kinds == ["CheckPreset", "Train"]
    assert flow.context.running.what == "train" and flow.fronts == 0


def test_one_look_starts_one_run(flow: Flow) -> None:
    flow.pre_start.start()
    flow.says(Finished())
    flow.says(Started("/runs/a", 600, 10, 60), Finished(600))
    flow.pre_start.tick()
    assert flow.kinds == ["CheckPreset", "Train"]


def test_what_hurts_is_shown_and_the_second_start_means_it(flow: Flow) -> None:
    flow.pre_start.start()
    flow.says(HURTS, Finished())
    assert flow.kinds == ["CheckPreset"] and flow.fronts == 1
    assert flow.checks.start_anyway
    flow.pre_start.start()
    assert flow.kinds == ["CheckPreset", "Train"]


def test_what_was_found_but_never_on_the_screen_is_shown_first(flow: Flow) -> None:
    flow.checks.run()
    flow.says(HURTS, Finished())
    assert not flow.checks.start_anyway
    flow.pre_start.start()
    assert flow.fronts == 1 and "Train" not in flow.kinds


def test_what_keeps_it_from_starting_does_so_each_time(flow: Flow) -> None:
    flow.pre_start.start()
    flow.says(STOPS, HURTS, Finished())
    assert flow.pre_start.start_blocked_reason() == "The file is there already."
    flow.pre_start.start()
    flow.pre_start.start()
    assert "Train" not in flow.kinds and flow.fronts == 3


@pytest.mark.parametrize("end", [Finished(stopped=True), Finished(), Failed("No.")])
def test_a_look_that_is_cancelled_starts_nothing(flow: Flow, end: Event) -> None:
    flow.pre_start.start()
    flow.pre_start.cancel()
    flow.job.stop()
    assert sent(flow.context)[-1] == Stop(now=True)
    flow.says(end)
    assert flow.kinds == ["CheckPreset", "Stop"] and flow.fronts == 0


def test_a_look_that_failed_is_shown_and_can_be_passed_over(flow: Flow) -> None:
    flow.pre_start.start()
    flow.says(Failed("The rooms are closed."))
    assert flow.fronts == 1
    flow.pre_start.start()
    assert flow.kinds == ["CheckPreset", "Train"]


def test_what_is_known_already_is_not_looked_at_twice(flow: Flow) -> None:
    flow.checks.run()
    flow.says(KNOWN, Finished())
    flow.pre_start.start()
    assert flow.kinds == ["CheckPreset", "Train"]


def test_settings_that_change_during_the_look_are_looked_at_again(flow: Flow) -> None:
    flow.pre_start.start()
    flow.context.draft.put("training.steps", 77)
    flow.says(Finished())
    assert flow.kinds == ["CheckPreset", "CheckPreset"]
    flow.says(Finished())
    [*_, train] = sent(flow.context)
    assert isinstance(train, Train) and train.preset["training"]["steps"] == 77


def test_start_joins_a_look_that_is_under_way(flow: Flow) -> None:
    flow.checks.run()
    assert flow.pre_start.checking and flow.pre_start.start_blocked_reason() == ""
    flow.pre_start.start()
    assert not flow.pre_start.checking
    flow.says(Finished())
    assert flow.kinds == ["CheckPreset", "Train"]


def test_start_does_not_wait_for_a_look_at_other_settings(flow: Flow) -> None:
    flow.checks.run()
    flow.context.draft.put("training.steps", 77)
    flow.pre_start.start()
    flow.says(Finished(stopped=True))
    assert flow.kinds == ["CheckPreset", "Stop", "CheckPreset"]
    [*_, look] = sent(flow.context)
    assert isinstance(look, CheckPreset) and look.preset["training"]["steps"] == 77


def test_a_run_that_goes_on_as_it_was_is_not_looked_at(flow: Flow, tmp_path: Path) -> None:
    flow.pre_start.start(Way(tmp_path))
    [train] = sent(flow.context)
    assert isinstance(train, Train) and train.resume == str(tmp_path)


def test_a_run_that_goes_on_otherwise_is_looked_at_and_asked_about_once(flow: Flow, tmp_path: Path) -> None:
    way = Way(tmp_path, check=True)
    flow.pre_start.start(way)
    assert flow.pre_start.chosen is None
    flow.says(HURTS, Finished())
    assert flow.kinds == ["CheckPreset"]
    assert flow.pre_start.chosen == way  # Start means "anyway" now
    flow.pre_start.start(way)
    [_, train] = sent(flow.context)
    assert isinstance(train, Train) and train.resume == str(tmp_path)


def test_a_look_that_can_be_switched_off(tmp_path: Path) -> None:
    flow = Flow(tmp_path, check_first=False)
    flow.pre_start.start()
    assert flow.kinds == ["Train"]


def test_a_kind_that_is_not_told_stands_in_nobodys_way(flow: Flow) -> None:
    flow.checks.mute(HURTS.name)
    flow.pre_start.start()
    flow.says(HURTS, Finished())
    assert flow.kinds == ["CheckPreset", "Train"]


def test_while_a_run_is_on_nothing_starts(flow: Flow) -> None:
    flow.context.running.begin("train")
    with pytest.raises(UserError):
        flow.pre_start.start()
    assert flow.kinds == []
