"""The queue's file: opened, mended and written, one transaction for each change. SQLite, of Python's own library.

Flushed to the disk with each change (`synchronous=FULL`), in a log beside the file (WAL), so that who reads waits for
nobody. A damaged file is put aside, and a new one begun.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from modules.errors import UserError
from modules.jobs.entry import COLUMNS, Entry, State, entry_of, packed
from modules.system.locks import Lock, LockTaken
from modules.system.read_cache import DISK_TROUBLE

VERSION = 1  # of the tables
BUSY_S = 10.0  # how long another process's writing is waited for
SIDES = ("-wal", "-shm")  # what SQLite keeps beside its file

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS entries (
  id INTEGER PRIMARY KEY AUTOINCREMENT, position INTEGER NOT NULL, job TEXT NOT NULL, title TEXT NOT NULL,
  state TEXT NOT NULL, "after" INTEGER, "group" TEXT NOT NULL, changes TEXT NOT NULL, estimate REAL,
  added REAL NOT NULL, started REAL, ended REAL, step INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL DEFAULT 0,
  seconds_left REAL, stage TEXT NOT NULL DEFAULT '', folder TEXT NOT NULL DEFAULT '',
  problems TEXT NOT NULL DEFAULT '[]', details TEXT NOT NULL DEFAULT '', results TEXT NOT NULL DEFAULT '{}',
  owner TEXT NOT NULL DEFAULT '', card TEXT NOT NULL DEFAULT '', wish TEXT NOT NULL DEFAULT '',
  attempts INTEGER NOT NULL DEFAULT 0
);
"""
_SELECT = "SELECT " + ", ".join(f'"{name}"' for name in COLUMNS) + " FROM entries"


class Row(NamedTuple):
    """Of an entry, what it takes to know whether something is to be done."""

    id: int
    state: State
    after: int | None
    owner: str


class Store:
    """One process's way to the file. Any number of threads may use it.

    Raises:
        UserError: here and in every method, where the file cannot be read or written, or a later release wrote it.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.put_aside: Path | None = None  # where a damaged file lies now
        self._guard = threading.RLock()
        self._base: Any = None
        with self._in_words():
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._base = self._opened()

    def close(self) -> None:
        with self._guard:
            self._base.close()

    @contextmanager
    def change(self) -> Generator[sqlite3.Connection]:
        """A transaction: all that is written in it stands afterwards, or nothing. It gives the list a new version."""
        with self._guard, self._in_words():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
                self._base.execute(
                    "INSERT INTO facts VALUES ('version', '1') "
                    "ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + 1"
                )
                self._base.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._base.execute("ROLLBACK")
                raise

    def fact(self, name: str, otherwise: str = "") -> str:
        with self._guard, self._in_words():
            row = self._base.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return otherwise if row is None else str(row[0])

    def rows(self) -> list[Row]:
        """All, in their order, as far as who looks every second needs them."""
        with self._guard, self._in_words():
            sql = 'SELECT id, state, "after", owner FROM entries ORDER BY position, id'
            return [Row(*row) for row in self._base.execute(sql)]

    def entries(self) -> list[Entry]:
        """All, in their order."""
        with self._guard, self._in_words():
            rows = self._base.execute(f"{_SELECT} ORDER BY position, id").fetchall()
        return [entry_of(dict(zip(COLUMNS, row, strict=True))) for row in rows]

    # Opening ----------------------------------------------------------------------------------------------------------

    def _opened(self) -> sqlite3.Connection:
        """One process at a time, so that two do not put aside what the other has just begun."""
        try:
            with Lock(self.file.with_name(f"{self.file.name}.lock"), BUSY_S):
                return self._whole() or self._begun_anew()
        except LockTaken as error:
            raise UserError("queue.busy", file=self.file, process=str(error)) from error

    def _whole(self) -> sqlite3.Connection | None:
        """None where the file is damaged."""
        base = sqlite3.connect(self.file, BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            base.execute("PRAGMA journal_mode=WAL")
            base.execute("PRAGMA synchronous=FULL")
            if base.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("damaged")
            base.executescript(_TABLES)
            self._check_version(base)
            base.execute(f"{_SELECT} LIMIT 1").fetchall()
        except sqlite3.DatabaseError as error:
            base.close()
            if _is_damage(error):
                return None
            raise
        except UserError:
            base.close()
            raise
        return base

    def _check_version(self, base: sqlite3.Connection) -> None:
        base.execute("INSERT OR IGNORE INTO facts VALUES ('tables', ?)", (str(VERSION),))
        (found,) = base.execute("SELECT value FROM facts WHERE name = 'tables'").fetchone()
        if int(found) > VERSION:
            raise UserError("queue.newer", file=self.file)

    def _begun_anew(self) -> sqlite3.Connection:
        aside = self.file.with_name(f"{self.file.stem} damaged {time.strftime('%Y-%m-%d %H-%M-%S')}{self.file.suffix}")
        self.file.replace(aside)
        for side in SIDES:
            with suppress(FileNotFoundError):
                self.file.with_name(self.file.name + side).replace(aside.with_name(aside.name + side))
        self.put_aside = aside
        base = self._whole()
        if base is None:
            raise UserError("queue.unusable", file=self.file, reason="a new file is damaged at once")
        return base

    @contextmanager
    def _in_words(self) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if self._base is not None and isinstance(error, sqlite3.DatabaseError) and _is_damage(error):
                self._base.close()
                self._base = self._opened()
            raise UserError("queue.unusable", file=self.file, reason=str(error)) from error


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or (code & 0xFF) not in DISK_TROUBLE


def insert(base: sqlite3.Connection, values: dict[str, Any]) -> int:
    """A new row, at the end; its id."""
    names = ", ".join(f'"{name}"' for name in values)
    (last,) = base.execute("SELECT COALESCE(MAX(position), 0) FROM entries").fetchone()
    made = base.execute(
        f"INSERT INTO entries ({names}, position) VALUES ({', '.join('?' * len(values))}, ?)",
        [*(packed(name, value) for name, value in values.items()), last + 1],
    )
    return int(made.lastrowid or 0)


def update(base: sqlite3.Connection, number: int, **values: Any) -> None:
    """Change columns of a row."""
    names = ", ".join(f'"{name}" = ?' for name in values)
    base.execute(
        f"UPDATE entries SET {names} WHERE id = ?", [*(packed(name, value) for name, value in values.items()), number]
    )


def set_fact(base: sqlite3.Connection, name: str, value: str) -> None:
    """Keep a text under a name."""
    base.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))


def set_order(base: sqlite3.Connection, numbers: list[int]) -> None:
    """The ids in the order in which they stand from now on; all of them."""
    base.executemany("UPDATE entries SET position = ? WHERE id = ?", list(enumerate(numbers)))
