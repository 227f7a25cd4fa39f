"""What a power cut may leave: pages that never reached the disk are noughts, files end early, the last line is torn.

A real one cannot be made here. What it leaves can: the files of a run are damaged as one would find them, and the run
is continued.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from modules.messages import Event, Note, Started
from modules.trainer.backup import damage_of, newest_backup
from modules.wire import decode
from tests.trainer.runs import assert_equal, folder_of, run, trained, values

SETTINGS = ("training.steps=3", "backup.every=1 steps")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a run that ended."""
    workspace = tmp_path_factory.mktemp("whole")
    run(values(workspace, *SETTINGS))
    return workspace


@pytest.fixture
def workspace(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "copy")


def noughts(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def noughts_at_the_end(path: Path) -> None:
    held = path.read_bytes()
    path.write_bytes(held[: len(held) // 2] + bytes(len(held) - len(held) // 2))


def cut_short(path: Path) -> None:
    held = path.read_bytes()
    path.write_bytes(held[: len(held) // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


DAMAGE = [noughts, noughts_at_the_end, emptied, Path.unlink, cut_short]


def continued(workspace: Path) -> list[Event]:
    return run(values(workspace, *SETTINGS), resume="newest")


def notes(events: list[Event]) -> str:
    return " ".join(event.text for event in events if isinstance(event, Note))


@pytest.mark.parametrize("file", ["manifest.json", "method.pt", "optimizer.pt"])
def test_a_backup_that_did_not_reach_the_disk_is_passed_over(file: str, whole: Path, workspace: Path) -> None:
    *_, older, newest = sorted((workspace / "test" / "backups").iterdir())
    held = (newest / file).read_bytes()
    for damage in DAMAGE:
        (newest / file).write_bytes(held)
        damage(newest / file)
        assert damage_of(newest)
        assert newest_backup(newest.parent) == older
    events = continued(workspace)
    assert next(event for event in events if isinstance(event, Started)).resumed_from == 2
    assert "The backup of step 3 is damaged" in notes(events)
    assert_equal(trained(whole / "test"), trained(folder_of(events)))


def test_a_torn_last_line_of_events_is_taken_away_and_the_rest_can_be_read(workspace: Path) -> None:
    file = workspace / "test" / "events.jsonl"
    held = file.read_bytes()
    file.write_bytes(held + held.splitlines()[-1][:30])
    continued(workspace)
    lines = file.read_bytes().splitlines()
    for line in lines:
        decode(line.decode())
    assert file.read_bytes().startswith(held)


def test_what_a_killed_writer_left_goes_when_the_run_is_continued(workspace: Path) -> None:
    left = workspace / "test" / "models" / ".test-step-00000002.safetensors.123.part"
    left.write_bytes(b"half")
    continued(workspace)
    assert not left.exists()


@pytest.mark.parametrize("damage", [noughts_at_the_end, cut_short, emptied])
@pytest.mark.parametrize("files", ["*.shard", "*.idx", "read-cache.sqlite"])
def test_a_cache_that_did_not_reach_the_disk_is_made_again(
    damage: Callable[[Path], None], files: str, whole: Path, workspace: Path
) -> None:
    found = list((workspace / "cache").rglob(files))
    assert found
    for path in found:
        damage(path)
    shutil.rmtree(workspace / "test")
    events = run(values(workspace, *SETTINGS))
    assert_equal(trained(whole / "test"), trained(folder_of(events)))
