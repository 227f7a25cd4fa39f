"""Small real disks for tests: a tmpfs of a few megabytes that fills up as any other does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A file system of its own in a new folder; the test is skipped where the system does not allow one."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a small file system needs Linux and root")
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size}", "none"]
    mounted = subprocess.run(["mount", *options, str(place)], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> Path:
    """A file that takes all the room there is."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        for piece in (2**16, 2**10, 1):
            try:
                while file.write(b"x" * piece) == piece:
                    pass
            except OSError:
                continue
    return filler
