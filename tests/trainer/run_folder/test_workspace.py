"""Folders of runs: names that every system allows, never one that is taken."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from modules.errors import UserError
from modules.messages import Event, Finished, Note, Progress, Started
from modules.preset.files.absolute_paths import with_absolute_paths
from modules.preset.files.naming import run_name
from modules.preset.preset import Preset
from modules.run_folders import new_run_folder
from modules.system.bundled import ROOT
from modules.trainer.run_folder.resume import ResumeState
from modules.trainer.run_folder.workspace import (
    check_writable,
    run_lock,
    step_reached,
)
from modules.wire import encode
from tests.forked import python


def preset(name: str = "", title: str = "", **general: Any) -> Preset:
    return Preset.model_validate({"title": title, "general": {"name": name, **general}})


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("my cat", "my cat"),
        ('a/b\\c:d*e?f"g<h>i|j', "a b c d e f g h i j"),
        ("../../etc", "etc"),
        ("..", "run"),
        ("   ", "run"),
        ("con", "con run"),
        ("Lpt1", "Lpt1 run"),
        ("ends with a dot.", "ends with a dot"),
        ("tab\tbreak", "tab break"),
        ("con.txt", "run con.txt"),
        ("x" * 100, "x" * 80),
    ],
)
def test_a_run_gets_a_name_that_every_system_allows(name: str, folder: str) -> None:
    assert run_name(preset(name)) == folder


def test_the_presets_title_names_a_run_that_has_no_name() -> None:
    assert run_name(preset(title="Robot LoRA")) == "Robot LoRA"
    assert run_name(preset("mine", title="Robot LoRA")) == "mine"


def test_a_taken_name_gets_a_number(tmp_path: Path) -> None:
    made = [new_run_folder(preset("a", workspace=str(tmp_path))).name for _ in range(3)]
    assert made == ["a", "a 2", "a 3"]


def test_a_file_of_that_name_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine", encoding="utf-8")
    assert new_run_folder(preset("a", workspace=str(tmp_path))).name == "a 2"
    assert (tmp_path / "a").read_text(encoding="utf-8") == "mine"


def test_a_workspace_inside_a_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=r"cannot be made.*general.workspace"):
        new_run_folder(preset("a", workspace=str(tmp_path / "file")))
    with pytest.raises(UserError, match="Nothing can be written"):
        check_writable(tmp_path / "file" / "deep" / "down")
    check_writable(tmp_path / "not" / "there yet")
    assert not (tmp_path / "not").exists()


def test_paths_are_absolute_and_references_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.safetensors").touch()
    found = with_absolute_paths(
        Preset.model_validate(
            {
                "general": {"workspace": "here"},
                "model": {"source": "model.safetensors", "vae": "someone/on-the-hub"},
                "concepts": [{"path": "cats"}, {"path": "starter:robot"}],
                "words": [{"token": "<a>", "file": "a.safetensors"}, {"token": "<b>"}],
                "output": {"path": "~/out.safetensors"},
            }
        )
    )
    assert found.general.workspace == str(ROOT / "here")  # Seachange's own folders lie beside it, wherever one stands
    assert found.general.cache == str(ROOT / "here" / "cache")
    assert (found.model.source, found.model.vae) == (str(tmp_path / "model.safetensors"), "someone/on-the-hub")
    assert [concept.path for concept in found.concepts] == [str(tmp_path / "cats"), "starter:robot"]
    assert [word.file for word in found.words] == [str(tmp_path / "a.safetensors"), ""]
    assert found.output.path == str(Path.home() / "out.safetensors")
    assert with_absolute_paths(Preset()).model.source == ""


def test_a_run_whose_backups_are_all_damaged_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a" / "backups" / "step-00000003").mkdir(parents=True)
    with pytest.raises(UserError, match="all 1 backups of it are damaged"):
        ResumeState(tmp_path / "a")


HOLDER = """
import sys
from pathlib import Path
from modules.trainer.run_folder.workspace import run_lock
with run_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_that_another_process_trains_in_is_refused_and_free_when_that_one_is_killed(tmp_path: Path) -> None:
    with python("-c", HOLDER, str(tmp_path), stderr=subprocess.DEVNULL) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(UserError, match=rf"is in use by another Seachange \(process {other.pid}\)"):
            run_lock(tmp_path)
        other.kill()
        other.wait()
        with run_lock(tmp_path):  # the file is still there; the lock is not
            assert (tmp_path / ".lock").exists()
    with run_lock(tmp_path), pytest.raises(UserError, match="another Seachange"):
        run_lock(tmp_path)


@pytest.mark.parametrize(
    ("lines", "step"),
    [
        ([], 0),
        ([Started("f", 9, 1, 9)], 0),
        ([Started("f", 9, 1, 9, 4)], 4),
        ([Progress(1, 9, 0, 1), Note("x"), Progress(7, 9, 0, 1), Note("y")], 7),
        ([Progress(7, 9, 0, 1), Finished(7, stopped=True), Note("x")], 7),
    ],
)
def test_how_far_a_run_had_come_stands_in_its_events(lines: list[Event], step: int, tmp_path: Path) -> None:
    assert step_reached(tmp_path) == 0
    text = "".join(f"{encode(line)}\n" for line in lines)
    (tmp_path / "events.jsonl").write_text(text + '{"kind": "Progr', encoding="utf-8")  # torn
    assert step_reached(tmp_path) == step
