"""The engine's process, as the window holds it: started when it is needed, spoken to in messages, missed when it dies.

Nothing here waits: a thread writes commands, a thread reads events, a thread listens to what the process prints. Events
lie in `inbox` until the window's tick takes them.
"""

from __future__ import annotations

import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import IO

from modules.language import tr
from modules.messages import Command, Event, Failed, Finished, Job, Note, Query, Quit
from modules.system.runtime import python_command, python_environment
from modules.wire import decode, encode

COMMAND = python_command("-m", "modules.engine")
LINES_KEPT = 200  # of what the engine printed: the end of it tells why it died


@dataclass(frozen=True, slots=True)
class EngineDied:
    """The engine's process ended by itself: an event like its own, but told by the window's side."""

    message: str  # for the user
    details: str  # exit code and the last lines that it printed
    working: bool  # a job was under way


WindowEvent = Event | EngineDied


class Engine:
    """One engine process at a time. `send` starts it, and starts another when it is gone."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self.inbox: SimpleQueue[WindowEvent] = SimpleQueue()
        self._command = tuple(command)
        self._process: EngineProcess | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    @property
    def busy(self) -> bool:
        """Whether a job was sent whose end has not been told yet."""
        return self.alive and self._process is not None and self._process.busy

    def warm(self) -> None:
        """Start the process before it is needed. It then waits and uses next to nothing."""
        if not self.alive:
            if self._process is not None:
                self._process.forget()
            self._process = EngineProcess(self._command, self._tell)

    def send(self, command: Command) -> bool:
        """Send a command; a job or a query starts the engine if it does not run. False: nobody is there to hear it."""
        if isinstance(command, Job | Query):
            self.warm()
        if self._process is None or not self.alive:
            return False
        self._process.send(command)
        return True

    def close(self, seconds: float = 10.0) -> None:
        """End it: Quit, wait so long, then by force. The only call that waits; for the end of the program."""
        if self._process is not None:
            self._process.close(seconds)
        self._process = None

    def printed(self) -> list[str]:
        """The last lines that the engine and its libraries printed, for the details of an error."""
        return self._process.printed() if self._process else []

    def _tell(self, event: WindowEvent) -> None:
        self.inbox.put(event)


class EngineProcess:
    """One process from its start to its end."""

    def __init__(self, command: Sequence[str], tell: Callable[[WindowEvent], None]) -> None:
        self._tell = tell
        self.busy = False
        self._expected = False  # its end was asked for
        self._printed: deque[str] = deque(maxlen=LINES_KEPT)
        self._commands: SimpleQueue[Command | None] = SimpleQueue()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**python_environment(), "PYTHONUNBUFFERED": "1"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._write, self._listen)]
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def printed(self) -> list[str]:
        return list(self._printed)

    def send(self, command: Command) -> None:
        self.busy = self.busy or isinstance(command, Job)
        self._expected = self._expected or isinstance(command, Quit)
        self._commands.put(command)

    def forget(self) -> None:
        """Another one takes its place: an end that was not told yet would be taken for the end of that one."""
        self._expected = True

    def close(self, seconds: float) -> None:
        self.send(Quit())
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._commands.put(None)
        for thread in self._threads:
            thread.join(2)  # a child that outlives the engine may hold its pipes open

    def _write(self) -> None:
        pipe = _pipe(self._process.stdin)
        try:
            while (command := self._commands.get()) is not None:
                pipe.write(f"{encode(command)}\n")
                pipe.flush()
        except (OSError, ValueError):
            return  # it has died: the reader tells
        finally:
            _close(pipe)

    def _read(self) -> None:
        with _pipe(self._process.stdout) as pipe:
            for line in pipe:
                try:
                    event = decode(line)
                except ValueError as error:
                    event = Note(tr("A message from the engine could not be read: {error}", error=error), "warning")
                if isinstance(event, Finished | Failed):
                    self.busy = False
                self._tell(event)  # pyright: ignore[reportArgumentType]  an engine sends no commands
        self._on_exit()

    def _listen(self) -> None:
        with _pipe(self._process.stderr) as pipe:
            for line in pipe:
                self._printed.append(line.rstrip("\n"))

    def _on_exit(self) -> None:
        code = self._process.wait()
        self._threads[2].join(5)  # the last lines may still be on their way; a grandchild may hold the pipe open
        self._commands.put(None)
        working, self.busy = self.busy, False
        if not self._expected or working:
            details = "\n".join([tr("Exit code {code}.", code=code), *self._printed])
            self._tell(EngineDied(_words(code, working), details, working))


def _words(code: int, working: bool) -> str:
    """Why a process may have ended so, and what to do."""
    cause = tr("(exit code {code})", code=code)
    if code in (-getattr(signal, "SIGKILL", 9), 137):
        cause = tr("because the system ended it: most often it was out of memory")
    elif code < 0:
        cause = tr("(signal {signal}: a fault in a driver or a library)", signal=-code)
    way_back = (
        tr("Continue from the last backup, or start again.") if working else tr("It starts again with the next job.")
    )
    return tr("The engine has stopped {cause}. The window is not affected. {way_back}", cause=cause, way_back=way_back)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise AssertionError("every pipe was asked for")
    return pipe


def _close(pipe: IO[str]) -> None:
    try:
        pipe.close()
    except (OSError, ValueError):
        return  # what was still to be written has nobody to read it
