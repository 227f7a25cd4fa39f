"""What a finding mends in files, and how that is taken back."""

from pathlib import Path

import pytest

from app.gui.check.file_fixes import changes_of, describe_files
from app.gui.check.findings import checks_for
from app.gui.context import AppContext
from modules.messages import Finding, Fix
from modules.sentences.render import fix
from modules.wire import decode, encode


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_bytes("café\r\n".encode("cp1252"))
    (tmp_path / "b c.txt").write_bytes(b"a robot")
    return tmp_path


def to_utf8(folder: Path) -> Fix:
    return fix("fix.to-utf8", {}, {str(folder / "a.txt"): str(folder / "a.txt")}, count=1)


def renamed(folder: Path) -> Fix:
    return fix("fix.rename-captions", {}, {str(folder / "b c.txt"): str(folder / "b_c.txt")}, count=1)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.txt")}


def test_a_file_is_converted_and_the_very_bytes_come_back(context: AppContext, folder: Path) -> None:
    before, fixes, mend = contents(folder), checks_for(context).file_fixes, to_utf8(folder)
    fixes.press(mend, "Convert")
    assert contents(folder)["a.txt"] == "café\r\n".encode()
    assert fixes.is_done(mend)
    fixes.press(mend, "Convert")
    assert contents(folder) == before
    assert not fixes.is_done(mend)


def test_a_file_is_renamed_and_goes_back(context: AppContext, folder: Path) -> None:
    before, fixes, mend = contents(folder), checks_for(context).file_fixes, renamed(folder)
    fixes.press(mend, "Rename")
    assert contents(folder).keys() == {"a.txt", "b_c.txt"}
    assert contents(folder)["b_c.txt"] == b"a robot"
    fixes.press(mend, "Rename")
    assert contents(folder) == before


def test_nothing_is_renamed_over_another_file(context: AppContext, folder: Path) -> None:
    (folder / "b_c.txt").write_bytes(b"another")
    before, fixes, said = contents(folder), checks_for(context).file_fixes, list[str]()
    context.notify = lambda text, *_, **__: said.append(text)
    fixes.press(renamed(folder), "Rename")
    assert contents(folder) == before
    assert str(folder / "b_c.txt") in said[0]
    assert not fixes.is_done(renamed(folder))


def test_a_run_looks_anew_at_files_that_were_mended(context: AppContext, folder: Path) -> None:
    heard: list[bool] = []
    checks = checks_for(context)
    checks.listen(lambda: heard.append(True))
    checks.file_fixes.press(to_utf8(folder), "Convert")
    assert heard
    assert checks.current() is None


def test_what_is_gone_or_mended_meanwhile_is_left_alone(folder: Path) -> None:
    (folder / "a.txt").write_text("café", encoding="utf-8")
    assert changes_of({**to_utf8(folder).files, str(folder / "gone.txt"): str(folder / "gone.txt")}) == {}


def test_files_are_named_in_a_hint_and_travel_in_a_message(folder: Path) -> None:
    mends = [to_utf8(folder), renamed(folder)]
    assert [describe_files(mend.files) for mend in mends] == ["a.txt", "b c.txt \N{RIGHTWARDS ARROW} b_c.txt"]
    finding = Finding("captions.legacy", "warning", "concepts", {"count": 1}, mends)
    assert decode(encode(finding)) == finding
