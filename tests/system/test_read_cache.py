"""What was read before is believed while its file does not change, and nothing that is damaged is."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from modules.sentences.render import PLAIN
from modules.system.bundled import ROOT
from modules.system.read_cache import ReadCache
from modules.system.runtime import python_command
from modules.system.stamps import ALWAYS, NO_STAMP, Stamp

STAMP = Stamp(5, 10**18, 10**18, 7)
OTHERS = [STAMP._replace(**{field: 1}) for field in ("size", "mtime_ns", "ctime_ns", "inode")]


def filled(folder: Path, count: int = 300) -> dict[str, Stamp]:
    names = {f"/images/{number}.png": STAMP for number in range(count)}
    with ReadCache(folder) as cache:
        cache.put("t 1", {name: (stamp, name.encode()) for name, stamp in names.items()})
    return names


def test_values_are_found_again_under_their_names_and_stamps(tmp_path: Path) -> None:
    names = filled(tmp_path, 1200)  # more than fit into one question
    with ReadCache(tmp_path) as cache:
        assert cache.get("t 1", names) == {name: name.encode() for name in names}
        assert cache.get("t 1", {"/images/1.png": STAMP, "/images/x.png": STAMP}) == {"/images/1.png": b"/images/1.png"}
        assert cache.get("t 2", names) == {}, "another table"


@pytest.mark.parametrize("stamp", [*OTHERS, NO_STAMP])
def test_a_value_of_another_stamp_is_not_believed(stamp: Stamp, tmp_path: Path) -> None:
    filled(tmp_path)
    with ReadCache(tmp_path) as cache:
        assert cache.get("t 1", {"/images/1.png": stamp}) == {}


def test_what_was_read_of_a_file_that_is_not_there_or_just_written_is_not_kept(tmp_path: Path) -> None:
    just_now = Stamp(5, 2**62, 10**18, 7)
    with ReadCache(tmp_path) as cache:
        cache.put("t 1", {"a": (NO_STAMP, b"a"), "b": (just_now, b"b"), "c": (ALWAYS, b"c")})
        assert cache.all("t 1") == {"c": b"c"}


def test_names_are_found_by_how_they_begin_and_forgotten(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    with ReadCache(tmp_path) as cache:
        cache.put("t 1", {"/images2/a.png": (ALWAYS, b"")})
        assert cache.names("t 1", "/images/") == ["/images/0.png", "/images/1.png", "/images/2.png"]
        cache.forget("t 1", ["/images/1.png", "/images/7.png"])
        assert cache.names("t 1", "/images/") == ["/images/0.png", "/images/2.png"]


def test_a_name_need_not_be_text(tmp_path: Path) -> None:
    name = b"/caf\xe9/a.png".decode("utf-8", "surrogateescape")
    with ReadCache(tmp_path) as cache:
        cache.put("t 1", {name: (STAMP, b"a")})
        assert cache.get("t 1", {name: STAMP}) == {name: b"a"}


def test_without_a_folder_nothing_is_kept() -> None:
    with ReadCache(None) as cache:
        cache.put("t 1", {"a": (ALWAYS, b"a")})
        assert cache.all("t 1") == {}


def test_a_folder_that_cannot_be_made_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with ReadCache(tmp_path / "file" / "cache") as cache:
        cache.put("t 1", {"a": (ALWAYS, b"a")})
        assert cache.all("t 1") == {}


@pytest.mark.parametrize("damage", [b"x" * 4000, b"SQLite format 3\0" + b"x" * 4000], ids=["other", "torn"])
def test_a_damaged_file_is_put_aside_and_said_and_a_new_one_begun(damage: bytes, tmp_path: Path) -> None:
    file = tmp_path / "read-cache.sqlite"
    file.write_bytes(damage)
    with ReadCache(tmp_path) as cache:
        cache.put("t 1", {"a": (ALWAYS, b"a")})
        assert cache.all("t 1") == {"a": b"a"}
        assert "was damaged" in PLAIN.sentence(cache.note)
    assert (tmp_path / "read-cache.sqlite.damaged").read_bytes() == damage


def test_a_value_with_one_wrong_byte_is_passed_over(tmp_path: Path) -> None:
    names = filled(tmp_path, 3)
    file = tmp_path / "read-cache.sqlite"
    data = file.read_bytes()
    place = data.rindex(b"/images/1.png")  # in its value: the name stands before it
    file.write_bytes(data[:place] + b"?" + data[place + 1 :])
    with ReadCache(tmp_path) as cache:
        assert sorted(cache.get("t 1", names)) == ["/images/0.png", "/images/2.png"]
        cache.put("t 1", {"/images/1.png": (STAMP, b"anew")})
        assert cache.get("t 1", names)["/images/1.png"] == b"anew"


def test_whatever_is_damaged_nothing_wrong_is_ever_found(tmp_path: Path) -> None:
    names = filled(tmp_path, 60)
    file, chance = tmp_path / "read-cache.sqlite", random.Random(3)
    sound = file.read_bytes()
    for _ in range(150):
        bad = bytearray(sound)
        for _ in range(chance.randint(1, 30)):
            bad[chance.randrange(len(bad))] = chance.randrange(256)
        file.write_bytes(bytes(bad[: chance.choice((len(bad), chance.randrange(len(bad))))]))
        with ReadCache(tmp_path) as cache:
            assert all(value == name.encode() for name, value in cache.get("t 1", names).items())
            cache.names("t 1", "/images/")
            cache.put("t 1", {"new": (ALWAYS, b"new")})


WRITER = """
import sys
from pathlib import Path
from modules.system.read_cache import ReadCache
from modules.system.stamps import ALWAYS
with ReadCache(Path(sys.argv[1])) as cache:
    for number in range(50):
        cache.put("t 1", {f"{sys.argv[2]} {number}": (ALWAYS, b"x")})
"""


def test_two_processes_write_one_cache_at_once(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(python_command("-c", WRITER, str(tmp_path), name), cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
        for name in ("one", "other")
    ]
    assert [writer.wait(240) for writer in writers] == [0, 0]
    with ReadCache(tmp_path) as cache:
        assert len(cache.all("t 1")) == 100
