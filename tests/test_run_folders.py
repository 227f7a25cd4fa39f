"""Which folder is a run, which one goes on, and that nothing else is touched."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from modules.errors import UserError
from modules.messages import Started
from modules.preset.preset import Preset
from modules.run_folders import (
    LOCK,
    is_run,
    is_training,
    new_names,
    new_run_folder,
    passed_over,
    recorded_preset,
    run_to_continue,
    runs_named,
)
from modules.sentences.render import PLAIN
from modules.system.locks import Lock
from modules.trainer.run_folder.resume import ResumeState
from modules.trainer.run_folder.workspace import step_reached
from modules.wire import encode


def preset(workspace: Path, name: str = "cat") -> Preset:
    return Preset.model_validate({"general": {"name": name, "workspace": str(workspace)}})


def leave(folder: Path, own_name: str = "cat", *, at: int = 0, backup: int = 0) -> Path:
    """The folder of a run that last wrote `at` so many seconds."""
    folder.mkdir(parents=True)
    project = {"kind": "project", "version": 2, "general": {"name": own_name}}
    (folder / "preset.json").write_text(json.dumps(project), encoding="utf-8")
    (folder / "events.jsonl").write_text(encode(Started(str(folder), 9, 1, 9)) + "\n", encoding="utf-8")
    if backup:
        inside = folder / "backups" / f"step-{backup:08}"
        inside.mkdir(parents=True)
        (inside / "preset.json").write_text(json.dumps(project | {"training": {"steps": 77}}), encoding="utf-8")
        (inside / "manifest.json").write_text(json.dumps({"step": backup, "sha256": {"x": ""}}), encoding="utf-8")
    for file in folder.rglob("*"):
        os.utime(file, (at, at))
    return folder


def test_the_newest_by_time_goes_on_whatever_its_number_and_whatever_is_missing(tmp_path: Path) -> None:
    """Runs cat, cat 2, cat 3: the second is deleted, then the first; and a new one comes."""
    old, third = leave(tmp_path / "cat", at=1), leave(tmp_path / "cat 3", at=3)
    mine = preset(tmp_path)
    assert run_to_continue(mine, "newest") == third
    words = PLAIN.what(passed_over(mine, third))
    assert words == 'Continuing "cat 3", the newest run of this name; passed over: cat.'
    new = new_run_folder(mine)
    assert new.name == "cat 4"  # no gap is filled: the highest number is the newest
    new.rmdir()
    os.utime(old / "events.jsonl", (9, 9))
    assert run_to_continue(mine, "newest") == old
    (old / "events.jsonl").unlink()
    (old / "preset.json").unlink()
    assert run_to_continue(mine, "newest") == third


def test_a_newer_backup_counts_as_the_last_event_does(tmp_path: Path) -> None:
    leave(tmp_path / "cat", at=5)
    backed_up = leave(tmp_path / "cat 2", at=1, backup=3)
    os.utime(backed_up / "backups" / "step-00000003" / "manifest.json", (9, 9))
    assert run_to_continue(preset(tmp_path), "newest") == backed_up


def test_a_run_whose_own_name_ends_in_a_number_is_no_second_run(tmp_path: Path) -> None:
    first, own = leave(tmp_path / "cat", at=1), leave(tmp_path / "cat 2", "cat 2", at=2)
    second = leave(tmp_path / "cat 3", at=3)
    assert runs_named(tmp_path, "cat") == [second, first]
    assert runs_named(tmp_path, "cat 2") == [own]
    assert next(new_names(tmp_path, "cat 2")) == "cat 2 2"


def test_a_run_is_known_by_its_settings_events_or_backups(tmp_path: Path) -> None:
    run = leave(tmp_path / "cat", backup=3)
    for name in ("preset.json", "events.jsonl", "backups/step-00000003/manifest.json"):
        assert is_run(run), name
        (run / name).unlink()
    assert not is_run(run)
    for name in ("preset.json", "events.jsonl"):  # such names are not ours alone
        (run / name).write_text('{"kind": "preset"}\n', encoding="utf-8")
    assert not is_run(run)


def test_a_folder_that_is_no_run_is_refused_and_untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = tmp_path / "pictures"
    (pictures / "sub" / ".download.part").mkdir(parents=True)
    (pictures / ".precious.part").touch()
    before = sorted(pictures.rglob("*"))
    monkeypatch.chdir(tmp_path)
    for wanted in ("pictures", "./pictures", str(pictures)):
        with pytest.raises(UserError, match=r"is not the folder of a run.*Nothing in it was changed"):
            run_to_continue(preset(tmp_path / "runs"), wanted)
    assert sorted(pictures.rglob("*")) == before


def test_a_run_of_the_workspace_goes_before_a_folder_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = leave(tmp_path / "here" / "cat"), leave(tmp_path / "runs" / "cat")
    mine = preset(tmp_path / "runs")
    monkeypatch.chdir(tmp_path / "here")
    assert run_to_continue(mine, "cat") == there
    assert run_to_continue(mine, "./cat") == here
    assert run_to_continue(mine, str(here)) == here
    (there / "preset.json").unlink()
    (there / "events.jsonl").unlink()
    assert run_to_continue(mine, "cat") == here


def test_what_cannot_be_continued_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='no run named "cat"'):
        run_to_continue(preset(tmp_path), "newest")
    with pytest.raises(UserError, match="There is no run elsewhere"):
        run_to_continue(preset(tmp_path), "elsewhere")
    run = leave(tmp_path / "cat", backup=3)
    with pytest.raises(UserError, match="is a backup; a run always continues from its newest"):
        run_to_continue(preset(tmp_path), str(run / "backups" / "step-00000003"))


def test_only_our_drafts_go_and_only_where_we_write_them(tmp_path: Path) -> None:
    run = leave(tmp_path / "cat")
    ours = [
        ".preset.json.12.part", "backups/.step-00000003.part", "samples/.000003 - 1 - a cat.png.12.part",
        "models/.cat.safetensors.12.part", "models/.cat-step-00000003.part", "models/cat/.<w>.safetensors.12.part",
    ]  # fmt: skip
    others = [".film.mkv.part", "models/.film.mkv.part", "samples/sub/.000003 - 1 - a.png.12.part", "mine/.a.part"]
    for name in (*ours, *others):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).touch()
    ResumeState(run)
    assert [name for name in (*ours, *others) if (run / name).exists()] == others


def test_the_lock_says_whether_a_run_is_alive(tmp_path: Path) -> None:
    run = leave(tmp_path / "cat")
    assert not is_training(run)
    with Lock(run / LOCK):
        assert is_training(run)
        assert (run / f"{LOCK}.pid").read_text() == str(os.getpid())
    assert not is_training(run)


@pytest.mark.parametrize("kind", ["missing", "damaged", "folder", "pipe", "device", "huge"])
def test_settings_come_from_a_backup_where_the_runs_own_cannot_be_read(kind: str, tmp_path: Path) -> None:
    run = leave(tmp_path / "cat", backup=3)
    for name in ("preset.json", "events.jsonl"):
        make_strange(run / name, kind)
    found = recorded_preset(run)
    assert found is not None
    assert found.training.steps == 77
    assert runs_named(tmp_path, "cat") == [run]
    assert step_reached(run) == 0


def make_strange(file: Path, kind: str) -> None:
    """Put something in the place of a file that no program should wait for or trust."""
    if os.name == "nt" and kind in ("pipe", "device"):
        pytest.skip("Windows has no such files")
    file.unlink()
    match kind:
        case "damaged":
            file.write_bytes(b'{"kind": "project", "training": "\xff')
        case "folder":
            file.mkdir()
        case "pipe":
            os.mkfifo(file)
        case "device":
            file.symlink_to("/dev/zero")
        case "huge":
            with file.open("wb") as huge:
                huge.truncate(10**10)
        case _:
            pass
