"""The labelled picture on the clipboard, by the program that this system has for it."""

import os
from pathlib import Path

import pytest
from PIL import Image

from app.gui.examine.exports import copied_picture, copier
from modules.grids.plan import plan
from modules.grids.record import write_record
from modules.grids.settings import Settings


@pytest.mark.skipif(os.name == "nt", reason="only where xclip or wl-copy are")
def test_a_copier_gets_the_whole_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    xclip = tmp_path / "xclip"
    xclip.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/given"\ncat > "{tmp_path}/clip.png"\n')
    xclip.chmod(0o755)
    if Path(copier()[0]).name != "xclip":
        pytest.skip("this system has wl-copy, which goes first")
    seeds = {"columns": "seed", "column_values": ("1", "2")}
    made = plan(Settings(model="starter:model", out=str(tmp_path), prompt="a", **seeds))
    made.folder.mkdir(parents=True)
    write_record(made, {}, 0.0)
    assert copied_picture(made.folder, 0) == 1.0
    with Image.open(tmp_path / "clip.png") as picture:
        assert picture.width > 0
    assert "image/png" in (tmp_path / "given").read_text()
