import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.gui.captions import batch
from app.gui.captions.batch import cut_short, put_back, write_all
from app.gui.captions.journal import Change
from modules.system.files import write_text
from modules.system.user_folder import settings_folder


class Killed(BaseException):
    """What a kill does, as far as files go: nothing is tidied up."""


@pytest.fixture
def killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[Path, Change]]:
    """A change of three files that was killed after the first, and its journal."""
    changes = {
        tmp_path / "a.txt": Change(b"red", b"red, new"), tmp_path / "b.txt": Change(None, b"new"),
        tmp_path / "c.txt": Change(b"\xff\xfe", b"new"),
    }  # fmt: skip
    (tmp_path / "a.txt").write_bytes(b"red")
    (tmp_path / "c.txt").write_bytes(b"\xff\xfe")
    kept = settings_folder() / "captions-1-0.json"

    def until_the_second(path: Path, data: bytes | None) -> None:
        if path.name == "b.txt":
            (journal,) = settings_folder().glob("captions-*.json")
            write_text(kept, journal.read_text(encoding="utf-8"))  # the end of this process deletes its own
            raise Killed
        path.write_bytes(data or b"")

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(batch, "_put", until_the_second)
        patch.setattr(batch, "AT_ONCE", 1)
        write_all(changes, lambda *_: None, lambda: False)
    yield changes
    kept.unlink(missing_ok=True)


def journals() -> list[str]:
    return [path.name for path in settings_folder().glob("captions-*")]


def test_what_a_kill_cut_short_is_found_and_put_back(killed: dict[Path, Change], tmp_path: Path) -> None:
    assert [change.before for change in killed.values()] == [b"red", None, b"\xff\xfe"]
    left = cut_short()
    assert left is not None and (left.files, list(left.back)) == (3, [tmp_path / "a.txt"])
    assert put_back(left, lambda *_: None, lambda: False) == 1
    assert (tmp_path / "a.txt").read_bytes() == b"red"
    assert cut_short() is None and journals() == []


def test_what_was_changed_since_is_left_alone(killed: dict[Path, Change], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"by hand")
    assert cut_short() is None and journals() == []
    assert (tmp_path / "a.txt").read_bytes() == b"by hand"


def test_a_change_that_ends_leaves_no_journal(tmp_path: Path) -> None:
    changes = {tmp_path / f"{n}.txt": Change(None, b"new") for n in range(3)}
    write_all(changes, lambda *_: None, lambda: False)
    assert journals() == [] and cut_short() is None


@pytest.mark.parametrize("text", ["{", "null", "[1]", '[["a", 5, null]]', '[["a", "%%", null]]'])
def test_a_damaged_journal_harms_nobody(text: str) -> None:
    path = settings_folder() / "captions-2-0.json"
    write_text(path, text)
    assert cut_short() is None
    path.unlink(missing_ok=True)


def test_a_journal_says_what_stood_in_each_file(killed: dict[Path, Change]) -> None:
    (name,) = journals()
    written = json.loads((settings_folder() / name).read_text(encoding="utf-8"))
    assert [row[1] for row in written] == ["cmVk", None, "//4="]
