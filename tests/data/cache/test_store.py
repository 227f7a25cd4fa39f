from __future__ import annotations

import os
import signal
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from modules.data.cache import shards
from modules.data.cache import store as cache_module
from modules.data.cache.store import Cache, DamagedRecord
from modules.errors import UserError
from tests.forked import python


def key(name: object) -> str:
    return sha256(str(name).encode()).hexdigest()


def entry(number: int) -> dict[str, torch.Tensor]:
    return {"latents": torch.full((4, 8), float(number)), "more": torch.tensor(number)}


def is_entry(found: dict[str, torch.Tensor], number: int) -> bool:
    return all(torch.equal(found[name], tensor) for name, tensor in entry(number).items())


def filled(folder: Path, count: int = 10, start: int = 0) -> Path:
    """A cache with entries; the path of its one shard."""
    with Cache(folder) as cache:
        for i in range(start, start + count):
            cache.put(key(i), entry(i))
    (shard,) = folder.glob("*.shard")
    return shard


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.bool])
def test_what_was_put_comes_back_bit_for_bit_now_and_later(tmp_path: Path, dtype: torch.dtype) -> None:
    tensors = {
        "a": torch.randn(3, 5).to(dtype).T,
        "empty": torch.zeros(0, 4, dtype=dtype),
        "one": torch.ones((), dtype=dtype),
    }
    with Cache(tmp_path) as cache:
        assert key("x") not in cache
        cache.put(key("x"), tensors)
        now = cache.get(key("x"))
    with Cache(tmp_path) as cache:
        later = cache.get(key("x"))
    for found in (now, later):
        assert found.keys() == tensors.keys()
        assert all(found[n].dtype == dtype and torch.equal(found[n], t) for n, t in tensors.items())


def test_nothing_at_all_can_be_kept_too(tmp_path: Path) -> None:
    with Cache(tmp_path) as cache:
        cache.put(key("x"), {})
    with Cache(tmp_path) as cache:
        assert cache.get(key("x")) == {}


def test_what_is_not_there_is_a_key_error_and_reading_writes_nothing(tmp_path: Path) -> None:
    with Cache(tmp_path / "none") as cache, pytest.raises(KeyError):
        cache.get(key("x"))
    assert not (tmp_path / "none").exists()


