"""Locks that die with their process."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest
import torch

from modules.data.cache.store import Cache
from modules.system import locks
from modules.system.locks import Lock, LockTaken
from modules.trainer.run_folder.workspace import run_lock

KEY = "a" * 64


@pytest.fixture
def lockless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that knows no locks, as some network shares."""

    def refuse(file: int, *, blocking: bool) -> bool:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks, "lock_descriptor", refuse)


def test_a_lock_is_held_by_one_and_then_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("4711", encoding="utf-8")  # left behind by a process that was killed
    with Lock(path), pytest.raises(LockTaken, match=r"^\d+$"):
        Lock(path)
    with Lock(path):
        pass
    assert path.exists()


def test_a_lock_where_nothing_can_be_made_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Lock(tmp_path / "gone" / "lock")


def test_who_holds_a_lock_stands_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with Lock(path), pytest.raises(LockTaken, match=rf"^{os.getpid()}$"):
        Lock(path)
    assert path.read_bytes() == b"", "Windows lets nobody read what is locked"


def test_a_lock_is_waited_for_as_long_as_was_asked(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    with pytest.raises(LockTaken):
        Lock(tmp_path / "lock", seconds=0.02)
    threading.Timer(0.05, lock.release).start()
    Lock(tmp_path / "lock", seconds=60).release()


@pytest.mark.usefixtures("lockless")
def test_a_disk_that_knows_no_locks_is_not_another_process(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=os.strerror(errno.ENOLCK)):
        Lock(tmp_path / "lock")


@pytest.mark.usefixtures("lockless")
def test_a_disk_that_knows_no_locks_holds_up_no_run(tmp_path: Path) -> None:
    with run_lock(tmp_path), run_lock(tmp_path):
        assert (tmp_path / ".lock").exists()


@pytest.mark.usefixtures("lockless")
def test_on_a_disk_without_locks_each_writer_of_a_cache_has_a_file_of_its_own(tmp_path: Path) -> None:
    with Cache(tmp_path) as one, Cache(tmp_path) as other:
        one.put(KEY, {"a": torch.ones(2)})
        other.put(KEY, {"a": torch.ones(2)})
    assert len(list(tmp_path.glob("*.shard"))) == 2
    with Cache(tmp_path) as cache:
        assert cache.get(KEY)["a"].tolist() == [1, 1]
