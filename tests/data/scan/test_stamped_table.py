from __future__ import annotations

import os
import random
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from modules.data.scan import scan as scan_module
from modules.data.scan.scan import scan
from modules.data.scan.stamped_table import MOST_PARTS, StampedTable
from modules.data.source import parallel_read
from tests.data.pictures import aged, picture, preset_of, scanned

FIELDS = [pa.field("value", pa.int32())]


def stamps(*numbers: int) -> np.ndarray:
    return np.array([[number] * 4 for number in numbers], dtype=np.int64).reshape(-1, 4)


def added(folder: Path, **values: int) -> None:
    """Rows whose stamps are their values."""
    column = {"value": pa.array(list(values.values()), pa.int32())}
    StampedTable(folder, FIELDS).add(list(values), stamps(*values.values()), column)


def found(folder: Path, **wanted: int) -> list[int | None]:
    table = StampedTable(folder, FIELDS)
    places = table.places(list(wanted), stamps(*wanted.values())).tolist()
    return [None if place < 0 else table.column("value")[place].as_py() for place in places]


def test_a_row_is_found_by_its_name_and_stamp_and_the_newest_counts(tmp_path: Path) -> None:
    assert found(tmp_path, a=1) == [None]
    added(tmp_path, a=1, b=2)
    added(tmp_path, b=3, c=4)
    assert found(tmp_path, c=4, a=1, b=3, d=5) == [4, 1, 3, None]
    assert found(tmp_path, b=2) == [None]


def test_parts_become_one_and_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    for number in range(MOST_PARTS + 1):
        added(tmp_path, **{f"r{number}": number})
    table = StampedTable(tmp_path, FIELDS)
    before = table.column("value").to_pylist()
    table.tidy(["r1", "r2", "new"], stamps(1, 2, 3))
    assert len(list(tmp_path.iterdir())) == 1
    assert table.column("value").to_pylist() == before  # rows that were found before are still those
    assert found(tmp_path, r1=1, r2=2, r3=3) == [1, 2, None]


def test_a_part_of_which_any_byte_changed_is_put_aside(tmp_path: Path) -> None:
    added(tmp_path, a=1)
    (part,) = tmp_path.iterdir()
    whole = part.read_bytes()
    draw = random.Random(2)
    for _ in range(20):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        part.write_bytes(damaged)
        assert found(tmp_path, a=1) == [None]
        assert (part.with_name(f"{part.name}.damaged")).read_bytes() == damaged
    part.write_bytes(whole)
    assert found(tmp_path, a=1) == [1]


class Killed(BaseException):
    pass


class Reading:
    """Reads files as ever, counts them, and is killed now and then, while reading and while writing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.images = self.kills = 0
        self._draw, self._read, self._replace = random.Random(3), parallel_read.read_job, os.replace
        monkeypatch.setattr(parallel_read, "read_job", self.read)
        monkeypatch.setattr("modules.data.scan.stamped_table.os.replace", self.replace)

    def read(self, job: parallel_read.ReadJob) -> parallel_read.FileInfo:
        self.images += len(job.images)
        return self._read(job)

    def replace(self, old: Path, new: Path) -> None:
        self.maybe_killed()
        self._replace(old, new)

    def maybe_killed(self, done: int = 0, total: int = 0) -> None:
        if self._draw.random() < 0.2:
            self.kills += 1
            raise Killed


def test_a_scan_that_is_killed_anywhere_loses_little_and_breaks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = tmp_path / "set", tmp_path / "cache"
    for number in range(12):
        picture(folder / f"{number}.png", 16 + number, 16)
        (folder / f"{number}.txt").write_text(f"robot {number}")
    aged(folder)
    preset = preset_of({"path": str(folder)})
    whole = list(scanned(preset))
    monkeypatch.setattr(scan_module, "CHUNK", 1)
    monkeypatch.setattr(scan_module, "KEEP_EVERY", 2)
    with monkeypatch.context() as patch:
        reading, index = Reading(patch), None
        while index is None:
            with suppress(Killed):
                index = scan(preset, cache=cache, report=reading.maybe_killed, stop=lambda: False)
    assert [(i.key, i.width, i.captions) for i in index] == [(i.key, i.width, i.captions) for i in whole]
    assert list(index) == whole
    assert reading.kills > 2
    assert reading.images <= 12 + 3 * reading.kills  # what was not yet written: three images at most
    assert list(scanned(preset, cache)) == whole
