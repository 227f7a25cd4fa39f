"""Tar archives read at random: where the bytes of each file in one are, by an index beside it or by its own headers.

An index is a JSON file beside the archive, as deepghs' and webshart's tools write it: `{"filesize": ..., "files":
{name: {"offset": ..., "size": ...}}}`. Without one the headers are walked (POSIX ustar, with GNU's and pax's long
names), which takes a seventh of the time of `tarfile`. Nothing is ever unpacked.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from modules.errors import UserError
from modules.sentences.problem import Problem
from modules.system.reading import open_file, read_json
from modules.system.stamps import Stamp, stamp_of
from modules.text import MB

BLOCK = 512
MAX_INDEX_BYTES = 200 * MB  # an index has some 130 bytes a file
MAX_NAME_BYTES = 64 * 1024
KEPT = 64  # archives whose members are remembered
FILES = (b"0", b"\0", b"7")


class Member(NamedTuple):
    offset: int  # of its first byte, in the archive
    size: int
    captions: tuple[str, ...] = ()  # that the index tells


@dataclass(frozen=True, slots=True)
class TarFile:
    """The files in an archive by their names, and why it ends early if it does."""

    members: Mapping[str, Member]
    torn: Problem | None = None
    stamp: Stamp = field(default=Stamp(0, 0, 0))


class Torn(Exception):
    """A header that is none, or a file that goes on behind the end."""


def tar_file(path: Path) -> TarFile:
    """What an archive holds; remembered while it does not change.

    Raises:
        OSError: it cannot be read.
    """
    return _read(path, stamp_of(path.stat()))


@lru_cache(KEPT)
def _read(path: Path, stamp: Stamp) -> TarFile:
    known = _indexed(path, stamp.size)
    if known is not None:
        return TarFile(known, None, stamp)
    members: dict[str, Member] = {}
    torn = None
    with open_file(path) as file:
        try:
            members.update(_walked(file, stamp.size))
        except Torn:
            torn = Problem("reason.archive-torn")
    return TarFile(members, torn, stamp)


def section(path: Path, member: Member) -> BinaryIO:
    """The bytes of a member, to be read from any place.

    Raises:
        OSError: the archive is gone, or cannot be read.
    """
    return io.BufferedReader(_Section(open_file(path), member))


class _Section(io.RawIOBase):
    """A part of a file as a file of its own."""

    def __init__(self, file: BinaryIO, member: Member) -> None:
        self._file, self._start, self._size, self._at = file, member.offset, member.size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("negative seek position")  # as every file says it
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), max(self._size - self._at, 0))
        self._file.seek(self._start + self._at)
        data = self._file.read(wanted)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


# The index beside it --------------------------------------------------------------------------------------------------


def _indexed(path: Path, size: int) -> dict[str, Member] | None:
    """What the index beside an archive says; None if there is none, or if it is another archive's."""
    try:
        held = read_json(path.with_suffix(".json"), MAX_INDEX_BYTES)
    except (OSError, ValueError, UserError, RecursionError):
        return None
    files: Any = cast("dict[str, Any]", held).get("files") if isinstance(held, dict) else None
    if not isinstance(files, dict | list) or cast("dict[str, Any]", held).get("filesize", size) != size:
        return None
    found = [_member_of(*each, size) for each in _named(cast("dict[str, Any] | list[Any]", files))]
    members = [each for each in found if each is not None]
    return dict(members) if members and len(members) == len(found) else None


def _named(files: dict[str, Any] | list[Any]) -> Iterator[tuple[Any, Any]]:
    if isinstance(files, dict):
        yield from files.items()
        return
    for each in files:
        names = [each.get(key) for key in ("path", "fname", "filename")] if isinstance(each, dict) else []
        yield next((name for name in names if name), None), each


def _member_of(name: Any, about: Any, size: int) -> tuple[str, Member] | None:
    """One file of an index; None if that is no place in the archive."""
    if not isinstance(name, str) or not isinstance(about, dict):
        return None
    told = cast("dict[str, Any]", about)
    offset, length = told.get("offset"), told.get("size", told.get("length"))
    if not isinstance(offset, int) or not isinstance(length, int) or not 0 <= offset <= offset + length <= size:
        return None
    said = told.get("captions") or told.get("caption") or ()
    lines = [said] if isinstance(said, str) else list(said) if isinstance(said, list) else []
    return _tidy(name), Member(offset, length, tuple(line.strip() for line in lines if isinstance(line, str)))


def _tidy(name: str) -> str:
    return re.sub(r"^(\./|/)+", "", name.replace("\\", "/"))


# Its own headers ------------------------------------------------------------------------------------------------------


def _walked(file: BinaryIO, size: int) -> Iterator[tuple[str, Member]]:
    """Every regular file of an archive, in order.

    Raises:
        Torn: it ends amid a file, or goes on with what is no header.
    """
    at, said = 0, dict[str, str]()  # what the header before has said of this file
    while at + BLOCK <= size:
        file.seek(at)
        head = file.read(BLOCK)
        if not any(head):
            return
        kind, start, length = head[156:157], at + BLOCK, _checked(head)
        if kind in FILES:
            length = int(said.get("size", length))
        if start + length > size:
            raise Torn
        if kind in FILES:
            yield _tidy(said.get("path") or _name(head)), Member(start, length)
        said = SAYINGS[kind](_short(file, length)) if kind in SAYINGS else {}
        at = start + -(-length // BLOCK) * BLOCK
    if at == 0 or at != size:
        raise Torn


def _checked(head: bytes) -> int:
    """The length that a header gives.

    Raises:
        Torn: it is none.
    """
    try:
        told = _number(head[148:156])
        length = _number(head[124:136])
    except ValueError as error:
        raise Torn from error
    if told != sum(head) - sum(head[148:156]) + 8 * 32 or length < 0:
        raise Torn
    return length


def _number(data: bytes) -> int:
    if data[0] & 0x80:
        return int.from_bytes(bytes([data[0] & 0x7F]) + data[1:], "big")
    return int(data.strip(b" \0") or b"0", 8)


def _name(head: bytes) -> str:
    name, prefix = head[:100].rstrip(b"\0"), head[345:500].rstrip(b"\0")
    whole = prefix + b"/" + name if head[257:263] == b"ustar\0" and prefix else name
    return whole.decode("utf-8", "surrogateescape")


def _short(file: BinaryIO, length: int) -> bytes:
    if length > MAX_NAME_BYTES:
        raise Torn
    return file.read(length)


def _pax(data: bytes) -> dict[str, str]:
    r"""Records as "30 path=some/long/name.png\n"."""
    found: dict[str, str] = {}
    while data:
        count = data.partition(b" ")[0]
        if not count.isdigit() or not 0 < int(count) <= len(data):
            raise Torn
        key, _, value = data[len(count) + 1 : int(count)].rstrip(b"\n").partition(b"=")
        text = value.decode("utf-8", "surrogateescape")
        if key == b"path" or (key == b"size" and text.isdecimal()):
            found[key.decode()] = text
        data = data[int(count) :]
    return found


def _long_name(data: bytes) -> dict[str, str]:
    return {"path": data.rstrip(b"\0").decode("utf-8", "surrogateescape")}


SAYINGS: dict[bytes, Callable[[bytes], dict[str, str]]] = {b"L": _long_name, b"x": _pax}
