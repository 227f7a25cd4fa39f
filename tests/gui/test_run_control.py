"""Start, stop and continue, decided without a widget."""

import json
import os
import time
from pathlib import Path

import pytest

from app.gui.context import AppContext
from app.gui.run_control import RunControl, Way
from app.gui.session.engine_client import Engine
from modules.errors import UserError
from modules.messages import BackupNow, Continue, Pause, Stop, Train
from modules.preset.files.absolute_paths import with_absolute_paths
from modules.preset.files.store import write_project
from modules.preset.validate import examine
from modules.run_folders import LOCK
from modules.system.locks import Lock
from tests.gui.contexts import context_at, run_folder, sent


def test_a_run_begins_with_the_frozen_draft(tmp_path: Path) -> None:
    context = context_at(tmp_path)
    RunControl(context).start()
    [train] = sent(context)
    assert isinstance(train, Train)
    assert train.preset == context.draft.freeze()
    assert train.resume == ""
    assert context.running.state == "preparing"


def test_nothing_starts_while_a_setting_is_wrong(tmp_path: Path) -> None:
    context = context_at(tmp_path)
    context.draft.type("training.batch_size", "0")
    assert RunControl(context).blocked().startswith("Fix 1 setting first")
    with pytest.raises(UserError):
        RunControl(context).start()
    assert sent(context) == []


def test_the_second_stop_is_at_once(tmp_path: Path) -> None:
    context = context_at(tmp_path)
    job = RunControl(context)
    job.stop()
    assert sent(context) == []
    job.start()
    job.stop()
    job.stop()
    assert sent(context)[1:] == [Stop(), Stop(now=True)]


def test_a_run_that_was_stopped_or_killed_can_go_on_at_once(tmp_path: Path) -> None:
    """By its lock, and not by the time of its last event."""
    context = context_at(tmp_path)
    assert RunControl(context).earlier() is None
    folder = left_by(context, tmp_path, "Robot LoRA", step=12, end="")
    found = RunControl(context).earlier()
    assert found is not None
    assert (found.run.folder, found.step, found.finished, found.otherwise) == (folder, 12, False, False)
    with Lock(folder / LOCK):
        assert RunControl(context).earlier() is None
        assert RunControl(context).elsewhere() == ["Robot LoRA"]
    assert RunControl(context).elsewhere() == []
    RunControl(context).start(Way(folder))
    [train] = sent(context)
    assert isinstance(train, Train)
    assert (train.resume, train.preset) == (str(folder), context.draft.freeze())


def test_the_newest_run_of_the_name_counts(tmp_path: Path) -> None:
    context = context_at(tmp_path)
    left_by(context, tmp_path, "Robot LoRA", step=12, end="stopped")
    left_by(context, tmp_path, "Robot LoRA 2", step=0, end="stopped")
    left_by(context, tmp_path, "Robot LoRA of mine", step=9, end="stopped")
    assert RunControl(context).earlier() is None, "the newest of that name has no backup"


def test_what_differs_is_listed_and_decides_what_is_offered(tmp_path: Path) -> None:
    context = context_at(tmp_path)
    left_by(context, tmp_path, "Robot LoRA", step=12, end="stopped")
    context.draft.put("sampling.every", "7 steps")
    found = RunControl(context).earlier()
    assert found is not None
    assert ([each.path for each in found.differences], found.otherwise) == (["sampling.every"], False)
    context.draft.put("training.learning_rate", 5e-5)
    context.draft.put("concepts.0.repeats", 2.0)
    found = RunControl(context).earlier()
    assert found is not None
    rows = {each.path: (each.old, each.new) for each in found.differences}
    assert rows["training.learning_rate"] == ("0.0005", "0.00005")
    assert rows.keys() == {"sampling.every", "training.learning_rate", "concepts.0.repeats"}
    assert found.otherwise and found.fits and found.new_name == "Robot LoRA 2"
    context.draft.put("method.rank", 3)
    found = RunControl(context).earlier()
    assert found is not None and not found.fits
    context.draft.put("model.source", str(tmp_path / "nowhere.safetensors"))
    assert RunControl(context).earlier() is None


def test_images_that_came_since_are_noticed(tmp_path: Path) -> None:
    context = context_at(tmp_path)
    images = tmp_path / "images"
    images.mkdir()
    context.draft.put("concepts.0.path", str(images))
    left_by(context, tmp_path, "Robot LoRA", step=12, end="stopped")
    found = RunControl(context).earlier()
    assert found is not None and not found.images_changed
    (images / "new.png").touch()
    later = time.time() + 9
    os.utime(images / "new.png", (later, later))
    found = RunControl(context).earlier()
    assert found is not None and found.images_changed and found.otherwise


def test_a_finished_run_is_trained_further_by_so_many_steps(tmp_path: Path) -> None:
    context = context_at(tmp_path)
    folder = left_by(context, tmp_path, "Robot LoRA", step=600, end="finished")
    found = RunControl(context).earlier()
    assert found is not None
    assert (found.finished, found.more, found.differences) == (True, 200, [])
    context.draft.put("training.steps", 900)
    found = RunControl(context).earlier()
    assert found is not None
    assert (found.more, found.differences) == (300, [])
    RunControl(context).start(Way(folder, own=True, steps=700))
    [train] = sent(context)
    assert isinstance(train, Train)
    assert (train.preset["training"]["steps"], train.resume) == (700, str(folder))


def left_by(context: AppContext, place: Path, name: str, *, step: int, end: str) -> Path:
    """A run of the draft's settings as they are now."""
    folder = run_folder(place, name, step=step, end=end)
    write_project(with_absolute_paths(examine(context.draft.freeze())[0]), folder / "preset.json")
    return folder


def test_any_old_run_goes_on_with_its_own_settings(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, "Old", step=5, end="stopped")
    (folder / "preset.json").write_text(json.dumps({"version": 6, "training": {"steps": 77}}))
    context = context_at(tmp_path)
    RunControl(context).resume(folder)
    [train] = sent(context)
    assert isinstance(train, Train)
    assert (train.preset["training"]["steps"], train.resume) == (77, str(folder))
    with pytest.raises(UserError):
        RunControl(context).resume(folder)


def test_a_run_is_told_things_only_while_it_trains(tmp_path: Path) -> None:
    context = context_at(tmp_path)
    job = RunControl(context)
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
        RunControl(context).start()
    assert not context.running.busy
