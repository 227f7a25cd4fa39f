"""Processes of the program for tests: forked from one that has imported everything, where there are forks.

From there on they do what `python ...` does: their own signals, streams and files. What they have not is the five
seconds of loading torch. That all starts from nothing, too, is for tests/gui/session/test_engine_client.py to say.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import IO, Any

from modules.system.bundled import ROOT
from modules.system.runtime import python_command

PIPE = subprocess.PIPE


def python(
    *arguments: str, stdin: Any = PIPE, stdout: Any = PIPE, stderr: Any = PIPE, new_session: bool = False, **more: str
) -> Any:
    """As `subprocess.Popen` with these arguments ("-m" or "-c" first); `more`: variables of its environment."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **more}
    if "forkserver" not in get_all_start_methods():
        return subprocess.Popen(
            python_command(*arguments), cwd=ROOT, stdin=stdin, stdout=stdout, stderr=stderr, env=environment,
            start_new_session=new_session,
        )  # fmt: skip
    return Forked(arguments, [stdin, stdout, stderr], environment, new_session)


class Forked:
    """What tests need of a `subprocess.Popen`."""

    def __init__(self, arguments: tuple[str, ...], streams: list[Any], environment: dict[str, str], new_session: bool):
        context = get_context("forkserver")
        context.set_forkserver_preload(["tests.warm"])
        ends = [os.pipe() if stream is PIPE else None for stream in streams]
        given = [
            stream if pair is None else pair[min(place, 1)]
            for place, (stream, pair) in enumerate(zip(streams, ends, strict=True))
        ]
        with Path(os.devnull).open("r+b") as nothing:
            given = [nothing if stream == subprocess.DEVNULL else stream for stream in given]
            handed = [_Handed(stream if isinstance(stream, int) else stream.fileno()) for stream in given]
            self._process = context.Process(target=_be, args=(arguments, handed, environment, new_session), daemon=True)
            self._process.start()
        ours: list[IO[bytes] | None] = []
        for place, pair in enumerate(ends):
            ours.append(os.fdopen(pair[1 - min(place, 1)], "rb" if place else "wb") if pair else None)
            if pair:
                os.close(pair[min(place, 1)])
        self.stdin, self.stdout, self.stderr = ours
        self.pid: int = self._process.pid or 0

    def poll(self) -> int | None:
        return self._process.exitcode

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self.stdin, self.stdout, self.stderr):
            if pipe:
                pipe.close()
        self.wait()


class _Handed:
    """A file descriptor on its way into a process that begins."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Callable[[Any], int], tuple[Any]]:
        return _arrived, (DupFd(self.number),)


def _arrived(handed: Any) -> int:
    return handed.detach()


def _be(arguments: tuple[str, ...], streams: list[int], environment: dict[str, str], new_session: bool) -> None:
    if new_session:
        os.setsid()
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    kind, name, *rest = arguments
    sys.argv = [kind, *rest]
    if kind == "-m":
        sys.modules.pop(name, None)
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    else:
        exec(compile(name, "<string>", "exec"), {"__name__": "__main__"})
    sys.stdout.flush()
