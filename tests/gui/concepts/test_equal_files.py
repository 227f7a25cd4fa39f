"""Files with the same bytes are found in folders and in archives, and few are read for it."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from PIL import Image

from app.gui.concepts.equal_files import equal_files
from modules.data.index import Index
from modules.data.scan.scan import scan
from modules.data.source.source import DataFile
from modules.preset.preset import Preset


def index_of(path: Path) -> Index:
    preset = Preset.model_validate({"concepts": [{"path": str(path)}]})
    return scan(preset, cache=None, report=lambda *_: None, stop=lambda: False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for name, size, colour in (("a", 64, 9), ("b", 64, 9), ("c", 64, 30), ("d", 65, 9), ("e", 66, 9), ("f", 66, 9)):
        Image.new("RGB", (size, size), (colour, 0, 0)).save(folder / f"{name}.bmp")
    return folder


@pytest.mark.parametrize("packed", [False, True])
def test_only_those_are_read_that_are_as_large_as_another(
    folder: Path, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if packed:
        with tarfile.open(folder.with_suffix(".tar"), "w") as archive:
            archive.add(folder, ".")
    read: list[str] = []
    whole = DataFile.sha256

    def noted(file: DataFile) -> str:
        read.append(file.name)
        return whole(file)

    monkeypatch.setattr(DataFile, "sha256", noted)
    found = equal_files(index_of(folder.with_suffix(".tar") if packed else folder), lambda *_: None, lambda: False)
    assert [[file.name for file in group] for group in found] == [["a.bmp", "b.bmp"], ["e.bmp", "f.bmp"]]
    assert read == ["a.bmp", "b.bmp", "c.bmp", "e.bmp", "f.bmp"]


def test_nothing_is_read_when_it_is_to_stop(folder: Path) -> None:
    assert equal_files(index_of(folder), lambda *_: pytest.fail("read"), lambda: True) == []