def test_a_later_run_goes_on_in_the_same_shard(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    filled(tmp_path, 5, start=5)
    with Cache(tmp_path) as cache:
        assert all(is_entry(cache.get(key(i)), i) for i in range(10))


def test_a_full_shard_is_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", 1000)
    monkeypatch.setattr(cache_module, "OPEN_FILES", 2)
    with Cache(tmp_path) as cache:
        for i in range(30):
            cache.put(key(i), entry(i))
        assert all(is_entry(cache.get(key(i)), i) for i in range(30))
    assert len(list(tmp_path.glob("*.shard"))) > 5
    with Cache(tmp_path) as cache:
        assert all(is_entry(cache.get(key(i)), i) for i in range(30))


def test_two_writers_at_once_disturb_neither(tmp_path: Path) -> None:
    with Cache(tmp_path) as one, Cache(tmp_path) as two:
        for i in range(10):
            one.put(key(i), entry(i))
            two.put(key(i + 10), entry(i + 10))
        assert is_entry(two.get(key(12)), 12)
    with Cache(tmp_path) as cache:
        assert all(is_entry(cache.get(key(i)), i) for i in range(20))
    assert len(list(tmp_path.glob("*.shard"))) == 2


@pytest.mark.parametrize("index", ["missing", "torn", "zeros", "behind", "foreign"])
def test_the_index_is_rebuilt_from_the_records(tmp_path: Path, index: str) -> None:
    file = filled(tmp_path).with_suffix(".idx")
    whole = file.read_bytes()
    file.write_bytes(
        {
            "missing": b"",
            "torn": whole[:-7],
            "zeros": whole[:80] + bytes(len(whole) - 80),
            "behind": whole[: len(whole) // 2],
            "foreign": b"not an index at all, but as long as several entries would be" * 5,
        }[index]
    )
    if index == "missing":
        file.unlink()
    with Cache(tmp_path) as cache:
        assert all(is_entry(cache.get(key(i)), i) for i in range(10))
        cache.put(key(10), entry(10))
    assert len(file.read_bytes()) == 11 * shards.RECORD_PLACE.itemsize
    with Cache(tmp_path) as cache:
        assert all(is_entry(cache.get(key(i)), i) for i in range(11))


@pytest.mark.parametrize("cut", [1, 30, 60, 100, 200])
@pytest.mark.parametrize("with_index", [True, False])
def test_a_torn_end_is_cut_off_by_the_next_writer(tmp_path: Path, cut: int, with_index: bool) -> None:
    shard = filled(tmp_path)
    size = shard.stat().st_size
    os.truncate(shard, size - cut)
    if not with_index:
        shard.with_suffix(".idx").unlink()
    torn = shard.read_bytes()
    with Cache(tmp_path) as cache:
        assert key(9) not in cache
        assert shard.read_bytes() == torn  # a reader changes nothing: another may be writing
        cache.put(key(9), entry(9))
    assert shard.stat().st_size == size
    with Cache(tmp_path) as cache:
        assert all(is_entry(cache.get(key(i)), i) for i in range(10))


def test_nothing_of_a_long_torn_end_is_left_behind_a_short_record(tmp_path: Path) -> None:
    shard = filled(tmp_path, 2)
    size = shard.stat().st_size
    os.truncate(shard, size - 1)
    with Cache(tmp_path) as cache:
        cache.put(key("x"), {})
    assert shard.stat().st_size < size - 100


def test_any_flipped_byte_is_noticed_and_costs_one_record_only(tmp_path: Path) -> None:
    shard = filled(tmp_path, 3)
    whole = shard.read_bytes()
    size = len(whole) // 3
    for with_index in (True, False):
        if not with_index:
            shard.with_suffix(".idx").unlink()
        for at in range(size, 2 * size):
            shard.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
            with Cache(tmp_path) as cache:
                assert is_entry(cache.get(key(0)), 0)
                assert is_entry(cache.get(key(2)), 2)
                with pytest.raises((DamagedRecord, KeyError)):
                    cache.get(key(1))
                assert key(1) not in cache


def test_a_damaged_record_can_be_put_again(tmp_path: Path) -> None:
    shard = filled(tmp_path, 3)
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    with Cache(tmp_path) as cache:
        with pytest.raises(DamagedRecord):
            cache.get(key(1))
        assert cache.damaged == 1
        cache.put(key(1), entry(1))
        assert is_entry(cache.get(key(1)), 1)
    with Cache(tmp_path) as cache:
        assert is_entry(cache.get(key(1)), 1)


WRITER = """
import sys, torch
from hashlib import sha256
from pathlib import Path
from modules.data.cache.store import Cache
cache = Cache(Path(sys.argv[1]))
i = int(sys.argv[2])
while True:
    cache.put(sha256(str(i).encode()).hexdigest(), {"latents": torch.full((4, 8), float(i)), "more": torch.tensor(i)})
    if i % 50 == 0:
        cache.flush()
    print(i, flush=True)
    i += 1
"""


def test_kills_amid_writing_lose_nothing_that_was_put(tmp_path: Path) -> None:
    said = 0
    for _ in range(2):
        process = python("-c", WRITER, str(tmp_path), str(said))
        seen = [process.stdout.readline() for _ in range(60)]  # more than one flush
        process.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
        with process:
            seen += process.stdout.read().splitlines(keepends=True)
        said = max(int(line) for line in seen if line.endswith(b"\n"))  # the last line may be torn
    assert said > 100
    filled(tmp_path, 3, start=10**6)  # its lock died with it, and a writer can go on
    with Cache(tmp_path) as cache:
        assert all(is_entry(cache.get(key(i)), i) for i in [*range(said), *range(10**6, 10**6 + 3)])
        assert not cache.damaged


def test_a_folder_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with Cache(tmp_path / "file" / "cache") as cache, pytest.raises(UserError, match="cannot be written"):
        cache.put(key(1), entry(1))


@pytest.mark.skipif(os.name == "nt", reason="needs a limit on the size of files, in place of a full disk")
def test_a_full_disk_is_said_in_words_and_leaves_the_cache_whole(tmp_path: Path) -> None:
    import resource

    shard = filled(tmp_path, 2)
    size = shard.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Cache(tmp_path) as cache:
        cache.put(key(2), entry(2))
        resource.setrlimit(resource.RLIMIT_FSIZE, (shard.stat().st_size + 100, limits[1]))
        try:
            with pytest.raises(UserError, match="cannot be written"):
                cache.put(key(3), entry(3))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert shard.stat().st_size == size // 2 * 3  # half a record was written, and taken back
        cache.put(key(4), entry(4))
        assert key(3) not in cache
    with Cache(tmp_path) as cache:
        assert all(is_entry(cache.get(key(i)), i) for i in (0, 1, 2, 4))


def shards_of(folder: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """As many shards of one entry each, the first the oldest."""
    monkeypatch.setattr(shards, "SHARD_BYTES", 1)
    for number in range(count):
        with Cache(folder) as cache:
            cache.put(key(number), entry(number))
        (new,) = set(folder.glob("*.shard")) - {path for path in folder.glob("*.shard") if path.stat().st_mtime < 1000}
        os.utime(new, (number, number))
    return sorted(folder.glob("*.shard"), key=lambda path: path.stat().st_mtime)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.shard")) + sum(
        path.stat().st_size for path in folder.glob("*.idx")
    )


def test_a_cache_that_is_too_large_loses_what_was_not_used_for_longest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards_of(tmp_path, 5, monkeypatch)
    whole = size_of(tmp_path)
    with Cache(tmp_path) as cache:
        assert key(0) in cache  # what this run needs
        cache.put(key("new"), entry(9))
        freed, taken = cache.keep_within(whole - 200)
        assert freed == 2 * whole // 5 and taken == size_of(tmp_path)
    with Cache(tmp_path) as cache:
        assert [number for number in range(5) if key(number) in cache] == [0, 3, 4]
        assert is_entry(cache.get(key(0)), 0) and is_entry(cache.get(key("new")), 9)
    assert {path.stem for path in tmp_path.glob("*.idx")} == {path.stem for path in tmp_path.glob("*.shard")}


def test_what_is_used_stays_although_it_is_too_much_and_counts_as_used_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards_of(tmp_path, 3, monkeypatch)
    with Cache(tmp_path) as cache:
        assert key(0) in cache and key(1) in cache
        freed, taken = cache.keep_within(1)
        assert freed > 0 and taken > 1
        assert is_entry(cache.get(key(1)), 1)
    with Cache(tmp_path) as cache:
        assert [key(number) in cache for number in range(3)] == [True, True, False]
    assert all(path.stat().st_mtime > 1000 for path in tmp_path.glob("*.shard"))


def test_a_shard_that_another_process_writes_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shard, _) = shards_of(tmp_path, 2, monkeypatch)
    monkeypatch.setattr(shards, "SHARD_BYTES", 2**20)
    with Cache(tmp_path) as other:
        other.put(key("other"), entry(7))  # in the first shard that has room
        written = {path for path in tmp_path.glob("*.shard") if path.stat().st_size > shard.stat().st_size / 2}
        with Cache(tmp_path) as cache:
            cache.keep_within(0)
        assert is_entry(other.get(key("other")), 7)
        assert len(list(tmp_path.glob("*.shard"))) == 1 and written
