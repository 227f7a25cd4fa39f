"""Writing that a power cut cannot tear: a temporary sibling, flushed, then renamed into place."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def staged(final: Path) -> Generator[Path]:
    """Give an empty folder to fill; it takes the name and place of `final` only if the block ends without an error."""
    draft = final.with_name(f".{final.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        for path in [*draft.rglob("*"), draft]:
            flush_to_disk(path)
        # A folder cannot be renamed over another: what was there steps aside, and goes only when the new one stands.
        old = final.with_name(f".{final.name}.old")
        if final.exists():
            shutil.rmtree(old, ignore_errors=True)  # left by a writer that was killed after its last rename
            final.replace(old)
        draft.replace(final)
        flush_to_disk(final.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def staged_file(final: Path) -> Generator[Path]:
    """Give the path of a file to write; it becomes `final` only if the block ends without an error."""
    final.parent.mkdir(parents=True, exist_ok=True)
    draft = final.with_name(f".{final.name}.part")
    try:
        yield draft
        flush_to_disk(draft)
        draft.replace(final)
        flush_to_disk(final.parent)
    finally:
        draft.unlink(missing_ok=True)


def write_text(final: Path, text: str) -> None:
    """Replace a text file as a whole or not at all."""
    with staged_file(final) as draft:
        draft.write_text(text, encoding="utf-8")


def sha256_of(path: Path) -> str:
    """Hex digest of a file, streamed: a 7 GB checkpoint costs no memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush_to_disk(path: Path) -> None:
    """Ask the disk to keep a file, or the names in a folder, through a power cut (Windows cannot do it for folders)."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
