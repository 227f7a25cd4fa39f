"""Starting, stopping and continuing a run: what the Start button decides, without a widget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from app.gui.context import AppContext
from app.gui.draft.state import values_of
from app.gui.draft.tree_edit import replaced
from app.gui.session.earlier_run import EarlierRun, earlier_run, trainings_elsewhere
from app.gui.session.run_history import Run
from modules.errors import UserError
from modules.jobs.cards import PROCESSOR, holder, likely_card
from modules.language import plural, tr
from modules.messages import BackupNow, Continue, Job, Pause, SampleNow, SaveNow, Stop, Train
from modules.preset.paths import Values
from modules.sentences.problem import as_it_is
from modules.system.bundled import in_program_folder


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


@dataclass(frozen=True, slots=True)
class Way:
    """How a run is to begin: a new one, or on in the folder of an earlier one."""

    folder: Path | None = None
    own: bool = False  # with the settings that it was trained with, and not with those of now
    steps: int = 0  # that it is to have in the end; 0: as the settings say
    check: bool = False  # look first, as for a new run


NEW = Way()


class RunControl:
    """The run of this window. What cannot be done now has its reason in words: `blocked`, `no_run_reason`."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self.beside = False  # the next run is to begin although another one has the card
        self.sent: Train | None = None  # the last run that was to begin

    # Starting ---------------------------------------------------------------------------------------------------------

    def blocked(self, *, busy: bool | None = None) -> str:
        """Why nothing can be started now; "" if it can. `busy`: whether the engine counts as at work."""
        if self._context.running.busy if busy is None else busy:
            return tr("Something is running already.")
        return no_images(self._context) or fix_first(len(self._context.draft.errors()))

    def earlier(self) -> EarlierRun | None:
        """The newest run of the draft's name, if it can be continued: then Start has to ask."""
        return earlier_run(self._context.draft.freeze())

    def elsewhere(self) -> list[str]:
        """Runs of this workspace, or on this card, that another window or a command line trains now."""
        draft, running = self._context.draft, self._context.running
        workspace = in_program_folder(str(draft.get("general.workspace")))
        found = trainings_elsewhere(workspace, running.folder if running.busy else None)
        card = likely_card(str(draft.get("general.device")))
        run = holder(card) if card != PROCESSOR and not found else None
        return found if run is None else [run]

    def lost(self) -> Resumable | None:
        """The run that has just failed in this window, if there is a backup of it."""
        running = self._context.running
        reached = running.progress.step if running.progress else 0
        return self._backup_of(Run(running.folder), reached) if running.folder else None

    def _backup_of(self, run: Run, reached: int) -> Resumable | None:
        backups = run.backups()
        return Resumable(run.folder, backups[0][0], reached) if backups else None

    def start(self, way: Way = NEW) -> None:
        """Train what the draft says, afresh or in the folder of an earlier run.

        Raises:
            UserError: it cannot be started now.
        """
        if way.folder and way.own:
            self.resume(way.folder, way.steps)
            return
        if reason := self.blocked():
            raise UserError(as_it_is(reason))
        self._train(self._context.draft.freeze(), way.folder, way.steps)

    def resume(self, folder: Path, steps: int = 0) -> None:
        """Continue any run with the settings that it was trained with; to so many `steps` in all, if any.

        Raises:
            UserError: something is running, or the run left no settings.
        """
        if self._context.running.busy:
            raise UserError("run.busy")
        self._train(self.own_settings(folder), folder, steps)

    def own_settings(self, folder: Path) -> Values:
        """What a run was trained with.

        Raises:
            UserError: it left no settings.
        """
        preset = Run(folder).preset
        if preset is None:
            raise UserError("run.no-settings", name=folder.name)
        return values_of(preset)

    def _train(self, values: Values, resume: Path | None, steps: int) -> None:
        if steps:
            values = replaced(values, "training.steps", steps)
        self.sent = Train(values, str(resume.absolute()) if resume else "", self.beside)
        begin(self._context, "train", self.sent)

    def share_card(self) -> None:
        """The last run that was to begin, although another one has the card.

        Raises:
            UserError: the engine cannot be started.
        """
        if self.sent is not None:
            begin(self._context, "train", replace(self.sent, share_card=True))

    # While it runs ----------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """After this step and with a backup; asked a second time, at once. A look has nothing to back up."""
        running = self._context.running
        if not running.busy:
            return
        self._context.engine.send(Stop(now=running.state == "stopping" or running.what == "check"))
        running.stopping()

    def no_run_reason(self) -> str:
        """Why a run cannot be told anything now; "" if it can."""
        running = self._context.running
        if running.busy and running.what != "train":
            return tr("Only for training runs.")
        return "" if running.state in ("training", "paused") else tr("No training is running.")

    def pause_or_continue(self) -> None:
        self._send(Continue() if self._context.running.state == "paused" else Pause())

    def backup_now(self) -> None:
        self._send(BackupNow())

    def sample_now(self) -> None:
        """The preset's prompts, between two steps."""
        self._send(SampleNow())

    def save_now(self) -> None:
        self._send(SaveNow())

    def _send(self, command: Continue | Pause | BackupNow | SampleNow | SaveNow) -> None:
        if not self.no_run_reason():
            self._context.engine.send(command)


def begin(context: AppContext, what: str, task: Job) -> None:
    """Give the engine a job: the run is under way only if there is an engine.

    Raises:
        UserError: the engine's process cannot be started.
    """
    try:
        context.engine.send(task)
    except OSError as error:
        raise UserError("engine.not-started", reason=error.strerror or str(error)) from error
    context.running.begin(what)


def guarded(act: Callable[[], None], notify: Callable[[UserError], None]) -> None:
    """Do it, and say in words why it cannot be done."""
    try:
        act()
    except UserError as error:
        notify(error)


def no_images(context: AppContext) -> str:
    """Why nothing can be started, where all that is missing is something to train on; "" otherwise."""
    nothing_else = set(context.draft.errors()) == {"concepts"} and not context.draft.get("concepts")
    return tr("Choose images first.") if nothing_else else ""


def fix_first(wrong: int) -> str:
    """Why nothing starts while settings are wrong; "" if none is."""
    if not wrong:
        return ""
    return plural(wrong, "Fix 1 setting first (F8).", "Fix {count} settings first (F8).")


def busy_reason(what: str) -> str:
    """Why a tool or a check has to wait for the job under way."""
    if what == "train":
        return tr("Available when the run has finished.")
    return tr("Available when the current job has finished.")
