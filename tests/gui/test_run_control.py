"""Start, stop and continue, decided without a widget."""

import json
from pathlib import Path

import pytest

from app.gui.run_control import Job
from app.gui.session.engine_client import Engine
from modules.errors import UserError
from modules.messages import BackupNow, Continue, Pause, Stop, Train
from tests.gui.contexts import context_at, run_folder, sent


def test_a_run_begins_with_the_frozen_draft(tmp_path: Path) -> None:
    context = context_at(tmp_path)
    Job(context).start()
    [train] = sent(context)
    assert isinstance(train, Train)
    assert train.preset == context.draft.freeze()
    assert train.resume == ""
    assert context.running.state == "preparing"


def test_nothing_starts_while_a_setting_is_wrong(tmp_path: Path) -> None:
    context = context_at(tmp_path)
    context.draft.type("training.batch_size", "0")
    assert Job(context).blocked().startswith("Fix 1 setting first")
    with pytest.raises(UserError):
        Job(context).start()
    assert sent(context) == []


def test_the_second_stop_is_at_once(tmp_path: Path) -> None:
    context = context_at(tmp_path)
    job = Job(context)
    job.stop()
    assert sent(context) == []
    job.start()
    job.stop()
    job.stop()
    assert sent(context)[1:] == [Stop(), Stop(now=True)]


def test_a_run_that_was_stopped_can_go_on(tmp_path: Path) -> None:
    context = context_at(tmp_path)
    assert Job(context).resumable() is None
    folder = run_folder(tmp_path, "Robot LoRA", step=12, end="stopped")
    found = Job(context).resumable()
    assert found is not None
    assert (found.folder, found.step) == (folder, 12)
    Job(context).start(found.folder)
    [train] = sent(context)
    assert isinstance(train, Train)
    assert train.resume == str(folder)


def test_the_newest_run_of_the_name_counts(tmp_path: Path) -> None:
    run_folder(tmp_path, "Robot LoRA", step=12, end="stopped")
    run_folder(tmp_path, "Robot LoRA 2", step=0, end="stopped")
    run_folder(tmp_path, "Robot LoRA of mine", step=9, end="stopped")
    assert Job(context_at(tmp_path)).resumable() is None, "the newest of that name has no backup"


def test_a_finished_run_goes_on_only_if_more_steps_are_asked_for(tmp_path: Path) -> None:
    run_folder(tmp_path, "Robot LoRA", step=600, end="finished")
    context = context_at(tmp_path)
    assert Job(context).resumable() is None
    context.draft.put("training.steps", 900)
    assert Job(context).resumable() is not None


def test_a_run_of_another_window_is_left_alone(tmp_path: Path) -> None:
    run_folder(tmp_path, "Robot LoRA", step=12, end="")
    assert Job(context_at(tmp_path)).resumable() is None


def test_any_old_run_goes_on_with_its_own_settings(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, "Old", step=5, end="stopped")
    (folder / "preset.json").write_text(json.dumps({"version": 3, "training": {"steps": 77}}))
    context = context_at(tmp_path)
    Job(context).resume(folder)
    [train] = sent(context)
    assert isinstance(train, Train)
    assert (train.preset["training"]["steps"], train.resume) == (77, str(folder))
    with pytest.raises(UserError):
        Job(context).resume(folder)


def test_a_run_is_told_things_only_while_it_trains(tmp_path: Path) -> None:
    context = context_at(tmp_path)
    job = Job(context)
    job.backup_now()
    assert job.no_run_reason() != ""
    job.start()
    context.running.state = "training"
    job.backup_now()
    job.pause_or_continue()
    context.running.state = "paused"
    job.pause_or_continue()
    assert sent(context)[1:] == [BackupNow(), Pause(), Continue()]


def test_an_engine_that_cannot_be_started_leaves_the_window_at_rest(tmp_path: Path) -> None:
    context = context_at(tmp_path)
    context.engine = Engine([str(tmp_path / "no such program")])
    with pytest.raises(UserError, match="cannot be started"):
        Job(context).start()
    assert not context.running.busy
