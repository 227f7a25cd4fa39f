"""Images that the tool "Make a training set" has made are known by their names."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from modules.check.images.balance import findings
from modules.data.made_images import made_rows
from modules.data.scan.scan import scan
from modules.preset.preset import Preset
from modules.tools.images.training_set import MARK

MADE = "0" * MARK


def index_of(folder: Path, *names: str, kind: str = "train"):
    for name in names:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (64, 64)).save(path)
    preset = Preset.model_validate({"concepts": [{"path": str(folder), "kind": kind, "subfolders": True}]})
    return scan(preset, cache=None, report=lambda *_: None, stop=lambda: False)


def test_they_are_known_by_their_names_where_they_were_put(tmp_path: Path) -> None:
    names = ("a.png", f"00001-{MADE}.png", f"kept/123456-{MADE}.png", f"x00001-{MADE}.png", f"00002-{MADE}.jpg")
    index = index_of(tmp_path, *names)
    made = {index.file(row).key for row in made_rows(index).nonzero()[0].tolist()}
    assert made == {f"00001-{MADE}.png", f"kept/123456-{MADE}.png"}


@pytest.mark.parametrize(("kind", "own", "said"), [("train", 1, 1), ("train", 2, 0), ("class", 1, 0)])
def test_a_concept_that_is_mostly_made_is_named_unless_it_is_there_to_keep_what_is_known(
    tmp_path: Path, kind: str, own: int, said: int
) -> None:
    index = index_of(tmp_path, f"00001-{MADE}.png", f"00002-{MADE}.png", *(f"{n}.png" for n in range(own)), kind=kind)
    found = [finding for finding in findings(index) if finding.code == "images.made"]
    assert [(finding.severity, finding.values["part"]) for finding in found] == [("warning", 2)] * said
