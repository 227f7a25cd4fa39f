"""Captions counted in columns are those that each image has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from modules.data.caption_counts import caption_counts
from modules.data.scan.scan import scan
from modules.preset.preset import Preset


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    (folder / "3_red robot").mkdir()
    for name in ("1", "a robot", "3_red robot/2", "3_red robot/b_cat", "none"):
        Image.new("RGB", (64, 64)).save(folder / f"{name}.png")
    (folder / "1.txt").write_text("one\n\ntwo\nthree\n", encoding="utf-8")
    (folder / "a robot.txt").write_text("  \n", encoding="utf-8")
    (folder / "3_red robot/2.txt").write_text("\n".join(map(str, range(20))), encoding="utf-8")
    (folder / "3_red robot/2.tags").write_text("\n".join(map(str, range(20))), encoding="utf-8")
    (folder / "none.tags").write_text("tag, tag", encoding="utf-8")
    return folder


SOURCES = [
    ("file", ""), ("file", ".tags"), ("filename", ".tags, .txt"), ("folder", ".txt, name"), ("prompt", ""),
    ("filename", ""), ("folder", ""), ("none", ""),
]  # fmt: skip


@pytest.mark.parametrize("several", ["first", "pick", "join"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_the_counts_are_those_of_the_items(folder: Path, several: str, wrapped: bool) -> None:
    concepts: list[dict[str, Any]] = [
        {"path": str(folder), "captions": captions, "more_captions": more, "subfolders": True, "prompt": "a\nb\n"}
        | {"several": several, "wrapped": wrapped}
        for captions, more in SOURCES
    ]
    preset = Preset.model_validate({"concepts": concepts})
    index = scan(preset, cache=None, report=lambda *_: None, stop=lambda: False)
    counted = [len(item.captions) if any(item.captions) else 0 for item in index]
    assert caption_counts(index).tolist() == counted
    assert ({0, 1} <= {*counted} and max(counted) == {"first": 20, "pick": 40, "join": 256}[several]) or wrapped
