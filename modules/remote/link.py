"""A line to the other machine for files: opened by ssh, asked one thing at a time, opened again where it breaks."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import IO, Any, TypeVar

from modules.errors import UserError
from modules.host.server import version
from modules.remote.address import Address
from modules.remote.stream import Broken, Header, Stream
from modules.sentences.printable import printable
from modules.sentences.problem import Problem, problem

T = TypeVar("T")
UNREACHABLE = 255  # ssh's own exit code: no machine, no key, a host that is not known
LINES_KEPT = 20
ENDS_WITHIN_S = 5.0
WAITS_S = (1, 2, 5, 10, 20, 40, 60)  # between tries to reach it again; the last one for ever


@dataclass(frozen=True, slots=True)
class Machine:
    """What the other machine says of itself."""

    workspace: str
    free: int  # bytes
    python: str
    system: str
    cards: tuple[tuple[str, int], ...]  # name and bytes of memory


class Shell:
    """An ssh process that runs one program there: pipes to it, and the last lines that it or ssh complained with."""

    def __init__(self, address: Address, words: str) -> None:
        self.address = address
        self._said: deque[str] = deque(maxlen=LINES_KEPT)
        try:
            self._process = subprocess.Popen(
                address.command(words),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0), **_apart(),
            )  # fmt: skip
        except OSError as error:
            raise UserError("remote.no-ssh", reason=error.strerror or str(error)) from error
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def lines(self) -> IO[bytes]:
        return _pipe(self._process.stdout)

    @property
    def out(self) -> IO[bytes]:
        return _pipe(self._process.stdin)

    def close(self) -> None:
        """End the line at once; what runs there behind a bridge goes on."""
        self._process.kill()
        self._process.wait()
        self._listener.join(ENDS_WITHIN_S)
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                _pipe(pipe).close()
            except OSError:
                continue  # what was still to be written has nobody to read it

    def why(self) -> UserError:
        """Why it has ended: ssh's own words, or what the shell there said. One that hangs is ended here."""
        try:
            code = self._process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._listener.join(ENDS_WITHIN_S)
        said = printable(next((line for line in reversed(self._said) if line.strip()), ""), line=True).rstrip(". ")
        where = str(self.address)
        if code == UNREACHABLE:
            return UserError("remote.unreachable", address=where, reason=said or "ssh")
        if code in (1, 126, 127):  # no such folder, no such program
            return UserError("remote.not-set-up", address=where, folder=self.address.folder, reason=said)
        return UserError("remote.ended", address=where, exit=code, reason=said)

    def _listen(self) -> None:
        with _pipe(self._process.stderr) as said:
            for line in said:
                self._said.append(line.decode("utf-8", "replace").rstrip())


def ready(address: Address, machine: Machine) -> Problem:
    """What a machine has, as a sentence."""
    cards = [problem("remote.card", name=name, memory=memory) for name, memory in machine.cards]
    python = problem("remote.python", python=machine.python, system=machine.system)
    cards = cards or [Problem("remote.no-card")]
    return problem("remote.machine", address=str(address), python=python, cards=cards, free=machine.free)


def _apart() -> dict[str, Any]:
    """Ctrl-C in a terminal is for the run, and not for ssh."""
    return {} if os.name == "nt" else {"start_new_session": True}


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise AssertionError("every pipe was asked for")
    return pipe


class Link:
    """The other machine's files. Made, it has been reached and is of this version.

    Raises:
        UserError: it cannot be reached, has no Seachange, or another version.
    """

    def __init__(self, address: Address, gone: Callable[[], bool] = lambda: False) -> None:
        """`gone`: whether nobody waits any more; asked while a broken line is opened again."""
        self.address, self._gone = address, gone
        self._shell, self._stream = self._opened()
        self.machine = self._greeted()

    def ask(self, header: Header, data: Iterable[bytes] = ()) -> Header:
        """One question and its answer.

        Raises:
            Broken: the line has ended.
            UserError: the other side refuses.
        """
        self._stream.send(header, data)
        return self._answer()

    def ask_for_bytes(self, header: Header, use: Callable[[bytes], object]) -> int:
        """A question that is answered with bytes; how many came."""
        answer = self.ask(header)
        self._stream.take(size := int(answer["bytes"]), use)
        return size

    def keep_trying(self, work: Callable[[], T]) -> T:
        """Do work over this line, and again over a new one as often as it breaks.

        Raises:
            UserError: it cannot go on; or nobody waits any more, and the line is gone.
        """
        waits = iter(WAITS_S)
        while True:
            try:
                return work()
            except Broken:
                why = self._shell.why()
                while not self._reopened():
                    if self._gone():
                        raise why from None
                    _sleep(next(waits, WAITS_S[-1]), self._gone)

    def close(self) -> None:
        self._shell.close()

    def _reopened(self) -> bool:
        self._shell.close()
        try:
            self._shell, self._stream = self._opened()
            self.machine = self._greeted()
        except UserError as error:
            if error.problem.code in ("remote.unreachable", "remote.ended"):
                return False
            raise
        return True

    def _opened(self) -> tuple[Shell, Stream]:
        shell = Shell(self.address, self.address.python("modules.remote.there.files"))
        return shell, Stream(shell.lines, shell.out)

    def _greeted(self) -> Machine:
        try:
            hello = self.ask({"do": "hello"})
        except Broken:
            why = self._shell.why()
            self.close()
            raise why from None
        if hello.get("version") != version():
            self.close()
            raise UserError("remote.version", address=str(self.address))
        cards = tuple((str(name), int(memory)) for name, memory in hello["cards"])
        return Machine(str(hello["workspace"]), int(hello["free"]), str(hello["python"]), str(hello["system"]), cards)

    def _answer(self) -> Header:
        answer = self._stream.receive()
        if "error" in answer:
            reason = printable(str(answer["error"]), line=True).rstrip(". ")
            raise UserError(problem("remote.refused", address=str(self.address), reason=reason))
        return answer


def _sleep(seconds: float, gone: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not gone():
        time.sleep(0.1)
