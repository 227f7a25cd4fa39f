"""From the Start button to a run: begun now, beside another one, or put into the queue to come after it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from app.gui.check.pre_start import PreStartCheck
from app.gui.context import AppContext
from app.gui.enqueue import enqueue, run_entry
from app.gui.run import dialogs
from app.gui.run.start_question import ask_start
from app.gui.run_control import NEW, RunControl, Way, fix_first, guarded, no_images
from modules.errors import UserError
from modules.language import tr
from modules.preset.paths import Values


class Begun(Protocol):
    """Called when something was begun."""

    def __call__(self, *, trains: bool) -> object:
        """`trains`: a run was sent to the engine; else a look, or nothing yet."""
        ...


class Starting:
    """What Start, Continue and "Add to queue" do, with the questions that they ask.

    Args:
        show: brings the page with the findings of a look to the front.
    """

    def __init__(self, context: AppContext, job: RunControl, show: Callable[[], object], begun: Begun) -> None:
        self._context, self._job, self._begun = context, job, begun
        self._runs: Values | None = None  # the settings that this window's run was begun with
        self.pre_start = PreStartCheck(context, job, self._begin, show)

    def start(self) -> None:
        """Ask where there is something to ask; else look first, then train."""
        self._unless_training(self._ask_start, partial(self.enqueue, after=True))

    def resume(self, folder: Path) -> None:
        """Go on with a run, with its own settings."""
        self._unless_training(
            lambda: guarded(lambda: self._job.resume(folder), self._refused),
            lambda: guarded(lambda: self._enqueue_rest(folder), self._refused),
        )
        self._begun(trains=False)

    def tick(self) -> None:
        """Go on when a look has ended."""
        guarded(self.pre_start.tick, self._refused)

    def _unless_training(self, begin: Callable[[], object], after_it: Callable[[], object]) -> None:
        """Begin; where another window trains, only if the user wants two at once, or after that one."""

        def begin_beside() -> None:
            self._job.beside = True
            begin()

        self._job.beside = False
        if others := self._job.elsewhere():
            dialogs.ask_beside(self._context.app, others, begin_beside, after_it)
        else:
            begin()

    def _ask_start(self) -> None:
        earlier = None if self.pre_start.chosen else self._job.earlier()
        if earlier is None:
            self._start(self.pre_start.chosen or NEW)
        else:
            ask_start(self._context, earlier, self._start)

    def _start(self, way: Way) -> None:
        guarded(lambda: self.pre_start.start(way), self._refused)
        self._begun(trains=False)

    def _begin(self, way: Way) -> None:
        guarded(lambda: self._job.start(way), self._refused)
        self._runs = self._context.draft.freeze()
        self._begun(trains=True)

    def _refused(self, error: UserError) -> None:
        dialogs.refused(self._context.app, tr("That cannot be started"), error)

    # The queue --------------------------------------------------------------------------------------------------------

    @property
    def other_settings(self) -> bool:
        """Whether a run goes on, and the settings are not those that it was begun with."""
        return self._context.running.training and self._context.draft.freeze() != self._runs

    def why_not_queued(self) -> str:
        """Why the settings of now cannot be put into the queue; "" if they can."""
        return no_images(self._context) or fix_first(len(self._context.draft.errors()))

    def enqueue(self, *, after: bool = False) -> None:
        """Put the settings of now into the queue, as a new run. `after`: it is to begin after another window's run."""
        if not self.why_not_queued():
            enqueue(self._context, run_entry(self._context.draft.freeze()), after=after)

    def _enqueue_rest(self, folder: Path) -> None:
        """Have a run go on with its own settings after another window's run.

        Raises:
            UserError: it left no settings.
        """
        enqueue(self._context, run_entry(self._job.own_settings(folder), folder), after=True)
