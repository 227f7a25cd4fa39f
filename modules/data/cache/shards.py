"""Append-only files of records, and what can be found in them after any kind of death.

A shard is a row of records: magic, key, length, checksum of the payload, checksum of this header, payload. Beside it,
`<shard>.idx` says where records are, so that opening a cache does not walk through its shards. It may lag behind or be
missing: what it lacks is read from the headers. A writer owns a shard by a lock on `<shard>.lock`, and it alone cuts
off a torn end.
"""

from __future__ import annotations

import os
import struct
import uuid
import zlib
from collections.abc import Collection, Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO

import numpy as np

from modules.system.files import DISK_ERRNOS, flush_to_disk
from modules.system.locks import Lock, LockTaken

MAGIC = b"SeaC"
HEADER = struct.Struct("<4s32sQII")  # magic, key, length of the payload, its checksum, checksum of what stands before
SHARD_BYTES = 256 * 2**20  # bytes after which a writer begins another shard
SUFFIX = ".shard"

# Half a key finds a record; the header that stands there has the whole of it.
RECORD_PLACE = np.dtype([("high", "<u8"), ("low", "<u8"), ("offset", "<u8"), ("length", "<u8"), ("check", "<u8")])


def record_of(key: bytes, payload: bytes) -> bytes:
    head = struct.pack("<4s32sQI", MAGIC, key, len(payload), zlib.crc32(payload))
    return head + struct.pack("<I", zlib.crc32(head)) + payload


def payload_in(record: bytes, key: bytes) -> bytes | None:
    """The payload of a record as it was read; None if a single bit of it is not what was written."""
    head = _header(record)
    payload = record[HEADER.size :]
    if head is None or head != (key, len(payload), zlib.crc32(payload)):
        return None
    return payload


def index_of_records(shard: Path) -> np.ndarray:
    """Every whole record of a shard (PLACE, oldest first): from its index, and from headers where the index ends."""
    known = _indexed(shard)
    with shard.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        ends = known["offset"] + known["length"] + np.uint64(HEADER.size)
        known = known[: np.argmax(ends > size)] if bool((ends > size).any()) else known
        more = [place_of(*found) for found in _scan_headers(file, end_of(known), size)]
    return np.concatenate([known, *more])


def place_of(key: bytes, offset: int, length: int) -> np.ndarray:
    """One entry of the index, (1,) PLACE."""
    high, low = key_halves(key)
    words = np.array([high, low, offset, length], dtype=np.uint64)
    return np.array([(*words, _check(words))], dtype=RECORD_PLACE)


def key_halves(key: bytes) -> tuple[int, int]:
    high, low = struct.unpack("<QQ", key[:16])
    return high, low


def end_of(places: np.ndarray) -> int:
    """Where the next record would begin."""
    return int(places["offset"][-1] + places["length"][-1]) + HEADER.size if len(places) else 0


def _check(words: np.ndarray) -> np.ndarray:
    # Unlike a plain sum, zeros do not check out: a power cut likes to leave zeros.
    return np.bitwise_xor.reduce(words, axis=-1) ^ np.uint64(0x5EAC4A96E5EAC4A9)


