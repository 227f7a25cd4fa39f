"""Work in forked processes: what crashes, hangs or runs out of memory there is an answer here."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any


class Failed(Exception):
    """What went wrong in a child: a line, and what the child printed of it."""

    def __init__(self, line: str, details: str = "") -> None:
        super().__init__(line, details)
        self.line, self.details = line, details


class Child:
    """A function at work in a process of its own, which says one thing or several.

    The parent must not have used CUDA before: a forked process cannot go on with it.
    """

    def __init__(self, work: Callable[..., Any], *arguments: Any) -> None:
        """`work` is given a function that sends something to the parent, and the arguments."""
        context = get_context("fork")
        self._end, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_run, args=(theirs, work, arguments), daemon=True)
        self._process.start()
        theirs.close()

    def answer(self, seconds: float = 0.0) -> Any:
        """The next thing that it says.

        Raises:
            Failed: it has nothing to say in this time, failed, or has ended.
        """
        try:
            found = self._end.recv() if self._end.poll(seconds) else Failed(f"not done after {seconds:.0f} s")
        except EOFError:
            self._process.join()
            found = Failed(f"the process ended with code {self._process.exitcode}")
        if isinstance(found, Failed):
            raise found
        return found

    def stop(self) -> None:
        self._process.kill()
        self._process.join()
        self._end.close()


def _run(end: Connection, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        work(end.send, *arguments)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent says it
        line = (str(error).strip() or type(error).__name__).partition("\n")[0]
        end.send(Failed(f"{type(error).__name__}: {line}"[:120], traceback.format_exc(limit=-6)))
