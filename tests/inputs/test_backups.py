"""Backups, caches and memories that were damaged or made by a stranger: passed over, made anew, never run."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from modules.data.cache.shards import RECORD_PLACE, record_of
from modules.data.cache.store import Cache, DamagedRecord
from modules.errors import UserError
from modules.preset.preset import Preset
from modules.system.files import sha256_of
from modules.trainer.backup import is_whole, newest_backup, read_backup, write_backup
from tests.inputs.test_weights import Runs

pytestmark = [pytest.mark.timeout(30), pytest.mark.skipif(os.name == "nt", reason="links and pipes of POSIX")]


class Counter:
    def __init__(self) -> None:
        self.state: dict[str, Any] = {"step": 3, "x": torch.ones(3)}

    def state_dict(self) -> dict[str, Any]:
        return self.state

    def load_state_dict(self, state: Any) -> None:
        self.state = {"step": int(state["step"]), "x": state["x"].clone()}


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    return write_backup(tmp_path / "run" / "backups", 3, Preset(), {"clock": Counter()})


def manifest(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def do(backup: Path) -> None:
        held = json.loads((backup / "manifest.json").read_text(encoding="utf-8"))
        change(held)
        (backup / "manifest.json").write_text(json.dumps(held), encoding="utf-8")

    return do


def says(text: bytes) -> Callable[[Path], None]:
    def do(backup: Path) -> None:
        (backup / "manifest.json").write_bytes(text)

    return do


def linked(target: str) -> Callable[[Path], None]:
    def do(backup: Path) -> None:
        (backup / "clock.pt").unlink()
        (backup / "clock.pt").symlink_to(target)

    return do


def piped(backup: Path) -> None:
    (backup / "clock.pt").unlink()
    os.mkfifo(backup / "clock.pt")


def outside(backup: Path) -> None:
    """A manifest that is right about a file of another folder."""
    (backup.parent / "secret").write_bytes(b"x")
    digest = sha256_of(backup.parent / "secret")
    manifest(lambda m: m["sha256"].update({"../secret": digest}))(backup)


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "manifest missing": lambda b: (b / "manifest.json").unlink(),
    "manifest empty": says(b""),
    "manifest no JSON": says(b"{"),
    "manifest no text": says(b"\xff\xfe"),
    "manifest a list": says(b"[]"),
    "manifest null": says(b"null"),
    "manifest 100,000 deep": says(b"[" * 100_000),
    "manifest of nothing": manifest(lambda m: m["sha256"].clear()),
    "manifest of a text": manifest(lambda m: m.update(sha256="x")),
    "manifest of numbers": manifest(lambda m: m.update(sha256={"clock.pt": 5})),
    "manifest with a zero byte": manifest(lambda m: m["sha256"].update({"a\0b": "x"})),
    "manifest of another folder": outside,
    "manifest of an absolute path": manifest(lambda m: m["sha256"].update({"/etc/hostname": "x"})),
    "manifest of a device": manifest(lambda m: m["sha256"].update({"/dev/zero": "x"})),
    "manifest of a name too long": manifest(lambda m: m["sha256"].update({"x" * 5000: "x"})),
    "a file missing": lambda b: (b / "clock.pt").unlink(),
    "a file of other bytes": lambda b: (b / "clock.pt").write_bytes(b"x"),
    "a file that is empty": lambda b: (b / "clock.pt").write_bytes(b""),
    "a file that is a folder": lambda b: ((b / "clock.pt").unlink(), (b / "clock.pt").mkdir()),
    "a file that is a pipe": piped,
    "a file that is a device": linked("/dev/zero"),
    "a file that links to itself": linked("clock.pt"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_backup_is_passed_over(name: str, backup: Path) -> None:
    assert is_whole(backup)
    DAMAGE[name](backup)
    assert not is_whole(backup)
    assert newest_backup(backup.parent) is None


STATES: dict[str, Any] = {
    "a call": lambda canary: Runs(os.mkdir, str(canary)),
    "eval": lambda canary: {"step": Runs(eval, f"open({str(canary)!r}, 'w')")},
    "another thing": lambda canary: {"step": 3},
    "a list": lambda canary: [1, 2],
    "a step that is text": lambda canary: {"step": "soon", "x": torch.ones(3)},
}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
def test_what_a_stranger_put_into_a_backup_is_never_run(name: str, backup: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    torch.save(STATES[name](canary), backup / "clock.pt")
    manifest(lambda m: m["sha256"].update({"clock.pt": sha256_of(backup / "clock.pt")}))(backup)
    assert is_whole(backup)
    with pytest.raises(UserError):
        read_backup(backup, {"clock": Counter()}, torch.device("cpu"))
    assert not canary.exists()


# Caches ---------------------------------------------------------------------------------------------------------------

KEY = "ab" * 32


def cache_with(folder: Path, payload: bytes) -> Cache:
    folder.mkdir(exist_ok=True)
    (folder / "0.shard").write_bytes(record_of(bytes.fromhex(KEY), payload))
    return Cache(folder)


@pytest.mark.parametrize(
    "payload",
    [b"", b"x", bytes(100), b"\xff" * 8, b"\x80\x02cos\nsystem\n(S'touch canary'\ntR.",
     (2).to_bytes(8, "little") + b"[]",
     (90).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}'],
    ids=["nothing", "one byte", "zeros", "a length of 2**64", "a pickle", "a list", "a tensor that is not there"],
)  # fmt: skip
def test_a_record_that_holds_no_tensors_counts_as_damaged(payload: bytes, tmp_path: Path) -> None:
    with cache_with(tmp_path / "cache", payload) as cache, pytest.raises(DamagedRecord):
        cache.get(KEY)
    with cache_with(tmp_path / "cache", payload) as cache:
        with pytest.raises(DamagedRecord):
            cache.get(KEY)
        cache.put(KEY, {"x": torch.ones(2)})
        assert cache.get(KEY)["x"].equal(torch.ones(2))


SHARDS: dict[str, Callable[[Path], Any]] = {
    "garbage": lambda f: (f / "0.shard").write_bytes(random.Random(1).randbytes(5000)),
    "magic without end": lambda f: (f / "0.shard").write_bytes(b"SeaC" * 2000),
    "empty": lambda f: (f / "0.shard").write_bytes(b""),
    "an index of garbage": lambda f: (f / "0.idx").write_bytes(random.Random(2).randbytes(401)),
    "an index of ones": lambda f: (f / "0.idx").write_bytes(b"\xff" * RECORD_PLACE.itemsize * 3),
    "an index without a shard": lambda f: (f / "1.idx").write_bytes(bytes(40)),
    "a lock of garbage": lambda f: (f / "0.lock").write_bytes(b"x" * 100),
}


@pytest.mark.parametrize("name", SHARDS)
def test_a_cache_of_garbage_is_filled_anew(name: str, tmp_path: Path) -> None:
    (tmp_path / "0.shard").write_bytes(record_of(b"\1" * 32, safetensors.torch.save({"x": torch.zeros(1)})))
    SHARDS[name](tmp_path)
    with Cache(tmp_path) as cache:
        assert KEY not in cache
        cache.put(KEY, {"x": torch.ones(2)})
        assert cache.get(KEY)["x"].equal(torch.ones(2))
    with Cache(tmp_path) as cache:
        assert cache.get(KEY)["x"].equal(torch.ones(2))
