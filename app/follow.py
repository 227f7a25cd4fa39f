"""One job from start to end in the foreground: events to the display, Ctrl-C and SIGTERM to the engine."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Protocol

from app.terminal import Display, NullDisplay
from modules.messages import Channel, Event, Failed, Finding, Finished, Started, Stop

TICK_S = 0.05
EXIT_DONE, EXIT_BUG, EXIT_USER_ERROR, EXIT_STOPPED = 0, 1, 2, 3
EXIT_KILLED = 130
CLOSED_OUTPUT_ERRORS = {
    errno.EPIPE,
    errno.EIO,
    errno.EBADF,
    errno.EINVAL,
}  # the latter is what Windows says of a closed pipe
STARTING = "Starting ..."  # loading torch takes seconds, in which nothing else would be seen
STOPPING = "Stopping after this step, with a backup. Press again to stop at once."
STOPPING_NOW = "Stopping at once, without a backup. Press again to leave without tidying up."


class JobSession(Protocol):
    """What is needed of a session."""

    @property
    def channel(self) -> Channel: ...
    @property
    def running(self) -> bool: ...
    def start(self) -> None: ...
    def wait(self) -> None: ...


class Interrupts:
    """Counts Ctrl-C, SIGTERM and a closed terminal: a gentle stop, a hard one, and the way out."""

    def __init__(self) -> None:
        self.count = 0
        self._handled = 0

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 2:
            os._exit(EXIT_KILLED)

    def install(self) -> None:
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            if number := getattr(signal, name, None):
                signal.signal(number, self)

    def next_unhandled(self) -> int:
        """Which interrupt is not answered yet: 1, 2, or 0 for none."""
        if self._handled == self.count:
            return 0
        self._handled += 1
        return self._handled


class FailSafeDisplay:
    """A display as long as somebody can see it; a closed terminal or a full disk must not cost a run its backup."""

    def __init__(self, display: Display, session: JobSession) -> None:
        self._display, self._session = display, session

    def show(self, event: Event) -> None:
        self._ignoring_closed_output(lambda: self._display.show(event))

    def say(self, text: str) -> None:
        self._ignoring_closed_output(lambda: self._display.say(text))

    def close(self) -> None:
        self._ignoring_closed_output(self._display.close)

    def _ignoring_closed_output(self, work: Callable[[], None]) -> None:
        """Where nobody reads any more (a closed pipe, a closed terminal), the run backs up and ends, as on Ctrl-C."""
        try:
            work()
        except OSError as error:
            if not isinstance(error, BrokenPipeError) and error.errno not in CLOSED_OUTPUT_ERRORS:
                return  # the disk with the log is full, say: this line is not in it, and the next one may be
            self._session.channel.commands.put(Stop())
            self._display = NullDisplay()


def follow(session: JobSession, display: Display) -> int:
    """Start a session, show its events until it has ended, and give the exit code."""
    interrupts = Interrupts()
    interrupts.install()
    display = FailSafeDisplay(display, session)
    session.start()
    display.say(STARTING)
    code, folder = EXIT_BUG, ""
    while True:
        running = session.running  # asked before the events are read: the last ones may come just before its end
        events = list(session.channel.events.drain())
        for event in events:
            display.show(event)
            code = _exit_code(event, code)
            folder = event.folder if isinstance(event, Started) else folder
            if isinstance(event, Failed):
                with suppress(OSError):  # nobody reads any more
                    _print_failure(event, folder)
        while which := interrupts.next_unhandled():
            session.channel.commands.put(Stop(now=which > 1))
            display.say(STOPPING if which == 1 else STOPPING_NOW)
        if not running and not events:
            break
        if not events:
            time.sleep(TICK_S)
    session.wait()
    display.close()
    return code


def _exit_code(event: Event, code: int) -> int:
    """The exit code as far as it is known. A check that found what keeps a run from starting ends well, and says so."""
    if isinstance(event, Finding) and event.severity == "error":
        return EXIT_USER_ERROR
    if isinstance(event, Finished):
        return EXIT_STOPPED if event.stopped else EXIT_USER_ERROR if code == EXIT_USER_ERROR else EXIT_DONE
    if isinstance(event, Failed):
        return EXIT_BUG if event.details else EXIT_USER_ERROR
    return code


def _print_failure(event: Failed, folder: str) -> None:
    """Say what went wrong on stderr. A traceback belongs into the run's log; before there is a run, it is shown."""
    sys.stderr.write(f"{event.message}\n")
    if event.details and folder:
        sys.stderr.write(f"This is a fault of the program. Details: {folder}/log.txt\n")
    elif event.details:
        sys.stderr.write(f"This is a fault of the program. Details:\n{event.details}\n")
