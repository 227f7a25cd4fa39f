"""Files of lines: whole lines or none, whatever the disk and a power cut do."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.messages import Event, Mailbox, Note, Progress
from modules.trainer.run_folder.append_log import AppendLog
from modules.trainer.run_folder.records import Records
from tests.trainer.disks import fill, small_disk


@pytest.mark.parametrize(
    ("torn", "records", "whole"),
    [
        (b"one\ntw", True, "one\nthree\n"),
        (b"one\ntw", False, "one\ntw\nthree\n"),
        (b"one\n\0\0\0\0", True, "one\nthree\n"),
        (b"x" * 200_000, True, "three\n"),
        (b"one\n" + b"x" * 200_000, True, "one\nthree\n"),
        (b"one\n", True, "one\nthree\n"),
        (b"", False, "three\n"),
    ],
)
def test_a_torn_line_ends_before_the_next_one_begins(torn: bytes, records: bool, whole: str, tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(torn)
    lines = AppendLog(path, records=records)
    lines.add("three")
    assert lines.close() == 0
    assert path.read_text(encoding="utf-8") == whole


def test_lines_wait_for_room_and_come_in_their_order(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        lines = AppendLog(disk / "lines", records=True)
        lines.add("0")
        filler = fill(disk)
        for number in range(1, 3000):
            lines.add(str(number))
        assert lines.trouble is not None
        held = (disk / "lines").read_text(encoding="utf-8").splitlines(keepends=True)
        assert all(line.endswith("\n") for line in held)
        filler.unlink()
        lines.add("3000")
        assert lines.trouble is None
        assert lines.close() == 0
        assert (disk / "lines").read_text(encoding="utf-8").split() == [str(number) for number in range(3001)]


def test_what_is_kept_has_an_end_and_what_is_lost_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AppendLog, "MAX_BYTES", 100)
    lines = AppendLog(tmp_path / "gone" / "lines", records=True)
    for number in range(50):
        lines.add(f"{number:09}")
    assert lines.lost == 40
    assert lines.close() == 50
    (tmp_path / "gone").mkdir()
    lines.add("last")
    assert (tmp_path / "gone" / "lines").read_text(encoding="utf-8").split() == [f"{n:09}" for n in range(41, 50)] + [
        "last"
    ]
    lines.close()


def test_a_file_that_is_deleted_or_moved_away_is_begun_anew(tmp_path: Path) -> None:
    lines = AppendLog(tmp_path / "lines", records=True)
    lines.add("one")
    (tmp_path / "lines").rename(tmp_path / "away")
    lines.add("two")
    (tmp_path / "lines").unlink()
    lines.add("three")
    lines.close()
    assert (tmp_path / "away").read_text(encoding="utf-8") == "one\n"
    assert (tmp_path / "lines").read_text(encoding="utf-8") == "three\n"


def test_a_log_that_cannot_be_written_is_said_once_and_again_when_it_can(tmp_path: Path) -> None:
    events: Mailbox[Event] = Mailbox()
    with small_disk(tmp_path / "disk", "512k") as disk:
        with Records(disk, events, tensorboard=True) as records:
            records.numbers(1, {"a": 1.0})
            filler = fill(disk)
            for step in range(300):
                records.tell(Progress(step, 999, 0, 1, [[step, 0.5]]))
                records.numbers(step, {f"curve {n}": 1.0 for n in range(20)})
            filler.unlink()
            records.tell(Note("room"))
            records._draw(lambda board: board.flush())  # pyright: ignore[reportPrivateUsage]
        said = [event.text for _ in range(5) for event in events.drain() if isinstance(event, Note)]
        assert len((disk / "events.jsonl").read_text(encoding="utf-8").splitlines()) == 301
    assert f"The log in {disk} cannot be written (No space left on device): it is kept in memory until it can." in said
    assert f"The log in {disk} is written again; nothing was lost." in said
    assert len(said) == 3


def test_a_board_that_cannot_be_written_is_switched_off_with_a_word(tmp_path: Path) -> None:
    events: Mailbox[Event] = Mailbox()
    (tmp_path / "tensorboard").write_text("a file where a folder should be", encoding="utf-8")
    with Records(tmp_path, events, tensorboard=True) as records:
        for step in range(3):
            records.numbers(step, {"a": 1.0})
    (note,) = events.drain()
    assert isinstance(note, Note)
    assert note.text == "TensorBoard is switched off for this run: File exists. Training goes on."
