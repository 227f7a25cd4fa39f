"""The processes that die: forked from one that has imported everything, or real commands.

A forked child does what `python -m app train` does from there on: the same function, its own signals, its own files.
What it has not is the five seconds of loading torch, so that hundreds can be killed; some are started from the shell.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from modules.messages import Failed, Finished, Progress, Quit, Stage, Started, Train
from modules.system.bundled import ROOT
from modules.system.runtime import python_command, python_environment
from modules.wire import decode, encode
from tests.faults.trap import Shot, TensorBoardWriter, Trap

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """An engine whose window was killed becomes a child of this process, which can then wait for its end."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def import_as(names: Path) -> None:
    """Import every module that a run had imported at its end, so that forked ones have them."""
    for name in json.loads(names.read_text())["modules"]:
        with suppress(ImportError, RuntimeError):
            importlib.import_module(name)


def forked(work: Callable[[], int], output: Path) -> int:
    """Do `work` in a process of its own, which prints into `output`; gives its number."""
    sys.stdout.flush()
    sys.stderr.flush()
    if child := os.fork():
        return child
    code = 1
    try:
        with output.open("ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        code = work()
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = 3  # as app/__main__ answers it
    except BaseException:  # noqa: BLE001 - the edge of the process
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def train(
    project: Path, resume: str, board: TensorBoardWriter, shot: Shot, *, tally: Path | None = None
) -> Callable[[], int]:
    """The work of a run from the command line. `tally`: a file for the calls that were counted and the imports."""

    def work() -> int:
        from app.cli import run

        trap = _watched(project.parent, board, shot)
        code = run(["train", str(project), *(["--resume", resume] if resume else [])])
        if tally:
            tally.write_text(json.dumps({"calls": dict(trap.counts), "modules": sorted(sys.modules)}))
        return code

    return work


def window(project: Path, resume: str, board: TensorBoardWriter, shot: Shot) -> Callable[[], int]:
    """The work of a window: it starts an engine on a pipe, gives it the run, listens, and ends the engine with it."""

    def work() -> int:
        from modules.preset.files.store import load
        from modules.preset.rules.rules import validate

        commands, tell = os.pipe()
        listen, events = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(tell)
            os.close(listen)
            _engine(project.parent, board, shot, commands, events)
        os.close(commands)
        os.close(events)
        board.write(engine=child)
        preset = validate(load(project).values).model_dump(mode="json")
        with suppress(BrokenPipeError):
            os.write(tell, f"{encode(Train(preset, resume))}\n".encode())
        code = _listened(listen, tell)
        status = os.waitpid(child, 0)[1]
        return code if os.WIFEXITED(status) else 100 + os.WTERMSIG(status)

    return work


def _engine(workspace: Path, board: TensorBoardWriter, shot: Shot, commands: int, events: int) -> None:
    """Be an engine on two pipes, to the end of the process."""
    code = 1
    try:
        for pipe, place in ((commands, 0), (events, 1)):
            os.dup2(pipe, place)
            os.close(pipe)
        from modules.engine import main

        _watched(workspace, board, shot)
        main()
        code = 0
    except BaseException:  # noqa: BLE001 - the edge of the process
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _listened(listen: int, tell: int) -> int:
    code = 99  # the engine ended without a last word
    with os.fdopen(listen, "r", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                event = decode(line)
            except ValueError:
                continue  # its process was killed in the middle of a line
            if isinstance(event, Finished | Failed):
                code = 2 if isinstance(event, Failed) else 3 if event.stopped else 0
                if isinstance(event, Failed):
                    sys.stderr.write(f"{event.message}\n{event.details}")
                with suppress(BrokenPipeError):
                    os.write(tell, f"{encode(Quit())}\n".encode())
    return code


def command(project: Path, resume: str) -> Callable[[], int]:
    """A true `python -m app train`, from nothing."""

    def work() -> int:
        os.chdir(ROOT)
        resumed = ["--resume", resume] if resume else []
        os.execve(sys.executable, python_command("-m", "app", "train", str(project), *resumed), python_environment())

    return work


def _watched(workspace: Path, board: TensorBoardWriter, shot: Shot) -> Trap:
    """Set the trap, and let the board know what the process is doing."""
    from modules.messages import Mailbox

    trap = Trap(workspace, board, shot)
    trap.set()
    put = Mailbox.put

    def seen(mailbox: Any, message: Any) -> None:
        put(mailbox, message)
        if isinstance(message, Stage):
            board.write(doing=message.title)
        elif isinstance(message, Started | Progress):
            board.write(doing="Training")

    Mailbox.put = seen  # type: ignore[method-assign]
    return trap


def ended(process: int, *, wait: bool) -> int | None:
    """How a process ended: its exit code, or minus the signal that killed it; None while it runs."""
    found, status = os.waitpid(process, 0 if wait else os.WNOHANG)
    if not found:
        return None
    return os.waitstatus_to_exitcode(status)


def shoot(process: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.Signals(number))
