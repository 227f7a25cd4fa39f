"""Whole runs on disks that fill up, vanish and come back: nothing is lost, and nothing ends without a word."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modules.errors import UserError
from modules.messages import (
    BackupSaved,
    Command,
    Continue,
    Continued,
    Event,
    Finished,
    Message,
    Note,
    Paused,
    SampleReady,
    Stage,
    Stop,
)
from modules.preset.files.store import write_project
from modules.preset.preset import Preset
from modules.trainer.backup import all_backups, is_whole
from modules.trainer.run_folder.disk_retry import GaveUp
from modules.wire import decode, encode
from tests.forked import python
from tests.trainer.disks import fill, small_disk
from tests.trainer.runs import assert_equal, end_of, folder_of, run, trained, values

SAMPLE = 'sampling.prompts=[{"prompt": "blip robot", "steps": 1, "width": 64, "height": 64}]'


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "24m") as disk:
        yield disk


class Filling:
    """A user whose disk fills up at some event, and who makes room when he is told."""

    def __init__(self, disk: Path, at: Callable[[Event], bool], then: Command | None = None) -> None:
        self.disk, self.at, self.then = disk, at, then or Continue()
        self.filler: Path | None = None

    def __call__(self, event: Event) -> Command | None:
        if self.filler is None and self.at(event):
            self.filler = fill(self.disk)
        if isinstance(event, Paused) and self.filler is not None:
            if isinstance(self.then, Continue):
                self.filler.unlink(missing_ok=True)
            return self.then
        return None


def written(folder: Path) -> list[Any]:
    return [decode(line) for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]


def told(events: list[Event]) -> list[Message]:
    """What has to stand in events.jsonl of what was told: not that the log itself is late."""
    late = [e for e in events if isinstance(e, Note) and e.text.startswith("The log in")]
    return [decode(encode(e)) for e in events if e not in late and not (isinstance(e, Stage) and e.done)]


def test_a_disk_that_is_full_for_a_while_costs_nothing_but_time(disk: Path, tmp_path: Path) -> None:
    settings = ("training.steps=8", "backup.every=2 steps", SAMPLE, "sampling.every=3 steps")
    away = f"general.cache={tmp_path / 'cache'}"
    unbroken = run(values(tmp_path / "unbroken", *settings, away))
    user = Filling(disk, lambda event: isinstance(event, BackupSaved) and event.step == 4)
    events = run(values(disk, *settings, away, "general.tensorboard=true"), answer=user)
    paused = [event for event in events if isinstance(event, Paused)]
    assert paused
    assert "is full" in paused[0].reason
    assert sum(isinstance(event, Continued) for event in events) == 1
    assert end_of(events).step == 8
    assert_equal(trained(folder_of(unbroken)), trained(folder_of(events)))
    assert written(folder_of(events)) == told(events)
    assert not [path for path in disk.rglob("*") if path.suffix in (".part", ".old") or ".tmp" in path.name]


def test_a_stop_on_a_full_disk_is_a_failure_that_names_what_is_left(disk: Path, tmp_path: Path) -> None:
    user = Filling(disk, lambda event: isinstance(event, BackupSaved), Stop())
    settings = ("training.steps=20", "backup.every=2 steps", f"general.cache={tmp_path / 'cache'}")
    heard: list[Event] = []
    with pytest.raises(GaveUp, match=r"A backup was not written.*last intact backup is from step 2: 2 steps are lost"):
        run(values(disk, *settings), answer=lambda event: (heard.append(event), user(event))[1])
    (backup,) = all_backups(folder_of(heard) / "backups")
    assert is_whole(backup)
    assert user.filler
    user.filler.unlink()
    again = run(values(disk, *settings, "training.steps=4"), resume="newest")
    assert any(isinstance(event, Note) and "2 steps since then are repeated" in event.text for event in again)


def test_a_model_that_cannot_be_written_is_no_success(disk: Path, tmp_path: Path) -> None:
    def at(event: Event) -> bool:
        return isinstance(event, BackupSaved)

    settings = ("training.steps=2", f"general.cache={tmp_path / 'cache'}")
    user = Filling(disk, at, Stop())
    with pytest.raises(GaveUp, match=r"The model was not written.*step 2: nothing is lost. Continuing the run writes"):
        run(values(disk, *settings), answer=user)
    assert not list((disk / "test").glob("models/*"))
    assert user.filler
    user.filler.unlink()
    assert end_of(run(values(disk, *settings), resume="newest")).path


def test_a_sample_that_cannot_be_written_is_waited_for_too(disk: Path, tmp_path: Path) -> None:
    user = Filling(disk, lambda event: isinstance(event, Stage) and event.code == "stage.samples")
    settings = (SAMPLE, "sampling.first=true", "training.steps=2", f"general.cache={tmp_path / 'cache'}")
    events = run(values(disk, *settings), answer=user)
    reason = next(event.reason for event in events if isinstance(event, Paused))
    assert "a sample" in reason or "is full" in reason
    assert sum(isinstance(event, SampleReady) for event in events) == 1


def test_filling_the_cache_waits_for_room(disk: Path, tmp_path: Path) -> None:
    user = Filling(disk, lambda event: isinstance(event, Stage) and event.code == "stage.encoding-images")
    events = run(
        values(tmp_path / "away", "training.steps=1", f"general.cache={disk / 'cache'}"), answer=user, cold=True
    )
    assert [type(event) for event in events if isinstance(event, Paused | Continued)] == [Paused, Continued]
    assert end_of(events).step == 1


def test_a_disk_that_was_full_from_the_start_is_waited_for(disk: Path, tmp_path: Path) -> None:
    (disk / "cache").mkdir()
    user = Filling(disk, lambda event: isinstance(event, Stage))
    events = run(
        values(tmp_path / "away", "training.steps=1", f"general.cache={disk / 'cache'}"), answer=user, cold=True
    )
    assert sum(isinstance(event, Paused) for event in events) == 1
    assert end_of(events).step == 1


def test_stopping_while_the_cache_waits_ends_without_a_run(disk: Path, tmp_path: Path) -> None:
    user = Filling(disk, lambda event: isinstance(event, Stage) and event.code == "stage.encoding-images", Stop())
    events = run(
        values(tmp_path / "away", "training.steps=1", f"general.cache={disk / 'cache'}"), answer=user, cold=True
    )
    assert end_of(events).stopped
    assert any(isinstance(event, Note) and "The cache was not written" in event.text for event in events)
    assert not (tmp_path / "away" / "test").exists()


def test_a_folder_that_vanishes_is_waited_for_and_never_made_anew_unasked(tmp_path: Path) -> None:
    settings = ("training.steps=6", "backup.every=2 steps", f"general.cache={tmp_path / 'cache'}")
    unbroken = run(values(tmp_path / "unbroken", *settings))
    here, away = tmp_path / "disk" / "test", tmp_path / "away"

    def user(event: Event) -> Command | None:
        if isinstance(event, BackupSaved) and event.step == 2:
            here.rename(away)
        if isinstance(event, Paused):
            assert not here.exists()
            away.rename(here)
            return Continue()
        return None

    events = run(values(tmp_path / "disk", *settings), answer=user)
    paused = next(event for event in events if isinstance(event, Paused))
    assert paused.step == 4
    assert f"{here} no longer exists" in paused.reason
    assert_equal(trained(folder_of(unbroken)), trained(here))
    assert written(here) == told(events)


def test_an_empty_folder_in_its_place_will_do(tmp_path: Path) -> None:
    here = tmp_path / "disk" / "test"

    def user(event: Event) -> Command | None:
        if isinstance(event, BackupSaved) and event.step == 2:
            shutil.rmtree(here)
        if isinstance(event, Paused):
            here.mkdir()
            return Continue()
        return None

    settings = ("training.steps=4", "backup.every=2 steps", "general.tensorboard=true")
    events = run(values(tmp_path / "disk", *settings, f"general.cache={tmp_path / 'cache'}"), answer=user)
    assert end_of(events).step == 4
    assert [path.name for path in all_backups(here / "backups")] == ["step-00000004"]
    assert (here / "preset.json").is_file()
    assert run(values(tmp_path / "disk", *settings, "training.steps=5"), resume="newest")


def test_sigterm_on_a_full_disk_ends_the_command_line_with_a_sentence_and_no_success(
    disk: Path, tmp_path: Path
) -> None:
    preset = tmp_path / "preset.json"
    given = values(disk, "training.steps=100000", "backup.every=5 steps", f"general.cache={tmp_path / 'cache'}")
    write_project(Preset.model_validate(given), preset)
    said = tmp_path / "errors"
    with said.open("wb") as file, python("-m", "app", "train", str(preset), stderr=file) as process:
        lines: list[str] = []

        def until(word: str) -> str:
            while word not in (line := process.stdout.readline().decode()):
                assert line, (lines, said.read_text(encoding="utf-8"))
                lines.append(line)
            return line

        until("Backup")
        fill(disk)
        assert "is full: 0 kB free" in until("Paused")
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read().decode()
    errors = said.read_text(encoding="utf-8")
    assert process.returncode == 2
    assert "A backup was not written." in errors
    assert "steps are lost" in errors
    assert "Traceback" not in errors
    assert "Paused" not in rest  # once
    assert "Finished" not in rest


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no terminals here")
def test_a_terminal_that_is_closed_costs_no_backup(tmp_path: Path) -> None:
    import pty

    preset = tmp_path / "preset.json"
    write_project(Preset.model_validate(values(tmp_path, "training.steps=100000")), preset)
    ours, theirs = pty.openpty()
    with python(
        "-m", "app", "train", str(preset), stdin=theirs, stdout=theirs, stderr=theirs, new_session=True
    ) as process:
        os.close(theirs)
        seen = b""
        while b"Training" not in seen:
            seen += os.read(ours, 4096)
        os.close(ours)  # from here on every word that it says is an error
        process.send_signal(signal.SIGHUP)
        process.wait(240)
    (backup,) = all_backups(tmp_path / "test" / "backups")
    assert is_whole(backup)
    assert isinstance(written(tmp_path / "test")[-1], Finished)


RUN = """
import json, sys
from tests.trainer.runs import folder_of, run
print(folder_of(run(json.loads(sys.argv[1]), cold=True)))
"""


def test_two_runs_at_once_in_one_workspace_and_one_cache_both_end_as_one_alone_does(tmp_path: Path) -> None:
    preset = values(tmp_path / "both", "training.steps=6")
    pair = [python("-c", RUN, json.dumps(preset), stderr=subprocess.DEVNULL) for _ in range(2)]
    alone = run(values(tmp_path / "alone", "training.steps=6"), cold=True)
    folders: list[Path] = []
    for process in pair:
        with process:
            folders.append(Path(process.stdout.read().decode().strip()))
        assert process.returncode == 0
    assert sorted(folder.name for folder in folders) == ["test", "test 2"]
    for folder in folders:
        assert_equal(trained(folder_of(alone)), trained(folder))
    assert not [path for path in (tmp_path / "both" / "cache").iterdir() if path.suffix == ".part"]


def test_a_run_that_another_process_writes_cannot_be_continued_meanwhile(tmp_path: Path) -> None:
    from modules.trainer.run_folder.workspace import run_lock

    folder = folder_of(run(values(tmp_path, "training.steps=2")))
    with run_lock(folder), pytest.raises(UserError, match="is in use by another Seachange"):
        run(values(tmp_path, "training.steps=4"), resume="newest")
    assert end_of(run(values(tmp_path, "training.steps=4"), resume="newest")).step == 4
