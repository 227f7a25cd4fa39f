"""From the Start button to the run: a look first, unless that is switched off, and the way on when it has been made.

No widgets. A look that was cancelled starts nothing; one that finds nothing bad starts the run at once; else the page
comes to the front, and the next Start means it. A run that goes on as it was is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable

from app.gui.check.findings import checks_for
from app.gui.context import AppContext
from app.gui.run_control import NEW, RunControl, Way
from modules.errors import UserError
from modules.messages import Failed, Finished, Stop
from modules.sentences.problem import as_it_is


class PreStartCheck:
    """`start` as the button does; `tick` goes on when a look has ended.

    Args:
        begin: trains, in the folder of a run that is continued or afresh.
        show: brings the page with the findings to the front.
    """

    def __init__(
        self, context: AppContext, job: RunControl, begin: Callable[[Way], object], show: Callable[[], object]
    ) -> None:
        self._context, self._job, self._begin, self._show = context, job, begin, show
        self._checks = checks_for(context)
        self._way, self._asked = NEW, ""  # and for which settings
        self.waiting = False  # a run begins when the look has ended
        self._again = False  # the look under way is of other settings: it ends, and another one begins

    @property
    def checking(self) -> bool:
        """Whether a look is under way that nobody waits for: a start may join it."""
        running = self._context.running
        return running.busy and running.what == "check" and running.state != "stopping" and not self.waiting

    def blocked(self) -> str:
        """Why nothing can be started now; "" if it can."""
        return self._job.blocked(busy=self._context.running.busy and not self.checking)

    def start_blocked_reason(self) -> str:
        """For the button: why it does not start; "" if it does, or asks."""
        return self.blocked() or (self._checks.blocking_problem() if self._checks.check_before_start else "")

    def start(self, way: Way = NEW) -> None:
        """Train after a look; a run that goes on with its own settings, or with the same ones, begins without one.

        Raises:
            UserError: it cannot be started now.
        """
        if reason := self.blocked():
            raise UserError(as_it_is(reason))
        self._checks.resume = way.folder
        self._way, self._asked = way, self._checks.key
        if self._context.running.busy:
            self._join(wanted=self._looks)
        elif not self._looks or self._checks.start_anyway:
            self._begin(way)
        elif self._checks.current() is not None:
            self._decide()
        else:
            self._checks.run(start=True)
            self.waiting = True

    @property
    def chosen(self) -> Way | None:
        """How the run was to begin, where the page has shown what will hurt and Start now means "anyway"."""
        return self._way if self._checks.start_anyway and self._asked == self._checks.key else None

    @property
    def _looks(self) -> bool:
        return self._checks.check_before_start and (self._way.folder is None or self._way.check)

    def cancel(self) -> None:
        """Stop was pressed: whatever the look says now, nothing is started."""
        self.waiting = False

    def tick(self) -> None:
        """Go on when the look has ended; the caller asks often.

        Raises:
            UserError: it cannot be started now.
        """
        running = self._context.running
        if self.waiting and running.queued:
            self.waiting = False  # the queue was faster: the run would begin at some time when nobody expects it
        if not self.waiting or running.busy:
            return
        self.waiting = False
        again, self._again = self._again, False
        if not self._looks:
            self._begin(self._way)
        elif again:
            self.start(self._way)
        elif isinstance(running.ended, Failed):
            self._show()
        elif isinstance(running.ended, Finished) and not running.ended.stopped:
            self._decide()

    def _join(self, *, wanted: bool) -> None:
        """A look is under way: wait for it if it is wanted and of these settings, else end it."""
        self._again = self._checks.checking != self._checks.key
        if not wanted or self._again:
            self._context.engine.send(Stop(now=True))
        self.waiting = True

    def _decide(self) -> None:
        """A look at these settings has just been made, or is known."""
        found = self._checks.current()
        if found is None:  # something was changed meanwhile
            self.start(self._way)
        elif self._checks.has_warnings(found):
            self._show()
        else:
            self._begin(self._way)
