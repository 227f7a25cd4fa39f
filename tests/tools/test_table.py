"""A tool is a file and a row: the command line, the engine, the window and the manual know it by these alone."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from app import manual
from app.cli import run
from modules.messages import Event, Failed, Finished, Note, RunTool, Stage
from modules.session import Session
from modules.system.bundled import ROOT
from modules.system.runtime import python_command
from modules.tools import TOOLS
from tests.tools.pretend import ROW


@pytest.fixture(autouse=True)
def row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TOOLS, "count", ROW)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    file = tmp_path / "text.txt"
    file.write_text("a cat a Cat a dog", encoding="utf-8")
    return file


def done(settings: dict[str, Any]) -> list[Event]:
    session = Session(RunTool("count", settings))
    session.start()
    session.wait()
    return list(session.channel.events.drain())


def test_its_settings_are_flags_of_its_command(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["count", "text.txt", "out.txt", "--word", "a", "--word", "Cat", "--case", "same", "--ranked"]) == 0
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == "a 3\nCat 1"
    said = capsys.readouterr().out
    assert "4 words." in said and f"Finished: {tmp_path / 'out.txt'}" in said


def test_its_help_says_what_its_settings_say(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(["count", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "TEXT OUT" in said and "Count the words of a text." in said
    assert "--most N How many stand in the list. (at least 1, at most 100; 10)" in said


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--most", "0"], "most: 0 is out of range: it must be at least 1, at most 100 words."),
        (["--most", "many"], 'most: "many" is not a whole number.'),
    ],
    ids=["limit", "type"],
)
def test_a_wrong_value_is_refused_before_the_engine_starts(
    wrong: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["count", "a", "b", *wrong]) == 2
    assert said in capsys.readouterr().err


def test_the_engine_runs_it_by_its_name(text: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out.txt")
    events = done({"text": str(text), "out": out, "ranked": True, "most": 1})
    assert Stage("Counting", 1, 2) in events and Note("3 words.") in events
    assert events[-1] == Finished(path=out)


def test_the_engine_refuses_settings_that_are_none(text: Path, tmp_path: Path) -> None:
    (failed,) = done({"text": 5, "most": 3, "colour": "red"})
    assert isinstance(failed, Failed) and not failed.details
    assert [line.strip("- ") for line in failed.message.splitlines()[1:]] == [
        "text: 5 must be text in quotes.",
        "out: This must be given.",
        "colour: There is no such setting.",
    ]


def test_a_tool_that_does_not_exist_is_named(text: Path) -> None:
    session = Session(RunTool("count backwards", {}))
    session.start()
    session.wait()
    (failed,) = session.channel.events.drain()
    assert isinstance(failed, Failed) and f"There are: {', '.join(TOOLS)}." in failed.message


def test_its_page_of_the_manual_has_all_of_its_settings() -> None:
    page = manual.tools_markdown()
    assert "## Count words\n\nCount the words of a text.\n\n    ./start-ui.sh count TEXT OUT\n" in page
    assert "- **At most** `--most`  \n  How many stand in the list." in page


def test_the_settings_of_tools_are_read_without_torch() -> None:
    code = "from modules.tools import TOOLS; [t.settings for t in TOOLS.values()]; sys.exit('torch' in sys.modules)"
    subprocess.run(python_command("-c", f"import sys; {code}"), check=True, cwd=ROOT)
