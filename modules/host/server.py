"""The host: one engine, one window at a time, and what is kept of the job while no window is there.

A job goes on without a window, but not a check: nobody waits for it. While the queue is on, the host does what waits in
it, one after another, with a window or without. A host without window, job and queue ends, and so does its engine.
Asked to end by the system, it has the job stopped with a backup first.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from modules.host import places
from modules.host.engine_process import COMMAND, LINES_KEPT, EngineProcess
from modules.host.frames import PROTOCOL, frame, frame_in
from modules.host.job_record import JobRecord, kind_of
from modules.host.places import Address
from modules.host.queue_runner import QueueRunner
from modules.jobs.entry import QueuedJob
from modules.jobs.queue import FILE
from modules.messages import Answer, Event, Failed, Finished, Job, Message, Query, Quit, note
from modules.sentences.problem import Problem, problem
from modules.wire import decode, encode, fingerprint

TICK = 0.1
COMES_WITHIN_S = 60.0  # the window that has started the host
UNWANTED_S = 10.0  # for an engine to end whose work nobody waits for
QUIET_S = 3.0  # after a window's job, in which it may send the next one: a run after the look before it
LAST_WORDS_S = 5.0  # a window that does not read holds nobody up longer


class Client:
    """A window. What is sent to it never waits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._frames: SimpleQueue[bytes | None] = SimpleQueue()
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._writer.start()

    def send(self, data: bytes | None) -> None:
        """None closes it, after all that was sent."""
        self._frames.put(data)

    def receive(self) -> bytes:
        """Wait for a frame.

        Raises:
            EOFError: it is gone.
            OSError: likewise.
        """
        return self._connection.recv_bytes()

    def finish(self, seconds: float = LAST_WORDS_S) -> None:
        self.send(None)
        self._writer.join(seconds)

    def _write(self) -> None:
        with suppress(OSError, ValueError):
            while (data := self._frames.get()) is not None:
                self._connection.send_bytes(data)
        with suppress(OSError):
            self._connection.close()


