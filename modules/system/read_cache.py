"""What was read before and need not be read again: one small database, `read-cache.sqlite`, in the cache's folder.

Values stand in tables, each under a name and with the stamp of the file that it was read from: it is believed while the
file has that stamp. Several processes may use one database at once, and each may be killed: SQLite keeps what they
wrote whole. It only saves time: where it cannot be read or written, everything is read once more. Each row has a
checksum, because SQLite notices damage to its own structure only. A damaged file is put aside, never deleted.
"""

from __future__ import annotations

import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from modules.sentences.problem import Problem, problem
from modules.system.stamps import ALWAYS, NO_STAMP, Stamp

FILE = "read-cache.sqlite"
AT_ONCE = 500  # names in one question; SQLite's own limit is a thousand in old releases
BUSY_S = 5.0  # how long another process's writing is waited for

# What is no fault of the file: busy, no room, no right, the disk. Everything else is damage.
DISK_TROUBLE = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_PROTOCOL,
}  # fmt: skip
OLD_TABLES = ("images 1", "captions 1")  # what scans of older versions kept; they have files of their own now
COLUMNS = 'name BLOB PRIMARY KEY, stamp BLOB NOT NULL, value BLOB NOT NULL, "check" INTEGER NOT NULL'

T = TypeVar("T")
Row = tuple[Stamp, bytes]


class ReadCache:
    """Values by table and name. Any number of threads may use one.

    A table belongs to one piece of code, which alone knows what its values mean; raise the number in its name when
    they mean something else.
    """

    def __init__(self, folder: Path | None) -> None:
        """`folder` is made when something is kept. None: nothing is known, and nothing is kept."""
        self._file = None if folder is None else folder / FILE
        self._base: sqlite3.Connection | None = None
        self._tables: set[str] = set()  # that are there
        self._guard = threading.RLock()
        self.note: Problem | None = None  # what went wrong with the file, for the user

    def get(self, table: str, wanted: Mapping[str, Stamp]) -> dict[str, bytes]:
        """The values under these names, of those whose stamp is still the same."""

        keys = {_key(name): name for name in wanted}

        def find(base: sqlite3.Connection) -> dict[str, bytes]:
            found: dict[str, bytes] = {}
            for some in _in_parts(keys):
                sql = f'SELECT * FROM "{table}" WHERE name IN ({",".join("?" * len(some))})'
                for row in base.execute(sql, some):
                    if _is_sound(row) and (name := keys.get(row[0])) and row[1] == _text(wanted[name]):
                        found[name] = row[2]
            return found

        return self._ask(table, find, {})

    def all(self, table: str) -> dict[str, bytes]:
        """Every value of a table whose values depend on nothing but their names."""

        def find(base: sqlite3.Connection) -> dict[str, bytes]:
            rows = base.execute(f'SELECT * FROM "{table}"')
            return {row[0].decode("utf-8", "surrogatepass"): row[2] for row in rows if _is_sound(row)}

        return self._ask(table, find, {})

    def names(self, table: str, prefix: str) -> list[str]:
        """Every name that begins so."""

        def find(base: sqlite3.Connection) -> list[str]:
            sql = f'SELECT name FROM "{table}" WHERE name >= ? AND name < ?'
            rows = base.execute(sql, (_key(prefix), _key(prefix) + b"\xff"))
            return [key.decode("utf-8", "replace") for (key,) in rows if isinstance(key, bytes)]

        return self._ask(table, find, [])

    def put(self, table: str, rows: Mapping[str, Row]) -> None:
        """Keep values, if that can be done. What was read of a file that has only just been written is not kept."""
        kept = [
            (_key(name), _text(stamp), value, _check(_key(name), _text(stamp), value))
            for name, (stamp, value) in rows.items()
            if stamp != NO_STAMP and (stamp == ALWAYS or not stamp.is_fresh())
        ]

        def write(base: sqlite3.Connection) -> None:
            with base:
                base.executemany(f'INSERT OR REPLACE INTO "{table}" VALUES (?, ?, ?, ?)', kept)

        if kept:
            self._ask(table, write, None)

    def forget(self, table: str, names: Iterable[str]) -> None:
        """Take values out."""
        rows = [(_key(name),) for name in names]

        def delete(base: sqlite3.Connection) -> None:
            with base:
                base.executemany(f'DELETE FROM "{table}" WHERE name = ?', rows)

        if rows:
            self._ask(table, delete, None)

    def close(self) -> None:
        """Let go of the file."""
        with self._guard:
            if self._base is not None:
                self._base.close()
            self._base = None
            self._tables.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _ask(self, table: str, work: Callable[[sqlite3.Connection], T], instead: T) -> T:
        """What `work` finds; `instead` where the file cannot be used: busy, no room, no right, damaged."""
        if self._file is None:
            return instead
        with self._guard:
            for _ in range(2):
                try:
                    return work(self._with_table(self._file, table))
                except OSError:
                    return instead
                except (sqlite3.Error, UnicodeDecodeError) as error:
                    if getattr(error, "sqlite_errorcode", 0) & 0xFF in DISK_TROUBLE:
                        return instead
                    self._put_aside(self._file)
        return instead

    def _with_table(self, file: Path, table: str) -> sqlite3.Connection:
        if self._base is None:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(file, timeout=BUSY_S, check_same_thread=False)
            for old in OLD_TABLES:
                self._base.execute(f'DROP TABLE IF EXISTS "{old}"')
        if table not in self._tables:
            self._base.execute(f'CREATE TABLE IF NOT EXISTS "{table}" ({COLUMNS}) WITHOUT ROWID')
            self._tables.add(table)
        return self._base

    def _put_aside(self, file: Path) -> None:
        """Begin a new file. Where another process holds the damaged one (Windows), nothing is kept for now."""
        self.close()
        aside = file.with_name(f"{file.name}.damaged")
        with suppress(OSError):
            file.replace(aside)
            self.note = problem("cache.aside", file=str(file), aside=aside.name)


def _in_parts(keys: Iterable[bytes]) -> Iterator[Sequence[bytes]]:
    waiting = iter(keys)
    while some := list(islice(waiting, AT_ONCE)):
        yield some


def _key(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")  # a folder's name need not be text


def _text(stamp: Stamp) -> bytes:
    return b"%d %d %d %d" % stamp


def _is_sound(row: Sequence[Any]) -> bool:
    """Whether a row is as it was written."""
    return all(isinstance(part, bytes) for part in row[:3]) and row[3] == _check(*row[:3])


def _check(key: bytes, stamp: bytes, value: bytes) -> int:
    return zlib.crc32(b"%d %d %b%b%b" % (len(key), len(stamp), key, stamp, value))
