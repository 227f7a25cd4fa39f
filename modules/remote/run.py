"""A run on another machine, told as if it went on here: events come, commands go, and its folder is kept here, too.

The host there (`modules/host`) owns the engine: when the line breaks, the run goes on, and the line is opened again.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from queue import Empty, SimpleQueue
from typing import Any

from modules.errors import UserError
from modules.host.frames import frame_in
from modules.host.job_record import JobRecord
from modules.messages import (
    BackupSaved,
    Command,
    Event,
    Failed,
    Finished,
    Message,
    ModelSaved,
    Progress,
    SampleReady,
    Stage,
    Started,
    Stop,
    Train,
    note,
)
from modules.preset.files.absolute_paths import with_absolute_paths
from modules.preset.files.store import write_project
from modules.preset.paths import Values, put
from modules.preset.preset import Preset
from modules.preset.rules.rules import validate
from modules.remote.address import Address
from modules.remote.fetching import Elsewhere, RunCopy, elsewhere, last_job_in
from modules.remote.link import WAITS_S, Link, Shell
from modules.remote.sending import sent, uploads
from modules.run_folders import LOCK, new_run_folder, run_to_continue
from modules.sentences.problem import problem
from modules.system.bundled import in_program_folder
from modules.system.failures import failure_of
from modules.system.locks import Lock, LockTaken
from modules.wire import decode, encode

Tell = Callable[[Event], None]
SAYS_S = 15.0  # how often a line says that this side is still there
SILENCES = 4
CONNECTS_WITHIN_S = 60.0
TICK_S = 0.1


@dataclass
class Seen:
    """What has been told of a run, so that nothing is told twice after the line was broken."""

    step: int = 0
    paths: set[str] = field(default_factory=set[str])

    def new(self, events: list[Message]) -> list[Any]:
        """Of all that happened, what was not told yet: losses, files and the end. Notes stand in the log."""
        found: list[Any] = []
        for event in events:
            match event:
                case Progress() if event.step > self.step:
                    losses = [each for each in event.losses if each[0] > self.step]
                    found.append(replace(event, losses=losses))
                case SampleReady() | BackupSaved() | ModelSaved() if event.path not in self.paths:
                    found.append(event)
                case Finished() | Failed():
                    found.append(event)
                case Started() if not self.paths:
                    found.append(event)
                case _:
                    continue
        return found

    def take(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.step = max(self.step, event.step)
        elif isinstance(event, SampleReady | BackupSaved | ModelSaved):
            self.paths.add(event.path)
        elif isinstance(event, Started):
            self.paths.add(event.folder)


class RemoteRun:
    """One run there. `run` does it; commands may be sent from any thread meanwhile."""

    def __init__(self, address: Address, job: Train, tell: Tell, says_s: float = SAYS_S) -> None:
        """`says_s`: how often either side says that it is still there, and is missed after four times."""
        self._address, self._job, self._tell = address, job, tell
        self._commands: SimpleQueue[Command] = SimpleQueue()
        self._seen, self._ended, self._leaving = Seen(), False, False
        self._stopped_now = self._broken = False  # the user waits no longer; the line was broken once
        self._shell: Shell | None = None
        self._says_s, self._heard_at = says_s, time.monotonic()

    def send(self, command: Command) -> None:
        self._commands.put(command)
        if isinstance(command, Stop) and command.now:
            self._stopped_now = True

    def leave(self) -> None:
        """Let the run go on there without this side."""
        self._leaving = True
        if self._shell is not None:
            self._shell.close()

    def run(self) -> None:
        """To its end. The last event is Finished or Failed, unless it was left."""
        try:
            with ExitStack() as stack:
                self._run(stack)
        except BaseException as error:  # noqa: BLE001 - the edge of the thread: nothing may end in silence
            if not self._leaving:
                self._tell(failure_of(error))

    # From the start to the end ----------------------------------------------------------------------------------------

    def _run(self, stack: ExitStack) -> None:
        preset = with_absolute_paths(validate(self._job.preset))
        known = self._known(preset)
        if known is not None and known[1].address != str(self._address):
            raise UserError("remote.other-machine", address=known[1].address, run=known[0].name)
        self._tell(Stage("stage.connecting"))
        self._link = Link(self._address, lambda: self._leaving or self._stopped_now)
        stack.callback(self._link.close)
        values = self._sent(preset)
        self._where = known[1] if known else Elsewhere(str(self._address), self._new_engines())
        self._here = known[0] if known else new_run_folder(preset)
        if preset.output.path:
            self._tell(note(problem("remote.output", file=preset.output.path), level="warning"))
        if known is None:
            write_project(preset, self._here / "preset.json")
        self._where.write(self._here)
        stack.enter_context(_lock(self._here))
        self._copy = RunCopy(self._link, self._where.folder, self._here)
        stack.callback(lambda: self._shell and self._shell.close())
        if not (known and self._found()):
            self._shell = self._bridge("--new")
            self._say(encode(replace(self._job, preset=values, resume=self._where.folder if known else "")))
        threading.Thread(target=self._forward, daemon=True).start()
        while not self._ended and not self._leaving:
            self._listen()
            if not self._ended and not self._leaving:
                self._find_again()

    def _found(self) -> bool:
        """Whether the run goes on there, or has ended unseen: then it is shown, and not begun again."""
        self._shell = self._bridge()
        first = self._first_line(self._shell)
        if first and (hello := frame_in(first.rstrip(b"\n"))) and (hello.get("found") or hello.get("ended")):
            return True
        self._shell.close()
        return False

    def _known(self, preset: Preset) -> tuple[Path, Elsewhere] | None:
        """The run that goes on: its folder here, and where it is.

        Raises:
            UserError: there is none, or it is one of this machine.
        """
        if not self._job.resume:
            return None
        workspace = in_program_folder(preset.general.workspace)
        general = preset.general.model_copy(update={"workspace": str(workspace)})
        folder = run_to_continue(preset.model_copy(update={"general": general}), self._job.resume)
        where = elsewhere(folder)
        if where is None or not where.folder:
            raise UserError("remote.run-of-here", run=folder.name)
        return folder, where

    def _sent(self, preset: Preset) -> Values:
        """The settings as they are to be there, once everything they name is there."""
        values = preset.model_dump(mode="json")
        wanted = uploads(values)
        cache = in_program_folder(preset.general.workspace) / "cache"
        values = sent(self._link, values, wanted, cache, self._tell)
        put(values, "general.workspace", self._link.machine.workspace)
        put(values, "general.cache", "")
        put(values, "output.path", "")
        return values

    def _new_engines(self) -> str:
        return str(PurePosixPath(self._link.machine.workspace) / "received" / "engines" / uuid.uuid4().hex)

    # The line ---------------------------------------------------------------------------------------------------------

    def _bridge(self, *options: str) -> Shell:
        words = (self._where.engines, str(self._says_s), *options)
        self._heard_at = time.monotonic() + CONNECTS_WITHIN_S
        return Shell(self._address, self._address.python("modules.remote.there.bridge", *words))

    def _say(self, line: str) -> None:
        shell = self._shell
        if shell is not None:
            try:
                shell.out.write(line.encode() + b"\n")
                shell.out.flush()
            except (OSError, ValueError):
                return  # the line is broken: the reader notices

    def _forward(self) -> None:
        """Commands as they come, and a sign of life where none come."""
        said = time.monotonic()
        while not self._ended and not self._leaving:
            try:
                self._say(encode(self._commands.get(timeout=TICK_S)))
            except Empty:
                self._look()
                if time.monotonic() - said < self._says_s:
                    continue
                self._say("")
            said = time.monotonic()

    def _look(self) -> None:
        """A line that has been silent for too long is ended here: its reader then opens another one."""
        if self._shell is not None and time.monotonic() - self._heard_at > SILENCES * self._says_s:
            self._heard_at = time.monotonic() + CONNECTS_WITHIN_S
            self._shell.close()

    def _listen(self) -> None:
        """Everything that comes, until the line or the job ends."""
        shell = self._shell
        assert shell is not None
        try:
            for line in shell.lines:
                self._heard_at = time.monotonic()
                if line.strip():
                    self._heard(line.rstrip(b"\n"))
                if self._ended:
                    return
        except (OSError, ValueError):
            return

    def _heard(self, data: bytes) -> None:
        match frame_in(data):
            case None:
                self._take(decode(data.decode("utf-8", "replace")))  # type: ignore[arg-type]
            case {"host": "record"}:
                for event in self._seen.new(JobRecord.unpacked(data).events):
                    self._take(event)
            case {"host": "died", "working": True, "printed": printed}:
                self._take(_died(printed))
            case {"host": "bridge", "found": False, "ended": 0} if self._broken:
                self._ended_unseen()
            case _:
                return

    def _ended_unseen(self) -> None:
        """The host is gone. If the run came to its end, its last words were lost with the line: its folder has them."""
        events: list[Any] = []
        if self._where.folder:
            self._copy.bring_all()
            events = self._seen.new(last_job_in(self._here / "events.jsonl"))
        for event in events:
            self._take(event)
        if not self._ended:
            self._take(_gone(self._address))

    def _find_again(self) -> None:
        """Open the line again, as long as it takes."""
        self._broken = True
        assert self._shell is not None
        self._tell(note(problem("remote.line-lost", address=str(self._address)), level="warning"))
        waits = iter(WAITS_S)
        while not self._leaving and not self._stopped_now:
            self._shell.close()
            _wait(next(waits, WAITS_S[-1]), lambda: self._leaving or self._stopped_now)
            self._shell = self._bridge()
            if first := self._first_line(self._shell):
                self._tell(note(problem("remote.line-found", address=str(self._address))))
                self._heard(first.rstrip(b"\n"))
                return
            if self._shell.why().problem.code == "remote.not-set-up":
                raise self._shell.why()
        if not self._leaving:
            raise UserError("remote.left-alone", address=str(self._address))

    def _first_line(self, shell: Shell) -> bytes:
        try:
            return shell.lines.readline()
        except (OSError, ValueError):
            return b""

    # Events -----------------------------------------------------------------------------------------------------------

    def _take(self, event: Any) -> None:
        """Tell it with the paths of this machine, once what it names is here."""
        self._seen.take(event)
        match event:
            case Started():
                self._started(event)
            case SampleReady():
                self._tell(replace(event, path=str(self._copy.bring(event.path) or event.path)))
            case BackupSaved() | ModelSaved():
                self._tell(replace(event, path=str(self._copy.place_of(event.path) or event.path)))
            case Finished() | Failed():
                self._end(event)
            case _:
                self._tell(event)

    def _started(self, event: Started) -> None:
        self._where = replace(self._where, folder=event.folder)
        self._where.write(self._here)
        self._copy = RunCopy(self._link, event.folder, self._here)
        self._tell(replace(event, folder=str(self._here)))

    def _end(self, event: Finished | Failed) -> None:
        """Bring all that was made, then tell it. What cannot be brought now lies there still, and is said so."""
        if self._where.folder:
            self._tell(Stage("stage.bringing"))
            try:
                self._copy.bring_all()
            except UserError as error:
                self._tell(note(error.problem, level="error"))
        if isinstance(event, Finished) and event.path:
            event = replace(event, path=str(self._copy.place_of(event.path) or event.path))
        self._ended = True
        self._tell(event)


def _lock(folder: Path) -> Lock:
    """The run's folder for this process alone.

    Raises:
        UserError: another process has it.
    """
    try:
        return Lock(folder / LOCK, TICK_S)
    except LockTaken:
        raise UserError("run.in-use", folder=folder, process=[]) from None


def _died(printed: list[str]) -> Failed:
    error = UserError("remote.engine-died")
    return Failed(str(error), details="\n".join(map(str, printed)), problems=error.report)


def _gone(address: Address) -> Failed:
    error = UserError("remote.gone", address=str(address))
    return Failed(str(error), problems=error.report)


def _wait(seconds: float, enough: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not enough():
        time.sleep(TICK_S)