class Host:
    """Made, it has started the engine; `serve` until it is not needed any more.

    Args:
        ended: a file for the job whose end no window has seen.
        command: of the engine.
        queue: the file of the queue.
        heard: called with each event of a job, for who shows them without being a window.
    """

    def __init__(
        self, ended: Path, command: Sequence[str], queue: Path, heard: Callable[[Event], object] | None = None
    ) -> None:  # fmt: skip
        self._ended, self._command = ended, command
        self._lock = threading.RLock()  # of all below
        self._client: Client | None = None
        self._expected_until = time.monotonic() + COMES_WITHIN_S  # no window was there yet
        self._record: JobRecord | None = None  # of the job under way
        self._printed: deque[str] = deque(maxlen=LINES_KEPT)
        self._asked: dict[int, tuple[Client, Query]] = {}  # two windows may number their questions alike
        self._questions = 0
        self._engine: EngineProcess | None = None
        self._number = object()  # of the engine: the end of an earlier one is not its own
        self._ending = False
        self._seconds: float | None = None  # that a job has left to end, when it was asked to
        self.queue = QueueRunner(queue, self._say)
        self._quiet_until = 0.0  # before this, the queue begins nothing
        self._listener = heard
        self._warm()

    @property
    def has_window(self) -> bool:
        return self._client is not None

    def expect_nobody(self) -> None:
        """It was started for the queue alone, and by no window."""
        self._expected_until = 0.0

    def quit(self, seconds: float | None = None) -> None:
        """End, once the job has stopped with a backup; by force after so many seconds, if any."""
        self._ending, self._seconds = True, seconds

    def serve(self, listener: Listener) -> None:
        """Until nobody needs it, or `quit`."""
        threading.Thread(target=self._welcome, args=(listener,), name="welcome", daemon=True).start()
        while not self._ending:
            time.sleep(TICK)
            self._run_queue()
            if self._forsaken():
                self.quit(UNWANTED_S)
        engine = self._engine
        if engine is not None:
            engine.write(encode(Quit()))
            engine.end(self._seconds)
        self.queue.close()
        with self._lock:
            client = self._client
        if client is not None:
            client.finish()

    def _forsaken(self) -> bool:
        with self._lock:
            if self._client is not None or time.monotonic() < self._expected_until:
                return False
            return not self.queue.wanted and (self._record is None or self._record.what == "check")

    # The queue --------------------------------------------------------------------------------------------------------

    def _run_queue(self) -> None:
        """Begin what comes next, and keep the list up to date. Nothing else waits for its file."""
        if (command := self.queue.tick()) and self._engine is not None:
            self._engine.write(encode(command))
        if self._record is None and time.monotonic() >= self._quiet_until and (job := self.queue.next_job()):
            self._begin(job)

    def _begin(self, job: QueuedJob) -> None:
        """A window that is there is shown the job as one that it has taken over."""
        with self._lock:
            if self._record is not None or not self._warm():
                self.queue.give_back()
                return
            self._record = JobRecord(kind_of(job), queued=True)
            if self._client is not None:
                self._client.send(self._record.packed())
            if self._engine is not None:
                self._engine.write(encode(job))

    def _say(self, what: Problem) -> None:
        with self._lock:
            if self._client is not None:
                self._client.send(encode(note(what, level="error")).encode())

    # Windows ----------------------------------------------------------------------------------------------------------

    def _welcome(self, listener: Listener) -> None:
        while not self._ending:
            with suppress(OSError, EOFError, AuthenticationError):  # whoever it was is gone, or no window of ours
                client = Client(listener.accept())
                threading.Thread(target=self._attend, args=(client,), name="window", daemon=True).start()

    def _attend(self, client: Client) -> None:
        """From its first word to its last."""
        try:
            hello = frame_in(client.receive()) or {}
            if not self._accept(client, hello):
                client.finish()
                return
            while True:
                self._take(client, client.receive())
        except (OSError, EOFError, ValueError):
            self._lost(client)
        client.send(None)

    def _accept(self, client: Client, hello: dict[str, Any]) -> bool:
        """One at a time; who comes for the run under way is told what there was of it."""
        with self._lock:
            state = self._state(hello)
            client.send(frame("hello", state=state, pid=os.getpid()))
            if state != "welcome":
                return False
            self._client, self._expected_until = client, 0.0
            if self._record is not None:
                for line in self._printed:
                    client.send(frame("printed", line=line))
                client.send(self._record.packed())
        return True

    def _state(self, hello: dict[str, Any]) -> str:
        if self._client is not None or self._ending:
            return "taken"
        idle = self._record is None or self._record.what == "check"
        if hello.get("takes_over") and idle and not self.queue.wanted:
            return "idle"
        return "welcome" if hello.get("version") == version() else "other-version"

    def _lost(self, client: Client) -> None:
        with self._lock:
            if self._client is client:
                self._client = None

    def _take(self, client: Client, data: bytes) -> None:
        """Do what a window asks for."""
        match frame_in(data):
            case None:
                self._command_from(client, decode(data.decode("utf-8", "replace")))
            case {"host": "end", "seconds": seconds}:
                if self.queue.wanted:  # the queue goes on without the window
                    raise EOFError
                self.quit(seconds)
            case {"host": "leave"}:
                raise EOFError
            case _:
                return

    def _command_from(self, client: Client, message: Message) -> None:
        with self._lock:
            if isinstance(message, Job) and self.queue.working:
                client.send(encode(note(problem("engine.busy"), level="error")).encode())
                return
            if isinstance(message, Job | Query) and not self._warm():
                return
            if isinstance(message, Job) and self._record is None:
                self._record = JobRecord(kind_of(message))
            elif isinstance(message, Query):
                self._questions += 1
                self._asked[self._questions] = client, message
                message = replace(message, id=self._questions)
            if self._engine is not None:
                self._engine.write(encode(message))

    # The engine -------------------------------------------------------------------------------------------------------

    def _warm(self) -> bool:
        """Have an engine. Whether there is one."""
        with self._lock:
            if self._ending or (self._engine is not None and self._engine.alive):
                return not self._ending
            self._printed.clear()
            number = self._number = object()
            try:
                self._engine = EngineProcess(
                    self._command, self._heard, self._heard_printed, lambda code: self._exited(number, code)
                )
            except OSError as error:
                self._printed.append(str(error))
                self._exited(number, 1)
                return False
        return True

    def _heard(self, line: str) -> None:
        try:
            event: Any = decode(line)
        except ValueError:
            event = None  # the window says so
        with self._lock:
            client = self._client
            if isinstance(event, Answer):
                client, line = self._answered(event)
            elif event is not None and self._record is not None:
                self._keep(self._record, event)
            if client is not None:
                client.send(line.encode())

    def _answered(self, answer: Answer) -> tuple[Client | None, str]:
        """Who asked, if it is still there, and the answer by its number."""
        client, query = self._asked.pop(answer.id, (None, None))
        if client is not self._client or query is None:
            return None, ""
        return client, encode(replace(answer, id=query.id))

    def _keep(self, record: JobRecord, event: Event) -> None:
        record.add(event)
        self.queue.heard(event)
        if self._listener is not None:
            self._listener(event)
        if isinstance(event, Finished | Failed):
            self._over(record)

    def _over(self, record: JobRecord) -> None:
        """The job has ended. If no window has seen it, the next one will."""
        self._record = None
        if not record.queued:
            self._quiet_until = time.monotonic() + QUIET_S
        if self._client is None and record.what != "check" and not record.queued:  # the queue tells how its jobs ended
            with suppress(OSError):  # a full disk: the run's own folder tells what there is to know
                record.write(self._ended)

    def _heard_printed(self, line: str) -> None:
        with self._lock:
            self._printed.append(line)
            if self._client is not None:
                self._client.send(frame("printed", line=line))

    def _exited(self, number: object, code: int) -> None:
        with self._lock:
            if number is not self._number:
                return
            self._engine, record = None, self._record
            self._asked.clear()
            died = {"code": code, "printed": list(self._printed), "working": record is not None}
            if record is not None:
                record.died = died
                self.queue.died(died)
                self._over(record)
            if self._client is not None and (record is not None or not self._ending):
                self._client.send(frame("died", **died))


def version() -> str:
    """Windows and hosts of one version understand each other."""
    return f"{PROTOCOL} {fingerprint()}"


def run(
    folder: Path, name: str, command: Sequence[str] = COMMAND, ready: Callable[[Host], object] | None = None,
    heard: Callable[[Event], object] | None = None,
) -> None:  # fmt: skip
    """Be a host that is found in `folder` under this name, until nobody needs it. The queue lies beside the folder."""
    place, key, socket = places.made(folder) / f"{name}{places.LIVE}", os.urandom(32), places.new_socket()
    listener = Listener(socket, "AF_UNIX" if socket else "AF_PIPE", backlog=8, authkey=key)
    address = Address(str(listener.address), key.hex(), os.getpid())
    try:
        host = Host(place.with_suffix(places.ENDED), command, folder.with_name(FILE), heard)
        if ready is not None:
            ready(host)
        places.announce(place, address)
        host.serve(listener)
    finally:
        with suppress(FileNotFoundError):  # who tidies temporary folders was there before
            listener.close()
        places.remove(place, address)
