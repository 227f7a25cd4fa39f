"""What the user asked for, between the steps and inside of long work: stop, pause, changes, and the rest in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from modules.messages import Change, Command, Continue, Mailbox, Pause, Quit, Stop


class Interrupted(Exception):
    """The user stopped the job at once. Not an error: he wants it so."""


class Control:
    """Reads the mailbox of commands. Long work calls `check` often; the loop calls `commands` after each step."""

    def __init__(self, mailbox: Mailbox[Command]) -> None:
        self._mailbox = mailbox
        self._waiting: deque[Command] = deque()
        self.stopping = False
        self.paused = False
        self.stop_now = False
        self.stop_count = self.continue_count = (
            0  # how often Stop and Continue came: who waits for them notices another one
        )
        self.finishes_step = (
            False  # whether a plain Stop can wait for the end of a step, because there is something to back up
        )

    def read(self) -> None:
        """Take in what has arrived, without waiting."""
        for command in self._mailbox.drain():
            match command:
                case Stop() | Quit():
                    self.stop_now = self.stop_now or (isinstance(command, Stop) and command.now)
                    self.stopping, self.paused = True, False
                    self.stop_count += 1
                case Pause():
                    self.paused = True
                case Continue():
                    self.paused = False
                    self.continue_count += 1
                case _:
                    self._waiting.append(command)

    def check(self) -> None:
        """Leave long work when the user wants it: at any time if he said so, else only where nothing would be lost.

        Raises:
            Interrupted: to be caught by whoever started the job.
        """
        self.read()
        if self.stop_now or (self.stopping and not self.finishes_step):
            raise Interrupted

    def stop_requested(self) -> bool:
        """For work that asks instead of being interrupted (a scan, filling the cache)."""
        self.read()
        return self.stopping

    def commands(self) -> Iterator[Command]:
        """What is to be done now, oldest first; live changes come as they are."""
        self.read()
        while self._waiting:
            yield self._waiting.popleft()

    def changes(self) -> Iterator[Change]:
        """Only the changes of live settings, when there is no loop yet to obey the rest."""
        yield from (command for command in self._waiting if isinstance(command, Change))
