"""One job from start to end in the foreground: events to the display, Ctrl-C and SIGTERM to the engine."""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType
from typing import Protocol

from app.terminal import Display, Silent
from modules.messages import Channel, Event, Failed, Finished, Started, Stop

TICK_S = 0.05
DONE, BUG, MENDABLE, STOPPED = 0, 1, 2, 3
KILLED = 130
STARTING = "Starting ..."  # loading torch takes seconds, in which nothing else would be seen
STOPPING = "Stopping after this step, with a backup. Press again to stop at once."
STOPPING_NOW = "Stopping at once, without a backup. Press again to leave without tidying up."


class Running(Protocol):
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
        self._answered = 0

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 2:
            os._exit(KILLED)

    def install(self) -> None:
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            if number := getattr(signal, name, None):
                signal.signal(number, self)

    def new(self) -> int:
        """Which interrupt is not answered yet: 1, 2, or 0 for none."""
        if self._answered == self.count:
            return 0
        self._answered += 1
        return self._answered


def follow(session: Running, display: Display) -> int:
    """Start a session, show its events until it has ended, and give the exit code."""
    interrupts = Interrupts()
    interrupts.install()
    session.start()
    display.say(STARTING)
    code, folder = BUG, ""
    while True:
        running = session.running  # asked before the events are read: the last ones may come just before its end
        events = list(session.channel.events.drain())
        for event in events:
            display = _shown(event, display, session)
            code = _code_of(event, code)
            folder = event.folder if isinstance(event, Started) else folder
            if isinstance(event, Failed):
                _complain(event, folder)
        while which := interrupts.new():
            session.channel.commands.put(Stop(now=which > 1))
            display.say(STOPPING if which == 1 else STOPPING_NOW)
        if not running and not events:
            break
        if not events:
            time.sleep(TICK_S)
    session.wait()
    display.close()
    return code


def _shown(event: Event, display: Display, session: Running) -> Display:
    """Show the event. Where nobody reads any more (a closed pipe), the run backs up and ends, as on Ctrl-C."""
    try:
        display.show(event)
    except BrokenPipeError:
        session.channel.commands.put(Stop())
        return Silent()
    return display


def _code_of(event: Event, code: int) -> int:
    if isinstance(event, Finished):
        return STOPPED if event.stopped else DONE
    if isinstance(event, Failed):
        return BUG if event.details else MENDABLE
    return code


def _complain(event: Failed, folder: str) -> None:
    """Say what went wrong on stderr. A traceback belongs into the run's log; before there is a run, it is shown."""
    sys.stderr.write(f"{event.message}\n")
    if event.details and folder:
        sys.stderr.write(f"This is a fault of the program. Details: {folder}/log.txt\n")
    elif event.details:
        sys.stderr.write(f"This is a fault of the program. Details:\n{event.details}\n")
