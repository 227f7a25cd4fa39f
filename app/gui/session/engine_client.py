"""The engine, as the window holds it: started when it is needed, spoken to in messages, missed when it dies.

Nothing here waits: threads write commands and read events. Events lie in `inbox` until the window's tick takes them.
"""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from modules.host import client
from modules.host.engine_process import COMMAND, LINES_KEPT, EngineProcess
from modules.host.frames import frame, frame_in
from modules.host.job_record import JobRecord
from modules.language import tr
from modules.messages import Command, Event, Failed, Finished, Job, Note, Query, Quit, note
from modules.sentences.problem import problem
from modules.system.user_folder import settings_folder
from modules.wire import decode, encode

HOSTS = "engines"  # in the folder of the user's settings
LEAVES_WITHIN_S = 5.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EngineDied:
    """The engine's process ended by itself: an event like its own, but told by the window's side."""

    message: str  # for the user
    details: str  # exit code and the last lines that it printed
    working: bool  # a job was under way


@dataclass(frozen=True, slots=True)
class TakenOver:
    """A job that an earlier window has left, or that the queue began: it goes on, or it has ended since."""

    record: JobRecord
    died: EngineDied | None = None  # how it ended, if the engine did not say it


WindowEvent = Event | EngineDied | TakenOver
Tell = Callable[[WindowEvent], None]


class Engine:
    """One engine at a time. `send` starts it, and starts another when it is gone.

    Args:
        command: of an engine that is a child of the window and ends with it. None: one in a host, which outlives the
            window; the first one takes over what earlier windows left.
        hosts: where hosts are found; None: in the folder of the user's settings.
    """

    def __init__(self, command: Sequence[str] | None = None, hosts: Path | None = None) -> None:
        self.inbox: SimpleQueue[WindowEvent] = SimpleQueue()
        self._command, self._hosts = command, hosts
        self._process: ChildEngine | HostedEngine | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    @property
    def busy(self) -> bool:
        """Whether a job was sent whose end has not been told yet."""
        return self.alive and self._process is not None and self._process.busy

    @property
    def outlives(self) -> bool:
        """Whether a job can go on without the window."""
        return self.alive and isinstance(self._process, HostedEngine) and self._process.connected

    def warm(self) -> None:
        """Start the process before it is needed. It then waits and uses next to nothing."""
        if self.alive:
            return
        first = self._process is None
        if self._process is not None:
            self._process.forget()
        if self._command is None:
            self._process = HostedEngine(self._hosts or settings_folder() / HOSTS, self._tell, takes_over=first)
        else:
            self._process = ChildEngine(self._command, self._tell)

    def send(self, command: Command) -> bool:
        """Send a command; a job or a query starts the engine if it does not run. False: nobody is there to hear it."""
        if isinstance(command, Job | Query):
            self.warm()
        if self._process is None or not self.alive:
            return False
        self._process.send(command)
        return True

    def close(self, seconds: float = 10.0) -> None:
        """End it: Quit, wait so long, then by force. This and `leave` alone wait; for the end of the program."""
        if self._process is not None:
            self._process.close(seconds)
        self._process = None

    def leave(self) -> None:
        """Let the job go on without this window."""
        if isinstance(self._process, HostedEngine):
            self._process.leave()
        self._process = None

    def printed(self) -> list[str]:
        """The last lines that the engine and its libraries printed, for the details of an error."""
        return self._process.printed() if self._process else []

    def _tell(self, event: WindowEvent) -> None:
        self.inbox.put(event)


class ChildEngine(EngineProcess):
    """One process of the window's own, from its start to its end."""

    def __init__(self, command: Sequence[str], tell: Tell) -> None:
        self._tell = tell
        self.busy = False
        self._expected = False  # its end was asked for
        self._printed: deque[str] = deque(maxlen=LINES_KEPT)
        super().__init__(command, self._heard, self._printed.append, self._ended)

    def printed(self) -> list[str]:
        return list(self._printed)

    def send(self, command: Command) -> None:
        self.busy = self.busy or isinstance(command, Job)
        self._expected = self._expected or isinstance(command, Quit)
        self.write(encode(command))

    def forget(self) -> None:
        """Another one takes its place: an end that was not told yet would be taken for the end of that one."""
        self._expected = True

    def close(self, seconds: float) -> None:
        self.send(Quit())
        self.end(seconds)

    def _heard(self, line: str) -> None:
        event = _event_in(line)
        if isinstance(event, Finished | Failed):
            self.busy = False
        self._tell(event)

    def _ended(self, code: int) -> None:
        working, self.busy = self.busy, False
        if not self._expected or working:
            self._tell(_died(code, working, self._printed))


