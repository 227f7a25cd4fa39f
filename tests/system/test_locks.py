"""Locks that die with their process."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.system.locks import Lock, LockTaken


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
