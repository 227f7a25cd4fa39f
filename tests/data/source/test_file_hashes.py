"""The content of a file is read once, and again when it has changed."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from modules.data.source.file_hashes import FileHashes
from modules.data.source.folders import on_disk
from modules.data.source.source import DataFile
from tests.data.pictures import aged, rewritten


def test_a_hash_is_remembered_until_its_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, folder = tmp_path / "a.bin", tmp_path / "cache"
    path.write_bytes(b"one")
    aged(tmp_path)
    reads: list[DataFile] = []
    read = DataFile.sha256
    monkeypatch.setattr(DataFile, "sha256", lambda file: (reads.append(file), read(file))[1])
    file = on_disk(path)
    with FileHashes(folder) as known:
        assert known.of(file) == known.of(file) == sha256(b"one").hexdigest()
    with FileHashes(folder) as known:
        known.of(file)
    assert len(reads) == 1
    rewritten(path, b"two")  # the same size and mtime
    with FileHashes(folder) as known:
        assert known.of(file) == sha256(b"two").hexdigest()


def test_a_file_that_was_just_written_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with FileHashes(tmp_path / "cache") as known:
        for content in (b"one", b"two", b"six"):
            path.write_bytes(content)
            assert known.of(on_disk(path)) == sha256(content).hexdigest()


def test_many_hashes_are_kept_on_the_way_so_that_a_kill_loses_few(tmp_path: Path) -> None:
    for number in range(250):
        (tmp_path / f"{number}.bin").write_text(str(number))
    aged(tmp_path)
    known = FileHashes(tmp_path / "cache")
    for number in range(250):
        known.of(on_disk(tmp_path / f"{number}.bin"))
    kept = known._cache.names("sha256 1", "")  # pyright: ignore[reportPrivateUsage]
    known.close()
    assert len(kept) == 200
