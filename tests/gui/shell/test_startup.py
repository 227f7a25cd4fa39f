"""The language of the window comes from a file in the user's folder, if there is one."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("tkinter", reason="this Python has no tkinter")

from app.gui.shell.startup import use_language
from modules.language import tr, use


@pytest.fixture(autouse=True)
def english_afterwards() -> Iterator[None]:
    yield
    use(None)


def test_the_window_speaks_the_language_of_the_users_file(tmp_path: Path) -> None:
    assert use_language(tmp_path / "language.json") == "" and tr("Undo") == "Undo"
    data = {"language": "Deutsch", "plurals": "one", "sentences": {"Undo": "Zurücknehmen"}}
    (tmp_path / "language.json").write_text(json.dumps(data), encoding="utf-8")
    assert use_language(tmp_path / "language.json") == ""
    assert tr("Undo") == "Zurücknehmen"


def test_a_file_that_is_no_locale_is_said_and_the_window_stays_english(tmp_path: Path) -> None:
    (tmp_path / "language.json").write_text("{")
    assert "language.json" in use_language(tmp_path / "language.json")
    assert tr("Undo") == "Undo"
