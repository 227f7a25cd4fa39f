"""While filters are typed, the dialog counts what they leave, and reads no file a second time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from app.gui.concepts.concept_scan import ConceptScanner, left_out_in_words
from modules.data.index import Index
from modules.errors import UserError
from tests.data.pictures import picture, preset_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(6):
        picture(tmp_path / "set" / f"{number}.png", 32 + number)
        (tmp_path / "set" / f"{number}.json").write_text(json.dumps({"score": number}))
    return tmp_path / "set"


def looked(scanner: ConceptScanner, folder: Path, **settings: object) -> Index:
    preset = preset_of({"path": str(folder), **settings})
    return scanner.scan(preset, lambda *_: None, lambda: False).index


def test_other_limits_are_counted_without_the_files(folder: Path) -> None:
    scanner = ConceptScanner(0)
    assert len(looked(scanner, folder, min_score="2")) == 4
    shutil.rmtree(folder)
    assert len(looked(scanner, folder, min_score="3")) == 3
    assert left_out_in_words(looked(scanner, folder, min_score="5"), 0) == " · 5 left out: 5 by score"
    with pytest.raises(UserError, match="leave none"):
        looked(scanner, folder, min_score="6")
    assert len(looked(scanner, folder, min_score="1")) == 5  # still known after what went wrong


def test_what_was_forgotten_or_is_asked_anew_is_read(folder: Path) -> None:
    scanner = ConceptScanner(0)
    assert left_out_in_words(looked(scanner, folder), 0) == ""
    assert len(looked(scanner, folder, min_score="4")) == 2  # scores were not read before
    picture(folder / "9.png")
    (folder / "9.json").write_text('{"score": 9}')
    assert len(looked(scanner, folder, min_score="4")) == 2
    scanner.forget()
    assert len(looked(scanner, folder, min_score="4")) == 3
