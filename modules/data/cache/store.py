"""A store of tensors under the hash of everything that made them: what is found is never stale.

Safe to kill at any moment, and several processes may use one cache at once, each appending to a shard of its own
(modules/data/cache/shards.py). Nothing is ever changed in place. A damaged record is passed over and can be put again.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import safetensors
import safetensors.torch
from torch import Tensor

from modules.data.cache.shards import (
    HEADER,
    RECORD_PLACE,
    SUFFIX,
    Writer,
    delete_unused,
    index_of_records,
    key_halves,
    payload_in,
)
from modules.errors import UserError

OPEN_FILES = 64  # shards held open for reading: systems allow a process some hundreds of files


class DamagedRecord(Exception):
    """A record does not hold what was written. It counts as missing from now on."""


Retry = Callable[[Callable[[], None]], None]  # does a piece of work that writes, perhaps again and again


class Cache:
    """Tensors by key (64 hex digits of sha256). Any number of threads may use one.

    Sees what stood in the folder when it was opened, and what it puts itself. One that is deleted meanwhile is begun
    anew: its records are damaged, as far as anybody asks for them.
    """

    def __init__(self, folder: Path, retry: Retry | None = None) -> None:
        """`retry` is given what `put` and `flush` do; it may wait for a full disk. Without it they fail at once."""
        self.folder = folder
        self._retry = retry or self._once
        self.damaged = 0  # records found damaged since it was opened
        self._guard = threading.RLock()
        self._writer: Writer | None = None  # taken at the first put: reading needs no lock
        self._files: OrderedDict[int, BinaryIO] = OrderedDict()
        self._shards = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
        self._load()

    def _load(self) -> None:
        found = [index_of_records(shard) for shard in self._shards]
        places = np.concatenate(found) if found else np.empty(0, dtype=RECORD_PLACE)
        shard_numbers = np.repeat(np.arange(len(found)), [len(part) for part in found]) if found else np.empty(0, int)
        order = np.argsort(places["high"], kind="stable")
        # 40 bytes a record: ten million fit into 400 MB, which a dict of them would need ten times over.
        self._high, self._places, self._shard_numbers = (
            places["high"][order],
            places[order],
            shard_numbers[order].astype(np.int32),
        )
        self._new_records: dict[str, tuple[int, np.void]] = {}
        self._damaged_places: set[tuple[int, int]] = set()  # (shard, offset) of damaged records
        self._used: set[int] = set()  # shards of which something was asked for and found

    def __contains__(self, key: str) -> bool:
        with self._guard:
            return bool(self._candidates(key))

    def get(self, key: str) -> dict[str, Tensor]:
        """What was put under a key.

        Raises:
            KeyError: nothing was.
            Damaged: something was, and no whole copy of it is left.
        """
        with self._guard:
            candidates = self._candidates(key)
            if not candidates:
                raise KeyError(key)
            for shard, place in candidates:
                payload = self._payload(shard, place, bytes.fromhex(key))
                tensors = _tensors(payload)
                if tensors is not None:
                    return tensors
                self._damaged_places.add((shard, int(place["offset"])))
                self._new_records.pop(key, None)
                self.damaged += 1
        raise DamagedRecord(f"the record {key} in {self.folder} is damaged")

    def put(self, key: str, tensors: Mapping[str, Tensor]) -> None:
        """Keep tensors (copied to the CPU) under a key. A kill then loses nothing; a power cut may, until `flush`.

        Raises:
            UserError: the folder cannot be written, or the disk is full.
        """
        payload = _payload(tensors)
        self._retry(lambda: self._put(key, payload))

    def try_put(self, key: str, tensors: Mapping[str, Tensor]) -> bool:
        """As `put`, for what can be made again: a disk that does not take it is no error. Whether it was kept."""
        try:
            self._put(key, _payload(tensors))
        except OSError:
            return False
        return True

    def flush(self) -> None:
        """Make everything that was put survive a power cut.

        Raises:
            UserError: the disk is full or gone.
        """
        self._retry(self._flush)

    def used(self) -> dict[str, int]:
        """The shards of which something was asked for, by name, and how many bytes each has."""
        with self._guard:
            shards = [self._shards[number] for number in self._used]
            return {shard.name: shard.stat().st_size for shard in shards if shard.exists()}

    def use(self, shards: Mapping[str, int]) -> bool:
        """Hold on to shards as if what is in them was asked for; False if one lacks some of so many bytes."""
        with self._guard:
            known = {shard.name: number for number, shard in enumerate(self._shards)}
            try:
                whole = all(self._shards[known[name]].stat().st_size >= size for name, size in shards.items())
            except (KeyError, OSError):  # deleted, before this was opened or since
                return False
            if whole:
                self._used.update(known[name] for name in shards)
            return whole

    def keep_within(self, limit: int) -> tuple[int, int]:
        """Delete shards of which nothing was asked for, those first that were not used for longest.

        Returns how many bytes were deleted, and how many the cache takes now: more than `limit` where all of it was
        asked for, or others write it.
        """
        with self._guard:
            used = {self._shards[number] for number in self._used}
            for shard in used:
                with suppress(OSError):  # deleted meanwhile, or of another user
                    os.utime(shard)
            return delete_unused(self.folder, used, limit)

    def close(self) -> None:
        """Let go of all files. Every record that was put stays; a power cut may take those that were not flushed."""
        with self._guard:
            self._close_writer()
            for file in self._files.values():
                file.close()
            self._files.clear()

    def _once(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            raise _as_user_error(error, self.folder) from error

    def _put(self, key: str, payload: bytes) -> None:
        with self._guard:
            if self._writer and (self._writer.is_full or self._writer.is_gone):
                self._close_writer()
            writer = self._writer = self._writer or Writer(self.folder)
            place = writer.append(bytes.fromhex(key), payload)
            if writer.shard not in self._shards:
                self._shards.append(writer.shard)
            number = self._shards.index(writer.shard)
            self._new_records[key] = number, place[0]
            self._used.add(number)

    def _flush(self) -> None:
        with self._guard:
            if self._writer:
                self._writer.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _close_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer:
            with suppress(OSError):  # the disk is full or gone: the index lags behind, which the headers make good
                writer.close()

    def _candidates(self, key: str) -> list[tuple[int, np.void]]:
        """(shard, place) of every copy that may be whole, the newest of each shard first."""
        found = [self._new_records[key]] if key in self._new_records else []
        high, low = key_halves(bytes.fromhex(key))
        first = int(np.searchsorted(self._high, np.uint64(high)))
        last = int(np.searchsorted(self._high, np.uint64(high), side="right"))
        found += [
            (int(self._shard_numbers[i]), self._places[i])
            for i in reversed(range(first, last))
            if self._places[i]["low"] == np.uint64(low)
        ]
        whole = [(s, p) for s, p in found if (s, int(p["offset"])) not in self._damaged_places]
        self._used.update(shard for shard, _ in whole[:1])
        return whole

    def _payload(self, shard: int, place: np.void, key: bytes) -> bytes | None:
        """What a record holds; None where it is damaged, and where the disk does not give it: deleted, or failing."""
        try:
            return payload_in(self._read(shard, place), key)
        except OSError:
            return None

    def _read(self, shard: int, place: np.void) -> bytes:
        file = self._files.pop(shard, None) or self._shards[shard].open("rb")
        self._files[shard] = file  # the latest last
        if len(self._files) > OPEN_FILES:
            self._files.popitem(last=False)[1].close()
        file.seek(int(place["offset"]))
        return file.read(HEADER.size + int(place["length"]))


def _payload(tensors: Mapping[str, Tensor]) -> bytes:
    return safetensors.torch.save({name: t.detach().cpu().contiguous() for name, t in tensors.items()})


def _tensors(payload: bytes | None) -> dict[str, Tensor] | None:
    """What a record holds; None of one that is damaged, or holds no tensors though its checksum is right."""
    try:
        return None if payload is None else safetensors.torch.load(payload)
    except (safetensors.SafetensorError, ValueError, KeyError):
        return None


def _as_user_error(error: OSError, folder: Path) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT if os.name != "nt" else errno.ENOSPC):
        return UserError("cache.disk-full", "general.cache", folder=folder)
    return UserError("cache.not-writable", "general.cache", folder=folder, reason=error.strerror or str(error))
