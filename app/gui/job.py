"""Starting, stopping and continuing a run: what the Start button decides, without a widget."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.gui.desk import Desk
from app.gui.edited import values_of
from app.gui.runs import Run, Runs
from modules.errors import UserError
from modules.messages import BackupNow, Continue, Pause, SampleNow, SaveNow, Stop, Train
from modules.messages import Job as Task
from modules.preset.naming import run_name
from modules.system.bundled import at_home


@dataclass(frozen=True, slots=True)
class Resumable:
    """A run that can be continued."""

    folder: Path
    step: int  # of its newest backup
    reached: int = 0  # the step that the run had come to, as far as is known

    @property
    def lost(self) -> int:
        """Steps that are done again."""
        return max(self.reached - self.step, 0)


class Job:
    """The run of this window. What cannot be done now has its reason in words: `blocked`, `unable`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    # Starting ---------------------------------------------------------------------------------------------------------

    def blocked(self, *, busy: bool | None = None) -> str:
        """Why nothing can be started now; "" if it can. `busy`: whether the engine counts as at work."""
        if self._desk.running.busy if busy is None else busy:
            return "Something is running already."
        wrong = len(self._desk.draft.errors())
        if wrong:
            return f"{wrong} setting{'s have' if wrong > 1 else ' has'} to be mended first (F8 goes there)."
        return ""

    def resumable(self) -> Resumable | None:
        """The newest run of the draft's name, if it was ended early and left a backup."""
        draft = self._desk.draft
        wanted = re.compile(rf"{re.escape(run_name(draft.preset()))}( \d+)?")
        runs = Runs(at_home(str(draft.get("general.workspace"))))
        named = [run for run in runs.list() if wanted.fullmatch(run.name)]
        return self._continued(named[0]) if named else None

    def lost(self) -> Resumable | None:
        """The run that has just failed in this window, if there is a backup of it."""
        running = self._desk.running
        reached = running.progress.step if running.progress else 0
        return self._backup_of(Run(running.folder), reached) if running.folder else None

    def _continued(self, run: Run) -> Resumable | None:
        status = run.summary.status
        if status == "running" and not self._ours(run.folder):
            return None  # another window is at it
        found = self._backup_of(run, run.summary.step)
        if found is None or (status == "finished" and found.step >= int(self._desk.draft.get("training.steps") or 0)):
            return None
        return found

    def _backup_of(self, run: Run, reached: int) -> Resumable | None:
        backups = run.backups()
        return Resumable(run.folder, backups[0][0], reached) if backups else None

    def _ours(self, folder: Path) -> bool:
        mine = self._desk.running.folder
        return mine is not None and mine.absolute() == folder.absolute()

    def start(self, resume: Path | None = None) -> None:
        """Train what the draft says, afresh or in the folder of a run that was stopped.

        Raises:
            UserError: it cannot be started now.
        """
        if reason := self.blocked():
            raise UserError(reason)
        self._train(self._desk.draft.freeze(), resume)

    def resume(self, folder: Path) -> None:
        """Continue any run with the settings that it was trained with.

        Raises:
            UserError: something is running, or the run left no settings.
        """
        preset = Run(folder).preset
        if self._desk.running.busy:
            raise UserError("Something is running already.", advice="Wait for its end, or stop it.")
        if preset is None:
            raise UserError(f"The settings of {folder.name} cannot be read.", advice="Start it anew.")
        self._train(values_of(preset), folder)

    def _train(self, values: dict[str, object], resume: Path | None) -> None:
        begin(self._desk, "train", Train(values, str(resume.absolute()) if resume else ""))

    # While it runs ----------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """After this step and with a backup; asked a second time, at once. A look has nothing to back up."""
        running = self._desk.running
        if not running.busy:
            return
        self._desk.engine.send(Stop(now=running.stand == "stopping" or running.what == "check"))
        running.stopping()

    def unable(self) -> str:
        """Why a run cannot be told anything now; "" if it can."""
        running = self._desk.running
        if running.busy and running.what != "train":
            return "Only for training runs."
        return "" if running.stand in ("training", "paused") else "Nothing is being trained now."

    def pause_or_continue(self) -> None:
        self._tell(Continue() if self._desk.running.stand == "paused" else Pause())

    def backup_now(self) -> None:
        self._tell(BackupNow())

    def sample_now(self) -> None:
        """The preset's prompts, between two steps."""
        self._tell(SampleNow())

    def save_now(self) -> None:
        self._tell(SaveNow())

    def _tell(self, command: Continue | Pause | BackupNow | SampleNow | SaveNow) -> None:
        if not self.unable():
            self._desk.engine.send(command)


def begin(desk: Desk, what: str, task: Task) -> None:
    """Give the engine a job: the run is under way only if there is an engine.

    Raises:
        UserError: the engine's process cannot be started.
    """
    try:
        desk.engine.send(task)
    except OSError as error:
        raise UserError(
            f"The engine cannot be started: {error.strerror or error}.",
            advice="Is memory left, and is Seachange's folder .venv still there? Start Seachange again.",
        ) from error
    desk.running.begin(what)


def guarded(act: Callable[[], None], say: Callable[[UserError], None]) -> None:
    """Do it, and say in words why it cannot be done."""
    try:
        act()
    except UserError as error:
        say(error)
