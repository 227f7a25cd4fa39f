"""Backups: whole or absent, whatever happens while one is written."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from modules.errors import UserError
from modules.preset.preset import Preset
from modules.trainer.backup import (
    all_backups,
    is_whole,
    newest_backup,
    prune,
    read_backup,
    write_backup,
)
from modules.trainer.step.schedule import Clock
from tests.forked import python


class Thing:
    """Something to remember."""

    def __init__(self, *values: float) -> None:
        self.held = torch.tensor(values)

    def state_dict(self) -> dict[str, Any]:
        return {"held": self.held}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        if state["held"].shape != self.held.shape:
            raise ValueError("another shape")
        self.held = state["held"]


def write(folder: Path, step: int, *values: float) -> Path:
    return write_backup(folder, step, Preset(title="mine"), {"thing": Thing(*values), "clock": Clock(step)})


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    backup = write(tmp_path, 7, 1.5, -2)
    assert backup.name == "step-00000007"
    thing, clock = Thing(0, 0), Clock()
    read_backup(backup, {"thing": thing, "clock": clock}, torch.device("cpu"))
    assert thing.held.tolist() == [1.5, -2]
    assert clock.step == 7
    manifest = json.loads((backup / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["sha256"]) == {"thing.pt", "clock.pt", "preset.json"}
    assert manifest["step"] == 7


def test_a_flipped_bit_in_any_file_is_noticed(tmp_path: Path) -> None:
    backup = write(tmp_path, 1, 1)
    for path in backup.iterdir():
        whole = path.read_bytes()
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        # Of the manifest itself only names and digests count.
        if path.name != "manifest.json":
            assert not is_whole(backup), path.name
        path.write_bytes(whole)
    assert is_whole(backup)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "thing.pt").unlink(),
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: (folder / "manifest.json").write_text("", encoding="utf-8"),
        lambda folder: (folder / "manifest.json").write_text('{"step": 2, "sha', encoding="utf-8"),
        lambda folder: (folder / "manifest.json").write_text("[1]", encoding="utf-8"),
        lambda folder: (folder / "manifest.json").write_text('{"sha256": [1]}', encoding="utf-8"),
        lambda folder: (folder / "manifest.json").write_text('{"sha256": {}}', encoding="utf-8"),
        lambda folder: (folder / "manifest.json").write_bytes(b"\xff\xfe"),
    ],
)
def test_a_damaged_backup_is_passed_over_and_the_older_one_is_used(damage, tmp_path: Path) -> None:
    older, newer = write(tmp_path, 1, 1), write(tmp_path, 2, 2)
    assert newest_backup(tmp_path) == newer
    damage(newer)
    assert newest_backup(tmp_path) == older
    assert [path for path in all_backups(tmp_path) if is_whole(path)] == [older]
    assert all_backups(tmp_path) == [newer, older]  # passed over, and not deleted


def test_a_damaged_backup_is_written_anew_when_its_step_comes_again(tmp_path: Path) -> None:
    backup = write(tmp_path, 3, 1)
    (backup / "thing.pt").write_bytes(b"torn")
    write(tmp_path, 3, 5)
    assert is_whole(backup)
    assert torch.load(backup / "thing.pt")["held"].tolist() == [5]
    assert [path.name for path in tmp_path.iterdir()] == [backup.name]


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.trainer.test_backup import Thing, write
folder = Path(sys.argv[1])
write(folder, 1, 1.0)
class Deadly(Thing):
    def state_dict(self):
        os.kill(os.getpid(), signal.SIGKILL)
from modules.preset.preset import Preset
from modules.trainer.backup import write_backup
write_backup(folder, 2, Preset(), {"thing": Thing(2.0), "zombie": Deadly(3.0)})
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_kill_9_in_the_middle_of_writing_leaves_the_old_one_and_the_next_clears_up(tmp_path: Path) -> None:
    with python("-c", KILLED, str(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        assert process.wait() == -signal.SIGKILL
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".step-00000002.part", "step-00000001"]
    assert newest_backup(tmp_path) == tmp_path / "step-00000001"
    prune(tmp_path, 3, write(tmp_path, 3, 1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000001", "step-00000003"]


def test_the_newest_stay_and_the_one_just_written_always(tmp_path: Path) -> None:
    for step in (1, 2, 3, 9):
        write(tmp_path, step, step)
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "step-00000009" / "thing.pt").write_bytes(b"torn")
    prune(tmp_path, 1, tmp_path / "step-00000003")  # a run that was continued from before the torn one
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "step-00000003", "step-00000009"]


def test_damaged_backups_do_not_count_among_those_that_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4):
        write(tmp_path, step, step)
    (tmp_path / "step-00000004" / "manifest.json").unlink()
    prune(tmp_path, 2, write(tmp_path, 3, 3))
    assert [path.name for path in all_backups(tmp_path) if is_whole(path)] == ["step-00000003", "step-00000002"]


def test_other_things_or_other_shapes_are_refused_in_words(tmp_path: Path) -> None:
    backup = write(tmp_path, 1, 1)
    with pytest.raises(UserError, match=r"has no ema: it was made with other settings.*preset of that run"):
        read_backup(backup, {"ema": Thing(1)}, torch.device("cpu"))
    with pytest.raises(UserError, match="does not fit these settings: thing: another shape"):
        read_backup(backup, {"thing": Thing(1, 2)}, torch.device("cpu"))


def test_a_disk_that_is_full_leaves_no_half_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 1, 1)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path, 2, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
