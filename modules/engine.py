"""The engine as a program: `python -m modules.engine` reads commands and writes events, a line of JSON each.

Messages go through a private copy of stdout; what libraries print goes to stderr, where whoever started the engine may
collect it. When the pipe of commands closes, the job backs up and ends: nothing is lost when a window dies.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from queue import SimpleQueue
from typing import IO

from modules.event_stream import condense
from modules.messages import (
    Answer,
    Channel,
    CheckPreset,
    Event,
    Failed,
    Finished,
    Mailbox,
    Message,
    Query,
    Quit,
    RunTool,
    Stop,
    Train,
    note,
)
from modules.sentences.printable import printable
from modules.sentences.problem import Problem, problem
from modules.session import Session
from modules.wire import decode, encode

TICK = 0.05  # seconds between two sendings: at most 20 messages of progress a second


class Engine:
    """Runs one job at a time; commands while it runs go to it. Queries are answered in turn, beside it."""

    def __init__(self, commands: IO[str], events: IO[str]) -> None:
        self._commands, self._events = commands, events
        self._channel = Channel.open()
        self._session: Session | None = None
        self._queries: SimpleQueue[Query] = SimpleQueue()
        self._quitting = threading.Event()
        self._end_sent = threading.Event()  # whoever listens knows that the job has ended

    def serve(self) -> None:
        """Until Quit, the end of the pipe, SIGTERM or SIGHUP; a job under way is stopped with a backup first."""
        for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):  # asked to end, or the terminal of the window was closed
            if number := getattr(signal, name, None):
                signal.signal(number, lambda *_: self.execute(Quit()))
        threading.Thread(target=self._listen, name="commands", daemon=True).start()
        threading.Thread(target=self._answer, name="queries", daemon=True).start()
        while not (self._quitting.is_set() and not self._running):
            time.sleep(TICK)
            self._send()
        self._send()

    def execute(self, message: Message) -> None:
        match message:
            case Train() | CheckPreset() | RunTool():
                if refusal := self._refusal():
                    self._channel.events.put(note(refusal, level="error"))
                    return
                # Fresh commands: a Stop that came too late for the last job is not meant for this one. The events stay
                # in their mailbox: the last ones of the last job may not have been sent yet.
                self._channel = Channel(self._channel.events, Mailbox())
                self._end_sent.clear()
                self._session = Session(message, self._channel)
                self._session.start()
            case Query():
                self._queries.put(message)
            case Quit():
                self._quitting.set()
                self._channel.commands.put(Stop())
            case _:
                self._channel.commands.put(message)  # type: ignore[arg-type]

    def _refusal(self) -> Problem | None:
        """Why no job can start now; None if one can."""
        if self._session and self._end_sent.is_set():
            self._session.wait()  # it has said its last word and only tidies up: the next one may be asked for already
        if self._running:
            return Problem("engine.busy")
        return Problem("engine.closing") if self._quitting.is_set() else None

    @property
    def _running(self) -> bool:
        return self._session is not None and self._session.running

    def _listen(self) -> None:
        for line in self._commands:
            try:
                self.execute(decode(line))
            except ValueError as error:
                refused = problem("engine.not-understood", error=printable(error, line=True))
                self._channel.events.put(note(refused, level="error"))
        self.execute(Quit())

    def _answer(self) -> None:
        while True:
            query = self._queries.get()
            try:
                if query.what == "plan":  # imported here: who never asks does not wait for it
                    from modules.check.plan.findings import answer  # noqa: PLC0415
                else:
                    from modules.check.trained.answers import answer  # noqa: PLC0415
                found = answer(query)
            except Exception:  # noqa: BLE001 - the edge of the thread: the window is told that there is no answer
                traceback.print_exc()
                found = Answer(query.id, query.what)
            self._channel.events.put(found)

    def _send(self) -> None:
        waiting: list[Event] = []
        while first_names := list(self._channel.events.drain()):
            waiting += first_names
        try:
            for event in condense(waiting):
                if isinstance(event, Finished | Failed):
                    self._end_sent.set()
                self._events.write(f"{encode(event)}\n")
            self._events.flush()
        except (OSError, ValueError):  # nobody listens any more
            self.execute(Quit())


def main() -> None:
    """Keep stdout for messages: everything else that is printed goes to stderr."""
    private = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # The window decides when to stop: a Ctrl-C in its terminal must not kill the engine beside it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    commands = os.fdopen(os.dup(sys.stdin.fileno()), "r", encoding="utf-8", errors="replace")
    Engine(commands, private).serve()


if __name__ == "__main__":
    main()
