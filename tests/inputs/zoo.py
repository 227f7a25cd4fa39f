"""What every test of bad input shares: a row of the zoo, the way in, and what no answer may ever hold.

A row says how a file is made and what the user reads of it. Nothing here is stored: every animal is bred when its test
runs, so that no scanner of viruses ever minds this repository.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.__main__ import main

SPOOFS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029"  # what turns or breaks a line


@dataclass(frozen=True)
class Row:
    """One bad input. `make` gets a folder of its own and gives what the door wants; `says` is what must be read."""

    name: str
    make: Callable[..., Any]
    says: tuple[str, ...]


def rows(table: Iterable[tuple[str, Callable[..., Any], Sequence[str] | str]]) -> list[Any]:
    """A table as parameters of a test, each named as its animal."""
    made = [Row(name, make, (says,) if isinstance(says, str) else tuple(says)) for name, make, says in table]
    assert len({row.name for row in made}) == len(made), "two animals of one name"
    return [pytest.param(row, id=row.name) for row in made]


@dataclass
class Result:
    """What a command said, and how it ended."""

    code: int
    said: str
    shown: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command line, in this process."""
    # It takes over Ctrl-C and SIGTERM of its process, which here is the tests'.
    monkeypatch.setattr("app.follow.Interrupts.install", lambda self: None)

    def do(*words: object) -> Result:
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as error:  # argparse's own refusals
            code = int(str(error.code))
        shown, said = capsys.readouterr()
        return Result(code, said, shown)

    return do


def refused(answer: Result, row: Row) -> None:
    """A sentence with what is expected in it, exit code 2, and nothing that belongs to programmers."""
    assert answer.code == 2, answer
    told = answer.said or answer.shown  # findings of the check are no errors, and told where its answer is
    for words in row.says:
        assert words in told, told
    assert_sentence(told if answer.said else f"{told.rstrip()}.")
    assert "Traceback" not in answer.shown


def assert_sentence(text: str) -> None:
    """Words for a person: short, ended, without a traceback, and without characters that could forge a line."""
    assert "Traceback" not in text
    assert "fault of the program" not in text
    assert text.rstrip().endswith((".", "?", ")")), text[-200:]
    assert len(text) < 4000, len(text)
    forged = [c for c in text if c in SPOOFS or (unicodedata.category(c) == "Cc" and c not in "\n\t")]
    assert not forged, forged


def file(name: str, content: bytes | str) -> Callable[[Path], Path]:
    """Makes a file with this content."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
        return path

    return make


def sparse(path: Path, size: int, start: bytes = b"") -> Path:
    """A file that claims to be large and takes up nothing."""
    with path.open("wb") as out:
        out.write(start)
        out.truncate(size)
    return path
