"""Every file of a folder with its stamp: what is fast in it must say what asking one by one says."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from modules.system.files_below import AT_ONCE, FilesBelow, _stamps
from modules.system.stamps import stamp_of


def files_in(folder: Path, *, deep: bool = True) -> FilesBelow:
    files = FilesBelow((".txt",), deep=deep)
    files.walk(folder)
    return files


def test_each_file_has_its_own_stamp_in_a_folder_of_many_with_hidden_ones_and_folders_amid(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    for name in (".hidden", "0.png", "m/b.png", "m/.c", "z.png", "-a.png", *(f"{n}.txt" for n in range(AT_ONCE + 3))):
        (tmp_path / name).write_bytes(b"x" * (len(name) + sum(map(ord, name)) % 50))
    files = files_in(tmp_path)
    assert {".hidden", "m/.c"}.isdisjoint(files.keys) and {"m/b.png", "z.png", "-a.png"} <= {*files.keys}
    assert len(files.keys) == AT_ONCE + 3 + 4 == len(set(files.keys))
    assert [tuple(row) for row in files.stamps().tolist()] == [stamp_of(os.stat(tmp_path / key)) for key in files.keys]  # noqa: PTH116


def test_a_broken_link_takes_no_other_file_with_it(tmp_path: Path) -> None:
    for name in ("a.png", "c.png"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "b.png").symlink_to(tmp_path / "gone")
    files = files_in(tmp_path)
    assert files.keys == ["a.png", "c.png"]
    assert [(key, why.code) for key, why in files.unreadable] == [("b.png", "reason.link")]
    assert len(files.stamps()) == 2


def test_endings_are_found_in_capitals_too_and_those_with_two_dots(tmp_path: Path) -> None:
    for name in ("a.PNG", "b.png", "c.wd.txt", "d.txt", "e-masklabel.png", "f"):
        (tmp_path / name).touch()
    files = files_in(tmp_path)

    def named(ending: str) -> list[str]:
        return [files.keys[place] for place in files.ending_in(ending)]

    assert named(".png") == ["a.PNG", "b.png", "e-masklabel.png"]
    assert (named(".wd.txt"), named("-MASKLABEL.png"), named("f")) == (["c.wd.txt"], ["e-masklabel.png"], ["f"])


@pytest.mark.parametrize("inode", [7, 2**63 + 5])
def test_an_inode_of_more_than_63_bits_is_another_number(inode: int) -> None:
    about: Any = SimpleNamespace(st_size=1, st_mtime_ns=-2, st_ctime_ns=3, st_ino=inode)
    found = _stamps([about, about])
    assert found[:, 3].tolist() == np.array([inode] * 2, dtype=np.uint64).view(np.int64).tolist()
    assert found[:, :3].tolist() == [[1, -2, 3]] * 2
