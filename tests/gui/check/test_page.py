"""The page "Check": what it shows of findings, and what its buttons do."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.gui.check.findings import checks_for
from app.gui.context import AppContext
from modules.messages import CheckPreset, Event, Failed, Finding, Finished, Fix, Stage, Stop
from tests.gui.by_hand import page_of
from tests.gui.conftest import rest
from tests.gui.person import Person

Pump = Callable[..., None]

CUT = Finding(
    "test.cut", "warning", "model.max_chunks", {},
    [Fix("Raise the longest caption to 4 chunks", {"model.max_chunks": 4})],
    [("1 to 75", 12), ("76 to 150", 30)], "captions", ["a.txt", "b.txt"],
    "62 % of the captions are longer than 75 tokens.", "They are cut.",
)  # fmt: skip
TAKEN = Finding("test.taken", "error", "output.path", title="The file is there already.")
FITS = Finding(
    "memory.fits", "info", title="It takes 2 GB.", bars=[(f"part {n}", 2.0**30) for n in range(15)], unit="bytes"
)


@pytest.fixture
def page(context: AppContext, tmp_path: Path, pump: Pump) -> Iterator[Any]:
    context.draft.put("general.workspace", str(tmp_path / "workspace"))
    context.draft.put("model.source", "starter:model")
    context.draft.add("concepts", {"path": "starter:robot"})
    made = page_of(context, "check")
    made.shown()
    pump()
    yield made
    made.destroy()


def told(page: Any, pump: Pump, *events: Event) -> None:
    for event in events:
        page.context.running.take(event)
    page.refresh()
    pump(lambda: whole(page))
    pump()


def whole(page: Any) -> bool:
    """Whether every finding has its card."""
    shown = page.checks.shown
    return all(card.whole for card in page.cards) and (not shown or len(page.cards) == len(page.checks.listed(shown)))


def in_order(page: Any) -> list[Any]:
    """The cards as one reads them: each lies no higher than the one before."""
    return sorted(page.cards, key=lambda card: (card.winfo_rooty(), card.winfo_rootx()))


def looked(page: Any, pump: Pump, *found: Finding) -> None:
    page.look.press()
    told(page, pump, *found, Finished())


def test_first_nothing_is_known_and_a_button_looks(page: Any, engine: Any, pump: Pump) -> None:
    assert page.empty.winfo_ismapped()
    page.empty.button.press()
    assert isinstance(engine.sent[0], CheckPreset)
    told(page, pump, Stage("stage.check-images", 3, 16))
    assert page.below.cget("text") == "Checking: Reading image files: 3 of 16"
    assert page.bar.winfo_ismapped()
    assert page.look.text == "Cancel" and not page.empty.button.enabled
    told(page, pump, Finished())
    assert page.status_label.cget("text") == "No problems found"
    assert not page.bar.winfo_ismapped() and page.look.text == "Check again"


def test_the_worst_stands_first_with_all_that_it_says(page: Any, pump: Pump) -> None:
    looked(page, pump, FITS, CUT, TAKEN)
    assert [card.finding for card in in_order(page)] == [TAKEN, CUT, FITS]
    assert page.status_label.cget("text") == "1 problem, 1 warning, 1 note"
    assert [card.badge.cget("text") for card in in_order(page)] == ["Problem", "Warning", "Note"]
    card = in_order(page)[1]
    assert card.items is None
    card.toggle.press()
    assert card.items.cget("text") == "a.txt\nb.txt"
    card.toggle.press()
    assert card.items is None
    for card in page.cards:
        assert card.winfo_height() >= card.winfo_reqheight(), "nothing is cut off"


def test_notes_beyond_three_are_folded_behind_their_count(page: Any, person: Person, pump: Pump) -> None:
    notes = [Finding(f"test.note-{number}", "info", title=f"Note {number}") for number in range(5)]
    page.look.press()
    for event in (CUT, *notes, Finished()):
        page.context.running.take(event)
    pump(lambda: len(page.cards) == 4 and all(card.whole for card in page.cards))
    assert page.status_label.cget("text") == "1 warning, 5 notes"
    person.click("2 more notes")
    pump(lambda: whole(page))
    assert not person.finds("more notes")


def test_a_mend_changes_the_draft_and_it_looks_again_by_itself(
    page: Any, context: AppContext, engine: Any, pump: Pump, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gui.check.page.REST_S", 0.3)
    looked(page, pump, CUT, FITS)
    kept = page.cards[1]
    page.cards[0].fixes[0][1].press()
    assert context.draft.get("model.max_chunks") == 4
    page.refresh()
    assert page.cards[0].badge.cget("text") == "Fixed"
    assert not page.cards[0].fixes[0][1].enabled
    assert page.below.cget("text") == "Settings have changed since: check again."
    assert len(engine.sent) == 1, "it waits a moment: more may be changed"
    pump(lambda: len(engine.sent) == 2)
    told(page, pump, FITS, Finished())
    assert [card.finding for card in page.cards] == [FITS]
    assert page.cards[0] is kept, "what is the same stays as it is"


def test_it_does_not_look_by_itself_while_something_runs_or_again_after_a_cancel(
    page: Any, context: AppContext, engine: Any, pump: Pump, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gui.check.page.REST_S", 0.0)
    looked(page, pump, CUT)
    context.running.begin("train")
    context.draft.put("training.steps", 77)
    rest(pump, context.app, 500)
    assert len(engine.sent) == 1
    assert page.look.reason == "Available when the run has finished." and page.cards[0].winfo_ismapped()
    context.running.take(Finished(5))
    pump(lambda: len(engine.sent) == 2)
    context.stop = lambda: engine.send(Stop(now=True))
    page.look.press()
    assert engine.sent[-1] == Stop(now=True)
    told(page, pump, Finished(stopped=True))
    rest(pump, context.app, 500)
    assert len(engine.sent) == 3
    assert page.cards, "what was found before can still be read"


def test_a_kind_can_be_silenced_and_heard_again(page: Any, person: Person, pump: Pump) -> None:
    looked(page, pump, CUT, FITS)
    person.click("Hide in this project")
    pump(lambda: [card.finding for card in page.cards] == [FITS] and whole(page))
    person.click("Show again")
    pump(lambda: len(page.cards) == 2 and whole(page))
    assert [card.finding for card in in_order(page)] == [CUT, FITS]
    assert not person.finds("Hidden in this project")


def test_the_way_to_a_setting(page: Any, context: AppContext, pump: Pump) -> None:
    gone: list[tuple[str, str]] = []
    context.go = lambda page, path="": gone.append((page, path))
    looked(page, pump, CUT)
    page.cards[0].go()
    assert gone == [("model", "model.max_chunks")]


def test_the_button_says_what_a_start_means(page: Any, context: AppContext, pump: Pump) -> None:
    context.start_blocked_reason = lambda: checks_for(context).blocking_problem()
    looked(page, pump, CUT)
    assert (page.start.text, page.start.enabled) == ("Start training anyway", True)
    looked(page, pump, CUT, TAKEN)
    assert (page.start.text, page.start.reason) == ("Start training", "The file is there already.")
    looked(page, pump, FITS)
    assert (page.start.text, page.start.enabled) == ("Start training", True)


def test_a_look_that_failed_says_so(page: Any, pump: Pump) -> None:
    page.look.press()
    told(page, pump, Failed("The model cannot be opened."))
    assert page.status_label.cget("text") == "The check could not be finished"
    assert page.below.cget("text") == "The model cannot be opened."


def test_the_switch_is_remembered(page: Any, context: AppContext) -> None:
    assert page.first.get() is True
    page.first.turn()
    assert context.window_state.get("check_first") is False


def test_forty_findings_come_in_slices(page: Any, context: AppContext, pump: Pump) -> None:
    many = [Finding(f"kind.{n}", "warning", title=f"Number {n}. " * 12, text="Why. " * (n % 9)) for n in range(40)]
    page.look.press()
    for event in (*many, Finished()):
        context.running.take(event)
    page.refresh()
    assert len(page.cards) < 40, "the window draws in between"
    pump(lambda: whole(page))
    pump()
    assert [card.finding.name for card in in_order(page)] == [finding.name for finding in many]
    looked(page, pump)
    assert page.cards == [] and page.empty.winfo_ismapped()
