"""Caption files that are broken, hostile, or no captions at all, through the scan that every run begins with."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from modules.errors import UserError
from modules.sentences.render import PLAIN
from tests.data.pictures import picture, preset_of, scanned
from tests.inputs.zoo import Row, assert_sentence, file, rows, sparse

pytestmark = [pytest.mark.timeout(30), pytest.mark.skipif(os.name == "nt", reason="links and pipes of POSIX")]

Make = Callable[[Path], object]
BOM = b"\xef\xbb\xbf"


def text(content: bytes | str) -> Make:
    return file("a.txt", content)


def link(target: str) -> Make:
    return lambda folder: (folder / "a.txt").symlink_to(target)


def fifo(folder: Path) -> None:
    os.mkfifo(folder / "a.txt")


def named(name: str) -> Make:
    def make(folder: Path) -> None:
        picture(folder / f"{name}.png")
        (folder / f"{name}.txt").write_bytes(b"\x81")

    return make


LEFT_OUT = [
    ("Shift-JIS", text("赤いロボット".encode("shift-jis")), "is not text (the byte at position 0"),
    ("UTF-16 without its mark", text("robot".encode("utf-16-le")), "is not text (the byte at position 1"),
    ("UTF-16 cut in half", text("robot".encode("utf-16")[:-1]), "is not text"),
    ("UTF-8 with one bad byte", text("naï".encode() + b"\xff"), "is not text (the byte at position 4"),
    ("a zero byte", text(b"a\0b"), "is not text (the byte at position 1"),
    ("nothing but zero bytes", text(bytes(100)), "is not text (the byte at position 0"),
    ("2 GB", lambda folder: sparse(folder / "a.txt", 2 * 10**9), "is larger than 100 kB, which no caption is"),
    ("one line of 10 MB", text(b"x" * 10_000_000), "is larger than 100 kB"),
    ("100,000 tags", text("tag, " * 100_000), "is larger than 100 kB"),
    ("a picture", lambda folder: picture(folder / "b.png").replace(folder / "a.txt"), "is not text"),
    ("a pickle", text(b"\x80\x04\x95cos\nsystem\n."), "is not text"),
    ("a folder", lambda folder: (folder / "a.txt").mkdir(), "a.txt cannot be read: it is a folder"),
    ("a pipe", fifo, "a.txt cannot be read: it is a pipe or a device"),
    ("a device", link("/dev/zero"), "a.txt cannot be read: it is a pipe or a device"),
    ("a link to itself", link("a.txt"), "a.txt cannot be read: it is a link that leads back to itself"),
    ("a link into nothing", link("nowhere.txt"), "a.txt cannot be read: it is a link to something that is not there"),
    ("a name that forges a line", named("a\nb\x1b[2J\u202ec"), r"a\nb\x1b[2J\u202ec.txt is not text"),
]  # fmt: skip


@pytest.mark.parametrize("row", rows(LEFT_OUT))
def test_a_caption_file_that_cannot_be_read_leaves_out_its_image(row: Row, tmp_path: Path) -> None:
    picture(tmp_path / "good.png")
    picture(tmp_path / "a.png")
    row.make(tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (bad,) = scanned(preset_of({"path": str(tmp_path)})).bad
    for words in row.says:
        assert words in PLAIN.what(bad.reason)
    assert_sentence(f"{PLAIN.what(bad.reason)}.")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "it was read"


def test_where_no_caption_can_be_read_that_is_said(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "a.txt").write_bytes(b"\x81")
    with pytest.raises(UserError, match=r"its caption a\.txt is not text") as refusal:
        scanned(preset_of({"path": str(tmp_path)}))
    assert_sentence(str(refusal.value))


TAKEN = [
    ("empty", text(b""), ()),
    ("only spaces and separators", text("  \n,,, , ,\n\t\n"), (",,, , ,",)),
    ("only a mark", text(BOM), ()),
    ("UTF-8 with its mark", text(BOM + b"a robot"), ("a robot",)),
    ("UTF-16 with its mark", text("a robot".encode("utf-16")), ("a robot",)),
    ("Latin-1", text("naïve".encode("latin-1")), ("naïve",)),
    ("UTF-8 cut in half", text("naï".encode()[:-1]), ("na\u00c3",)),
    ("line ends of Windows", text("one\r\ntwo\r\n"), ("one", "two")),
    ("line ends of old Macs", text("one\rtwo"), ("one", "two")),
    ("line ends of Unicode", text("one\u2028two\x85three"), ("one", "two", "three")),
    ("a script from right to left", text("روبوت أحمر"), ("روبوت أحمر",)),
    ("emoji that are joined", text("👩‍🚀 robot"), ("👩‍🚀 robot",)),
    ("a format string", text("{0.__class__.__mro__} %s %n"), ("{0.__class__.__mro__} %s %n",)),
    ("a command", text("$(touch canary); `touch canary`"), ("$(touch canary); `touch canary`",)),
    ("JSON", text('{"prompt": "x"}'), ('{"prompt": "x"}',)),
    ("markup", text("<script>alert(1)</script>"), ("<script>alert(1)</script>",)),
    ("99,999 bytes", text("x" * 99_999), ("x" * 99_999,)),
    ("49,999 lines", text("x\n" * 49_999), ("x",) * 49_999),
    ("missing", lambda folder: None, ()),
]  # fmt: skip


@pytest.mark.parametrize("row", rows(TAKEN))
def test_a_caption_that_is_only_strange_is_taken_as_it_stands(row: Row, tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    row.make(tmp_path)
    index = scanned(preset_of({"path": str(tmp_path)}))
    assert index[0].captions == (row.says or ("",))
    assert bool(index.notes) == (not row.says)  # "1 of 1 image has no caption."
    assert not (tmp_path / "canary").exists()


def test_captions_that_belong_to_no_image_are_said(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    for name in ("a.txt", "readme.txt", "b.txt"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    notes = scanned(preset_of({"path": str(tmp_path)})).notes
    assert [PLAIN.sentence(note) for note in notes] == [
        f"2 caption files belong to no image: {tmp_path / 'b.txt'}, and others."
    ]
