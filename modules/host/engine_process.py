"""The engine's process as whoever starts it holds it: lines in, lines out, what it prints, and how it ended."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import IO

from modules.system.runtime import python_command, python_environment

COMMAND = python_command("-m", "modules.engine")
LINES_KEPT = 200  # of what the engine printed: the end of it tells why it died


class EngineProcess:
    """One process from its start to its end. Nothing waits but `close`: three threads read and write.

    Args:
        on_line: called with each line that it writes.
        on_printed: called with each line that it or its libraries print.
        on_exit: called with the exit code, after the last line of both.
    """

    def __init__(
        self, command: Sequence[str], on_line: Callable[[str], object], on_printed: Callable[[str], object],
        on_exit: Callable[[int], object],
    ) -> None:  # fmt: skip
        self._on_line, self._on_printed, self._on_exit = on_line, on_printed, on_exit
        self._lines: SimpleQueue[str | None] = SimpleQueue()
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

    def write(self, line: str) -> None:
        self._lines.put(line)

    def end(self, seconds: float | None) -> None:
        """Wait for its end, so long at most, then by force."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._lines.put(None)
        for thread in self._threads:
            thread.join(2)  # a child that outlives the engine may hold its pipes open

    def _write(self) -> None:
        pipe = _pipe(self._process.stdin)
        try:
            while (line := self._lines.get()) is not None:
                pipe.write(f"{line}\n")
                pipe.flush()
        except (OSError, ValueError):
            return  # it has died: the reader tells
        finally:
            _close(pipe)

    def _read(self) -> None:
        with _pipe(self._process.stdout) as pipe:
            for line in pipe:
                self._on_line(line.rstrip("\n"))
        code = self._process.wait()
        self._threads[2].join(5)  # the last lines may still be on their way; a grandchild may hold the pipe open
        self._lines.put(None)
        self._on_exit(code)

    def _listen(self) -> None:
        with _pipe(self._process.stderr) as pipe:
            for line in pipe:
                self._on_printed(line.rstrip("\n"))


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise AssertionError("every pipe was asked for")
    return pipe


def _close(pipe: IO[str]) -> None:
    try:
        pipe.close()
    except (OSError, ValueError):
        return  # what was still to be written has nobody to read it