class HostedEngine:
    """The engine of a host, from finding or starting it to the end of the connection.

    Where no host can be started, it is a child of the window, as ever.
    """

    def __init__(self, hosts: Path, tell: Tell, *, takes_over: bool) -> None:
        self._hosts, self._tell = hosts, tell
        self.busy = False
        self._expected = False  # the end of the connection was asked for
        self._gone = threading.Event()
        self._printed: deque[str] = deque(maxlen=LINES_KEPT)
        self._frames: SimpleQueue[Command | bytes | None] = SimpleQueue()
        self._connection: Connection | None = None
        self._child: ChildEngine | None = None
        threading.Thread(target=self._work, args=(takes_over,), name="engine", daemon=True).start()

    @property
    def alive(self) -> bool:
        return self._child.alive if self._child else not self._gone.is_set()

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def printed(self) -> list[str]:
        return self._child.printed() if self._child else list(self._printed)

    def send(self, command: Command) -> None:
        self.busy = self.busy or isinstance(command, Job)
        self._expected = self._expected or isinstance(command, Quit)
        self._frames.put(command)

    def forget(self) -> None:
        self._expected = True

    def close(self, seconds: float) -> None:
        """The host ends, with its engine; by force after so many seconds."""
        self._expected = True
        self._frames.put(frame("end", seconds=seconds))
        self._gone.wait(seconds + LEAVES_WITHIN_S)
        if self._child is not None:
            self._child.close(seconds)

    def leave(self) -> None:
        """All that was sent has gone out when this returns."""
        self._expected = True
        self._frames.put(frame("leave"))
        self._gone.wait(LEAVES_WITHIN_S)

    # Beside the window ------------------------------------------------------------------------------------------------

    def _work(self, takes_over: bool) -> None:
        try:
            connection = self._connection = (self._found() if takes_over else None) or client.started(self._hosts)
        except OSError:
            self._child = ChildEngine(COMMAND, self._take)
            self._gone.set()
            self._write(None)
            return
        threading.Thread(target=self._write, args=(connection,), name="commands", daemon=True).start()
        with suppress(EOFError, OSError, ValueError):
            while True:
                self._heard(connection.recv_bytes())
        self._lost()

    def _found(self) -> Connection | None:
        """What earlier windows left is shown; where a job goes on, one that was sent meanwhile is refused."""
        left = client.found(self._hosts)
        for record in left.ended:
            self._tell(_taken_over(record))
        for pid in left.strangers:
            self._tell(note(problem("engine.other-version", pid=str(pid)), level="error"))
        if left.connection is not None:
            for sent in _drained(self._frames):
                if isinstance(sent, Job):
                    self._tell(note(problem("engine.busy"), level="error"))
                else:
                    self._frames.put(sent)
        return left.connection

    def _write(self, connection: Connection | None) -> None:
        with suppress(OSError, ValueError):  # the host is gone: the reader tells
            while (sent := self._frames.get()) is not None:
                if connection is not None:
                    connection.send_bytes(sent if isinstance(sent, bytes) else encode(sent).encode())
                elif self._child is not None and not isinstance(sent, bytes):
                    self._child.send(sent)

    def _heard(self, data: bytes) -> None:
        match frame_in(data):
            case None:
                self._take(_event_in(data.decode("utf-8", "replace")))
            case {"host": "record"}:
                self.busy = True
                self._tell(_taken_over(JobRecord.unpacked(data)))
            case {"host": "printed", "line": line}:
                self._printed.append(line)
            case {"host": "died", "code": code, "printed": printed, "working": working}:
                if working or not self._expected:
                    self._take(_died(code, working, printed))
            case _:
                return

    def _take(self, event: WindowEvent) -> None:
        if isinstance(event, Finished | Failed | EngineDied):
            self.busy = False
        self._tell(event)

    def _lost(self) -> None:
        """The connection has ended: with the host, whose engine then makes a backup and ends."""
        self._gone.set()
        self._frames.put(None)
        working, self.busy = self.busy, False
        if not self._expected:
            why = tr("because the program that held it was ended: it makes a backup first")
            self._tell(EngineDied(_sentence(why, working), "\n".join(self._printed), working))


def _drained(queue: SimpleQueue[T]) -> list[T]:
    """What lies in it now."""
    return [queue.get_nowait() for _ in range(queue.qsize())]


def _event_in(line: str) -> Event:
    try:
        return decode(line)  # type: ignore[return-value]  an engine sends no commands
    except ValueError as error:
        return Note(tr("A message from the engine could not be read: {error}", error=error), "warning")


def _taken_over(record: JobRecord) -> TakenOver:
    died = record.died
    return TakenOver(record, _died(died["code"], died["working"], died["printed"]) if died else None)


def _died(code: int, working: bool, printed: Iterable[str]) -> EngineDied:
    details = "\n".join([tr("Exit code {code}.", code=code), *printed])
    return EngineDied(_sentence(_cause(code), working), details, working)


def _cause(code: int) -> str:
    """Why a process may have ended so."""
    if code in (-getattr(signal, "SIGKILL", 9), 137):
        return tr("because the system ended it: most often it was out of memory")
    if code < 0:
        return tr("(signal {signal}: a fault in a driver or a library)", signal=-code)
    return tr("(exit code {code})", code=code)


def _sentence(cause: str, working: bool) -> str:
    """What has happened, and what to do."""
    way_back = (
        tr("Continue from the last backup, or start again.") if working else tr("It starts again with the next job.")
    )
    return tr("The engine has stopped {cause}. The window is not affected. {way_back}", cause=cause, way_back=way_back)
