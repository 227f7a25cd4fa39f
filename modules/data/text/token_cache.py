"""What counting tokens has cost once: the lengths of captions' chunks, in a small database in the cache's folder.

A database, because two programs may count at once, and each may be killed: SQLite keeps what both have written whole.
It only saves time: where it cannot be read or written, captions are counted again.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from hashlib import blake2b
from itertools import islice
from pathlib import Path

AT_ONCE = 500  # names in one question; SQLite's own limit is a thousand in old releases
PATIENCE_S = 5.0  # how long another program's writing is waited for
TABLE = "CREATE TABLE IF NOT EXISTS chunks (name BLOB PRIMARY KEY, lengths BLOB NOT NULL) WITHOUT ROWID"


class TokenCache:
    """The lengths of chunks by caption, as one tokenizer cuts them.

    Args:
        tokenizer: names what cuts captions; a caption is found again only under the same name.
    """

    def __init__(self, file: Path, tokenizer: str) -> None:
        self._file, self._tokenizer = file, tokenizer

    def known(self, captions: Sequence[str]) -> dict[str, list[int]]:
        """The lengths of those captions that were counted before."""
        names = {self._name(caption): caption for caption in captions}
        found: dict[str, list[int]] = {}
        try:
            with self._open() as base:
                waiting = iter(names)
                while some := list(islice(waiting, AT_ONCE)):
                    marks = ",".join("?" * len(some))
                    rows = base.execute(f"SELECT name, lengths FROM chunks WHERE name IN ({marks})", some)
                    found.update((names[name], _numbers(lengths)) for name, lengths in rows)
        except (sqlite3.Error, OSError, ValueError):
            return {}
        return found

    def learn(self, lengths: Mapping[str, list[int]]) -> None:
        """Keep the lengths of these captions, if that can be done."""
        rows = [(self._name(caption), array("H", counts).tobytes()) for caption, counts in lengths.items()]
        with suppress(sqlite3.OperationalError, OSError):  # busy, no room, no right to write: the next one counts again
            try:
                self._keep(rows)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:  # torn, or no database at all: it can be made again
                self._file.unlink()
                self._keep(rows)

    def _keep(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        with self._open() as base, base:
            base.executemany("INSERT OR REPLACE INTO chunks VALUES (?, ?)", rows)

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._file, timeout=PATIENCE_S)) as base:
            base.execute(TABLE)
            yield base

    def _name(self, caption: str) -> bytes:
        return blake2b(f"{self._tokenizer}\0{caption}".encode(), digest_size=16).digest()


def _numbers(data: bytes) -> list[int]:
    """What `learn` wrote.

    Raises:
        ValueError: it is something else.
    """
    return list(array("H", data))
