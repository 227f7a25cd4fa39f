"""A window's way to a host: to one whose run was left alone, or to a new one. It may wait, but never for ever."""

from __future__ import annotations

import os
import subprocess
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from modules.host import places
from modules.host.frames import frame, frame_in
from modules.host.job_record import JobRecord, taken
from modules.host.places import Address
from modules.host.server import version
from modules.system.reading import read_text
from modules.system.runtime import python_command, python_environment

ANSWERS_WITHIN_S = 5.0  # a host that is there but stands still is passed over
STARTS_WITHIN_S = 60.0
LOOK_AGAIN_S = 0.02


@dataclass
class Found:
    """What earlier windows left."""

    ended: list[JobRecord] = field(default_factory=list[JobRecord])  # jobs whose end no window has seen
    connection: Connection | None = None  # to the host of a job that goes on
    strangers: list[int] = field(default_factory=list[int])  # processes of hosts of another version, with a job


def found(folder: Path) -> Found:
    """Look for what other windows left, and take it over. What is left of hosts that were killed is removed."""
    left = Found([record for path in places.listed(folder, places.ENDED) if (record := taken(path))])
    for path in places.listed(folder, places.LIVE):
        address = places.address_in(path)
        if left.connection is None and (address is None or address.ours):
            _look_at(path, address, left)
    for path in places.listed(folder, places.PRINTED):
        if not path.with_suffix(places.LIVE).exists():  # Windows lets no host remove what it writes to
            places.remove(path, None)
    return left


def _look_at(path: Path, address: Address | None, left: Found) -> None:
    if address is None:
        places.remove(path, None)
        return
    try:
        connection, state = _greeted(address, ANSWERS_WITHIN_S, takes_over=True)
    except (FileNotFoundError, ConnectionRefusedError):
        places.remove(path, address)
    except (OSError, EOFError, ValueError, AuthenticationError):
        return  # it ends just now, or stands still
    else:
        if state == "welcome":
            left.connection = connection
            return
        connection.close()
        if state == "other-version":
            left.strangers.append(address.pid)


def started(folder: Path, command: Sequence[str] | None = None) -> Connection:
    """A new host of one's own.

    Raises:
        OSError: none can be started.
    """
    name = uuid.uuid4().hex
    path = places.made(folder) / f"{name}{places.LIVE}"
    printed = path.with_suffix(places.PRINTED)
    with printed.open("wb") as log:
        process = subprocess.Popen(
            command or python_command("-m", "modules.host", folder, name),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=python_environment(), **_detached(),
        )  # fmt: skip
    until = time.monotonic() + STARTS_WITHIN_S
    while (address := places.address_in(path)) is None:
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            process.wait()
            said = _last_line(printed)
            places.remove(path, None)
            raise OSError(said or "the program between window and engine did not start")
        time.sleep(LOOK_AGAIN_S)
    threading.Thread(target=process.wait, name="host", daemon=True).start()  # else it would stay a zombie
    try:
        connection, state = _greeted(address, STARTS_WITHIN_S, takes_over=False)
    except (EOFError, ValueError, AuthenticationError) as error:
        raise OSError(str(error)) from error
    if state != "welcome":
        raise OSError(f"the host answers: {state}")
    return connection


def _detached() -> dict[str, Any]:
    """So that neither the end of the window nor a closed terminal ends it."""
    if os.name != "nt":
        return {"start_new_session": True}
    return {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined]


def _last_line(path: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return read_text(path).strip().rpartition("\n")[2]
    return ""


def _greeted(address: Address, seconds: float, *, takes_over: bool) -> tuple[Connection, str]:
    """Connected, and what the host says to that.

    Raises:
        FileNotFoundError, ConnectionRefusedError: there is none any more.
        OSError, EOFError, ValueError, AuthenticationError: it ends just now, or does not answer.
    """
    answers: SimpleQueue[Any] = SimpleQueue()

    def greet() -> None:  # in a thread: who stands still must not stop the window, and Client knows no limit of time
        try:
            connection = Client(address.socket, authkey=bytes.fromhex(address.key))
            connection.send_bytes(frame("hello", version=version(), takes_over=takes_over))
            answers.put((connection, str((frame_in(connection.recv_bytes()) or {}).get("state"))))
        except (OSError, EOFError, ValueError, AuthenticationError) as error:
            answers.put(error)

    threading.Thread(target=greet, daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except Empty as error:
        raise TimeoutError("the host does not answer") from error
    if isinstance(answer, BaseException):
        raise answer
    return answer
