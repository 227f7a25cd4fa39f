"""Who runs an entry: a process that holds a lock as long as it lives, so that its death is seen by everybody.

No number of a process: the system gives it to another one later, and a machine that shares the home has its own.
"""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from pathlib import Path

from modules.system.locks import Lock, is_locked

FOLDER = "queue-owners"  # beside the queue's file
YOUNG_S = 60.0  # somebody may be about to lock what was made just now
_ENDING = ".lock"


class Owner:
    """Somebody who runs entries, from here until `release` or the end of the process."""

    def __init__(self, queue: Path) -> None:
        """Raises: OSError: nothing can be written beside the queue's file."""
        folder = queue.with_name(FOLDER)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.id = uuid.uuid4().hex
        self._file = folder / f"{self.id}{_ENDING}"
        self._lock = Lock(self._file)

    def release(self) -> None:
        self._lock.release()
        _remove(self._file)


def is_alive(queue: Path, owner: str) -> bool:
    """Whether whoever began an entry still runs."""
    return is_locked(queue.with_name(FOLDER) / f"{owner}{_ENDING}")


def remove_dead(queue: Path) -> None:
    """What owners left that were killed."""
    for file in queue.with_name(FOLDER).glob(f"*{_ENDING}"):
        with suppress(OSError):
            if time.time() - file.stat().st_mtime > YOUNG_S and not is_locked(file):
                _remove(file)


def _remove(file: Path) -> None:
    for each in (file, file.with_name(f"{file.name}.pid")):
        with suppress(OSError):  # Windows lets nobody remove what is looked at just now
            each.unlink()
