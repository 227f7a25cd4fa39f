"""Writing that a power cut cannot tear: a temporary sibling, flushed, then renamed into place."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

# What a disk, and not the program, is to blame for: full, over a quota, read-only, no permission, gone, failing.
DISK_ERRNOS = {
    number
    for name in (
        "ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "ENOENT", "ENOTDIR", "EIO", "ENODEV", "ENXIO",
        "ESTALE", "ENOTCONN", "ETIMEDOUT", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH", "EREMOTEIO",
        "ENOMEDIUM",
    )
    if (number := getattr(errno, name, None)) is not None
}  # fmt: skip
FULL = {number for name in ("ENOSPC", "EDQUOT", "EFBIG") if (number := getattr(errno, name, None)) is not None}


@contextmanager
def staged(final: Path) -> Generator[Path]:
    """Give an empty folder to fill; it takes the name and place of `final` only if the block ends without an error."""
    draft, old = final.with_name(f".{final.name}.part"), final.with_name(f".{final.name}.old")
    if old.exists() and not final.exists():
        old.replace(final)  # a kill between the two renames below: what was there comes back first
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        for path in [*draft.rglob("*"), draft]:
            flush_to_disk(path)
        # A folder cannot be renamed over another: what was there steps aside, and goes only when the new one stands.
        if final.exists():
            shutil.rmtree(old, ignore_errors=True)  # left by a writer that was killed after its last rename
            final.replace(old)
        draft.replace(final)
        flush_to_disk(final.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def staged_file(final: Path, *, flush_folder: bool = True) -> Generator[Path]:
    """Give the path of a file to write; it becomes `final` only if the block ends without an error.

    The draft carries the number of this process: two may write the same file at once (what a cache remembers, say), and
    the last one wins with a whole file. Drafts of processes that were killed go. Who writes many files flushes their
    folder once, at the end.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    _delete_left_drafts(final)
    draft = final.with_name(f".{final.name}.{os.getpid()}.part")
    try:
        yield draft
        flush_to_disk(draft)
        draft.replace(final)
        if flush_folder:
            flush_to_disk(final.parent)
    finally:
        draft.unlink(missing_ok=True)


DRAFT = re.compile(r"\.(.+?)\.(?:(\d+)\.)?part")
Draft = tuple[Path, int]  # and the number of its writer, 0 if it has none
# What earlier processes left in each folder that this one writes to, by the name of the file. Looked for once: a folder
# of 20,000 captions takes longer to list than a caption takes to write.
_drafts_in: dict[Path, dict[str, list[Draft]]] = {}
_looking = Lock()  # several threads that write to one folder list it once


def _delete_left_drafts(final: Path) -> None:
    """Delete drafts of a file whose writers are no more."""
    folder = final.parent.absolute()
    with _looking:
        if folder not in _drafts_in:
            _drafts_in[folder] = _all_drafts(folder)
    left = _drafts_in[folder].get(final.name, [])
    for draft in list(left):
        path, number = draft
        if number in (0, os.getpid()) or not _is_alive(number, path):
            path.unlink(missing_ok=True)
            left.remove(draft)


def _all_drafts(folder: Path) -> dict[str, list[Draft]]:
    found: dict[str, list[Draft]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if match := DRAFT.fullmatch(entry.name):
                found.setdefault(match[1], []).append((Path(entry.path), int(match[2] or 0)))
    return found


def delete_drafts(finals: Iterable[tuple[Path, str]]) -> None:
    """Delete what killed writers left of the files or folders whose name, in a folder, fits an expression.

    Whoever calls has to be the only one who writes them; each may be a whole model.
    """
    for folder, name in finals:
        draft_name = re.compile(rf"\.(?:{name})(?:\.\d+)?\.part")
        with suppress(OSError):  # what cannot be deleted only takes room
            for draft in [path for path in folder.iterdir() if draft_name.fullmatch(path.name)]:
                if draft.is_dir() and not draft.is_symlink():
                    shutil.rmtree(draft)
                else:
                    draft.unlink()


def _is_alive(number: int, draft: Path) -> bool:
    """Whether the process that began the draft is still there; its number may have gone to a younger one."""
    import psutil  # noqa: PLC0415 - only where a draft was left behind

    try:
        return psutil.Process(number).create_time() <= draft.stat().st_mtime + 1
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False
    except psutil.AccessDenied:
        return True


def write_text(final: Path, text: str) -> None:
    """Replace a text file as a whole or not at all."""
    with staged_file(final) as draft:
        draft.write_text(text, encoding="utf-8")


def sha256_of(path: Path) -> str:
    """Hex digest of a file, streamed: a 7 GB checkpoint costs no memory."""
    if path.exists() and not path.is_file():  # reading a pipe or a device may never end
        raise FileNotFoundError(errno.ENOENT, "it is not a file", str(path))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def disk_error(error: BaseException) -> OSError | None:
    """The trouble of a disk that an error tells of, in whatever clothes a library raised it; None if it is no such.

    torch turns an OSError of the file that it writes to into a RuntimeError, safetensors puts its number into its text.
    """
    if isinstance(error, OSError):
        return error if error.errno in DISK_ERRNOS else None
    if number := re.search(r"\(os error (\d+)\)", str(error)):
        code = int(number[1])
        return OSError(code, os.strerror(code)) if code in DISK_ERRNOS else None
    if isinstance(error, RuntimeError) and error.__context__ is not None:
        return disk_error(error.__context__)
    return None


def flush_to_disk(path: Path) -> None:
    """Ask the disk to keep a file, or the names in a folder, through a power cut (Windows cannot do it for folders)."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
