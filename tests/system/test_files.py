"""A file or folder is there as a whole, or not at all."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from modules.system.files import sha256_of, staged, staged_file, write_text
from modules.system.runtime import python_command


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    final = tmp_path / "deep" / "final"
    with staged(final) as draft:
        (draft / "inside").mkdir()
        (draft / "inside" / "a").write_text("1", encoding="utf-8")
        assert not final.exists()
    assert names(tmp_path / "deep") == ["final"]
    assert (final / "inside" / "a").read_text(encoding="utf-8") == "1"


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").touch()
    write_text(tmp_path / "file", "old")
    with pytest.raises(RuntimeError), staged(tmp_path / "folder") as draft:
        (draft / "new").touch()
        raise RuntimeError
    with pytest.raises(RuntimeError), staged_file(tmp_path / "file") as draft:
        draft.write_text("new", encoding="utf-8")
        raise RuntimeError
    assert names(tmp_path) == ["file", "folder"]
    assert names(tmp_path / "folder") == ["old"]
    assert (tmp_path / "file").read_text(encoding="utf-8") == "old"


def test_a_new_one_takes_the_place_of_the_old_as_a_whole(tmp_path: Path) -> None:
    for name in ("first", "second"):
        with staged(tmp_path / "folder") as draft:
            (draft / name).touch()
        write_text(tmp_path / "file", name)
    assert names(tmp_path) == ["file", "folder"]
    assert names(tmp_path / "folder") == ["second"]
    assert (tmp_path / "file").read_text(encoding="utf-8") == "second"


def test_what_a_killed_writer_left_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / ".folder.part").mkdir()
    (tmp_path / ".folder.part" / "torn").touch()
    (tmp_path / ".folder.old").mkdir()
    (tmp_path / ".folder.old" / "ancient").touch()
    (tmp_path / ".file.part").write_text("torn, and longer than what comes", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    with staged(tmp_path / "folder") as draft:
        (draft / "a").touch()
    write_text(tmp_path / "file", "a")
    assert names(tmp_path) == ["file", "folder"]
    assert names(tmp_path / "folder") == ["a"]
    assert (tmp_path / "file").read_text(encoding="utf-8") == "a"


def test_a_folder_is_searched_for_left_drafts_once_however_many_files_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[object] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looked.append(path) or scandir(path))
    (tmp_path / ".7.txt.99999999.part").touch()
    for number in range(20):
        write_text(tmp_path / f"{number}.txt", "a")
    assert looked == [tmp_path]
    assert len(names(tmp_path)) == 20


def test_a_draft_stays_while_its_writer_lives_and_goes_when_a_younger_process_has_its_number(tmp_path: Path) -> None:
    with subprocess.Popen(python_command("-c", "input()"), stdin=subprocess.PIPE) as other:
        draft = tmp_path / f".file.{other.pid}.part"
        draft.write_text("half", encoding="utf-8")
        write_text(tmp_path / "file", "a")
        assert draft.exists()
        os.utime(draft, (1_000_000_000, 1_000_000_000))  # long before that process began
        write_text(tmp_path / "file", "b")
        assert not draft.exists()
        assert other.stdin is not None
        other.stdin.write(b"\n")


def test_a_digest_is_that_of_the_content(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    (tmp_path / "a").write_bytes(content)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()