def _indexed(shard: Path) -> np.ndarray:
    """What the index says, up to the first entry that is torn or damaged."""
    try:
        data = index_of(shard).read_bytes()
    except FileNotFoundError:
        return np.empty(0, dtype=RECORD_PLACE)
    places = np.frombuffer(data[: len(data) // RECORD_PLACE.itemsize * RECORD_PLACE.itemsize], dtype=RECORD_PLACE)
    words = places.view("<u8").reshape(-1, 5)
    wrong = _check(words[:, :4]) != words[:, 4]
    return places[: int(np.argmax(wrong))] if bool(wrong.any()) else places


def index_of(shard: Path) -> Path:
    return shard.with_suffix(".idx")


def _header(head: bytes) -> tuple[bytes, int, int] | None:
    """Key, length and checksum of the payload that follows; None where no sound header stands."""
    if len(head) < HEADER.size:
        return None
    magic, key, length, check, own = HEADER.unpack(head[: HEADER.size])
    if magic != MAGIC or own != zlib.crc32(head[: HEADER.size - 4]):
        return None
    return key, length, check


def _scan_headers(file: BinaryIO, start: int, size: int) -> Iterator[tuple[bytes, int, int]]:
    """(key, offset, length) of records from `start` on. Over damage it goes on at the next sound header."""
    while start + HEADER.size <= size:
        file.seek(start)
        head = _header(file.read(HEADER.size))
        if head is None or start + HEADER.size + head[1] > size:
            start = _next_magic(file, start + 1)
            continue
        yield head[0], start, head[1]
        start += HEADER.size + head[1]


def _next_magic(file: BinaryIO, start: int) -> int:
    file.seek(start)
    while len(piece := file.read(2**20)) >= len(MAGIC):
        if (found := piece.find(MAGIC)) >= 0:
            return start + found
        start += len(piece) - len(MAGIC) + 1  # the mark may lie across two pieces
        file.seek(start)
    return start + len(MAGIC)


class Writer:
    """The one process that appends to a shard, from the lock to `close`. Not safe for several threads."""

    def __init__(self, folder: Path) -> None:
        """Take a shard with room that nobody writes, cutting off a torn end, or begin a new one."""
        self.shard, self._lock = _claim_shard(folder)
        try:
            end = end_of(index_of_records(self.shard))
            # Unbuffered: what was put survives a kill, and a write that failed leaves nothing behind in a buffer.
            self._file = self.shard.open("r+b", buffering=0)
            self._file.truncate(end)
            self._file.seek(end)
            self._index = index_of(self.shard).open("ab", buffering=0)
            self._unindexed: list[np.ndarray] = []
            self._repair_index()
        except OSError:
            self._release()
            raise

    def _repair_index(self) -> None:
        """Write the index anew where it lags behind or is damaged."""
        places = index_of_records(self.shard)
        if len(_indexed(self.shard)) != len(places) or self._index.tell() != places.nbytes:
            self._index.truncate(0)
            _write_whole(self._index, places.tobytes())

    @property
    def is_full(self) -> bool:
        return self._file.tell() >= SHARD_BYTES

    @property
    def is_gone(self) -> bool:
        """Whether the shard was deleted: what is appended would be lost with the process."""
        return not self.shard.exists()

    def append(self, key: bytes, payload: bytes) -> np.ndarray:
        """Add a record and return its place. What the disk does not take is cut off again."""
        start = self._file.tell()
        _write_whole(self._file, record_of(key, payload))
        place = place_of(key, start, len(payload))
        self._unindexed.append(place)
        return place

    def flush(self) -> None:
        """Ask the disk to keep everything through a power cut; only then does the index name it."""
        if self._unindexed:
            os.fsync(self._file.fileno())
            _write_whole(self._index, np.concatenate(self._unindexed).tobytes())
            self._unindexed = []

    def close(self) -> None:
        """Flush, and let go of the shard in any case.

        Raises:
            OSError: not all of it would survive a power cut, or the index lags behind. Every record is written.
        """
        try:
            self.flush()
        finally:
            self._release()

    def _release(self) -> None:
        for held in ("_file", "_index"):
            if hasattr(self, held):
                getattr(self, held).close()
        if self._lock:
            self._lock.release()


def _write_whole(file: FileIO, data: bytes) -> None:
    """All of it or nothing: what the disk does not take whole is cut off again."""
    start = file.tell()
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]
    except OSError:
        file.seek(start)
        file.truncate(start)
        raise


def _claim_shard(folder: Path) -> tuple[Path, Lock | None]:
    """A shard to append to, and the lock on it; no lock where the disk knows none: then always a shard of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for shard in sorted(folder.glob(f"*{SUFFIX}")):
        if shard.stat().st_size < SHARD_BYTES and (lock := _try_lock(shard)):
            return shard, lock
    shard = folder / f"{uuid.uuid4().hex}{SUFFIX}"
    shard.touch()
    flush_to_disk(folder)
    try:
        return shard, Lock(shard.with_suffix(".lock"))
    except LockTaken:  # somebody took the new one: he has room to spare, we look again
        return _claim_shard(folder)
    except OSError as error:
        if error.errno in DISK_ERRNOS:
            raise
        return shard, None


def _try_lock(shard: Path) -> Lock | None:
    """The lock on a shard; None if another holds it, or nobody can."""
    try:
        return Lock(shard.with_suffix(".lock"))
    except LockTaken:
        return None
    except OSError as error:
        if error.errno in DISK_ERRNOS:
            raise
        return None


def delete_unused(folder: Path, used: Collection[Path], limit: int) -> tuple[int, int]:
    """Delete shards that are not in `used`, nor written now, the oldest first, until `limit` bytes are kept.

    Returns how many bytes were deleted, and how many there are now.
    """
    sizes = {shard: _size_of(shard) for shard in folder.glob(f"*{SUFFIX}")}
    ages = {shard: age for shard in sizes if shard not in used and (age := _used_at(shard)) is not None}
    freed, taken = 0, sum(sizes.values())
    for shard in sorted(ages, key=ages.__getitem__):
        if taken <= limit:
            break
        if _delete(shard):
            freed, taken = freed + sizes[shard], taken - sizes[shard]
    return freed, taken


def _delete(shard: Path) -> bool:
    """Delete a shard that nobody writes; its index first, so that a kill leaves none without its shard."""
    lock = _try_lock(shard)
    if lock is None:
        return False
    try:
        index_of(shard).unlink(missing_ok=True)
        shard.unlink()
    except OSError:  # open in another process, where the system does not allow it then
        return False
    finally:
        lock.release()
    with suppress(OSError):
        shard.with_suffix(".lock").unlink()
    return True


def _size_of(shard: Path) -> int:
    return sum(path.stat().st_size for path in (shard, index_of(shard)) if path.exists())


def _used_at(shard: Path) -> float | None:
    try:
        return shard.stat().st_mtime
    except OSError:
        return None
