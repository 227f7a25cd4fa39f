"""What the check has found, for which settings, and what one wants to hear of it."""

from pathlib import Path

import pytest

from app.gui.check.findings import FRESH_S, Checks, changed
from app.gui.context import AppContext
from app.gui.draft.problem_labels import counted, describe_changes
from modules.errors import UserError
from modules.messages import CheckPreset, Failed, Finding, Finished, Fix, Started, Stop
from modules.text import amount
from tests.gui.contexts import context_at, sent

LONG = Finding(
    "test.long", "warning", "model.max_chunks", title="9 captions are too long.",
    fixes=[Fix("Read 4 chunks", {"model.max_chunks": 4})],
)  # fmt: skip
FITS = Finding("memory.fits", "info", title="It takes 2 GB.")
TAKEN = Finding("test.taken", "error", title="The file is there already.")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def context(tmp_path: Path) -> AppContext:
    return context_at(tmp_path)


def looked(
    context: AppContext, *found: Finding, end: Finished | Failed | None = None, clock: Clock | None = None
) -> Checks:
    checks = context.checks or Checks(context, clock or Clock())
    context.checks = checks
    checks.run()
    for event in (*found, end or Finished()):
        context.running.take(event)
    return checks


def test_the_frozen_settings_are_looked_at_and_the_worst_comes_first(context: AppContext) -> None:
    checks = looked(context, FITS, LONG, TAKEN)
    assert sent(context) == [CheckPreset(context.draft.freeze())]
    result = checks.current()
    assert result is not None
    assert result.findings == (TAKEN, LONG, FITS)
    assert counted(checks.counts(result)) == "1 problem, 1 warning, 1 note"
    assert checks.blocking_problem() == "The file is there already."


def test_going_back_to_settings_brings_their_result_back(context: AppContext) -> None:
    checks = looked(context, LONG)
    context.draft.put("training.steps", 77)
    assert checks.stale and checks.current() is None
    assert checks.shown is not None and checks.shown.findings == (LONG,)
    looked(context, FITS)
    assert checks.shown.findings == (FITS,)
    context.draft.undo()
    assert not checks.stale
    assert checks.current() is not None and checks.shown.findings == (LONG,)


def test_what_was_cancelled_is_no_result(context: AppContext) -> None:
    checks = looked(context, LONG, end=Finished(stopped=True))
    assert checks.shown is None
    assert checks.last_tried == checks.key, "and it does not begin again by itself"


def test_a_look_that_failed_says_why_and_has_to_be_read(context: AppContext) -> None:
    checks = looked(context, end=Failed("No room."))
    result = checks.current()
    assert result is not None and result.failure == "No room."
    assert checks.has_warnings(result)


def test_after_a_run_or_ten_minutes_it_is_looked_at_anew(context: AppContext) -> None:
    clock = Clock()
    checks = looked(context, LONG, clock=clock)
    clock.now = FRESH_S - 1
    assert checks.current() is not None
    clock.now = FRESH_S + 1
    assert checks.current() is None
    assert checks.shown is not None, "it can still be read"
    looked(context, LONG)
    assert checks.current() is not None
    context.running.begin("train")
    context.running.take(Started("/runs/a", 10, 1, 10))
    context.running.take(Finished(10))
    assert checks.current() is None and checks.shown is not None


def test_a_mend_is_one_change_and_is_seen_until_it_is_taken_back(context: AppContext) -> None:
    checks = looked(context, LONG)
    fix = Fix("Less at once", {"training.batch_size": 2, "training.accumulation": 3})
    assert changed(context, LONG.fixes[0]) == ""
    assert checks.is_fixed(LONG, LONG.fixes[0])
    context.draft.undo()
    assert not checks.is_fixed(LONG, LONG.fixes[0])
    assert changed(context, fix) == ""
    context.draft.undo()
    assert context.draft.get("training.batch_size") != 2
    assert context.draft.get("training.accumulation") != 3
    assert changed(context, Fix("", {"training.nothing": 1})) == "There is no setting called training.nothing here."
    assert changed(context, Fix("", {"training.steps": 5, "training.batch_size": 0})).startswith("That cannot be set")
    assert context.draft.get("training.steps") != 5, "all of it or nothing"


def test_a_kind_that_nobody_wants_to_hear_of_is_silent_in_this_project(context: AppContext) -> None:
    checks = looked(context, LONG, FITS, TAKEN)
    result = checks.current()
    assert result is not None
    checks.mute(LONG.name)
    checks.mute(TAKEN.name)
    assert checks.listed(result) == [TAKEN, FITS], "what keeps a run from starting is always told"
    assert checks.muted(result) == {LONG.name: LONG.title}
    context.draft.put("general.name", "Another")
    assert LONG in checks.listed(result)
    context.draft.undo()
    checks.mute(LONG.name, off=False)
    assert LONG in checks.listed(result)


def test_what_is_not_told_is_remembered(context: AppContext, tmp_path: Path) -> None:
    looked(context, LONG).mute(LONG.name)
    context.window_state.save()
    again = looked(context_at(tmp_path), LONG)
    assert again.shown is not None
    assert again.listed(again.shown) == []
    assert not again.has_warnings(again.shown)


def test_nothing_is_looked_at_while_a_setting_is_wrong_or_the_engine_is_busy(context: AppContext) -> None:
    checks = Checks(context)
    context.draft.type("training.batch_size", "0")
    with pytest.raises(UserError, match="Fix 1 setting first"):
        checks.run()
    context.draft.undo()
    checks.run()
    with pytest.raises(UserError, match="already"):
        checks.run()
    assert Stop() not in sent(context) and len(sent(context)) == 1


def test_amounts_and_changes_are_said_in_words() -> None:
    assert amount(3.5 * 2**30, "bytes") == "3.5 GB"
    assert amount(20 * 2**20, "bytes") == "20 MB"
    assert amount(3700, "seconds") == "1 h 01 min"
    assert amount(75, "seconds") == "1 min 15 s"
    assert amount(1200, "captions") == "1,200 captions"
    assert describe_changes({"training.gradient_checkpointing": "all"}).endswith("Gradient checkpointing: all")
