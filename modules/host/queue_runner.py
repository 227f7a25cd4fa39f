"""The queue, as a host runs it: the next job, how far it is, how it ended, and what is done when all is done.

`tick`, `next_job` and `close` are called by the host's own thread, which may wait for the disk; `heard` and `died` come
from the engine's threads and only take notes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from modules.errors import UserError
from modules.host.job_record import Ended
from modules.jobs import computer
from modules.jobs.cards import FOLDER, holder, likely_card
from modules.jobs.entry import Entry, QueuedJob
from modules.jobs.owner import Owner
from modules.jobs.queue import Queue
from modules.messages import Event, Failed, Finished, Progress, Retention, Stage, Started, Stop, Train
from modules.sentences.problem import Problem, problem

LOOK_S = 1.0  # between two looks at the queue
REPORT_S = 2.0  # between two reports of how far a job is
OPEN_AGAIN_S = 30.0  # for a file that cannot be opened
TRY_AGAIN_S = 15.0  # for a job whose card or run was taken just before it
NOTICE_S = 60.0  # before the computer sleeps or shuts down
NOT_DONE = {"sleep": "queue.no-sleep", "shutdown": "queue.no-shutdown"}
TAKEN = {"card.taken", "run.in-use"}  # by somebody who will have ended some time


@dataclass
class _Underway:
    """An entry whose job the engine does, and what was heard of it."""

    entry: Entry
    folder: str = ""
    step: int = 0
    total: int = 0
    seconds_left: float | None = None
    stage: str = ""
    results: dict[str, float] = field(default_factory=dict[str, float])
    end: Finished | Failed | Ended | None = None
    stop_sent: bool = False
    reported: tuple[Any, ...] = ()

    def take(self, event: Event) -> None:
        match event:
            case Started():
                self.folder, self.total, self.step = event.folder, event.steps, max(event.resumed_from, 0)
            case Progress():
                self.step, self.total, self.stage = event.step, event.steps, ""
                self.seconds_left = event.seconds_left
                self.results["loss"] = event.smooth_loss
            case Stage():
                self._take_stage(event)
            case Retention():
                self.results |= {"forgotten": event.forgotten, "balance": event.balance}
                if event.learnt is not None:
                    self.results["learnt"] = event.learnt
            case Finished() | Failed():
                self.end = event
            case _:
                pass

    def _take_stage(self, event: Stage) -> None:
        self.stage = event.code
        if not self.entry.is_run:
            self.step, self.total = event.done, event.total

    @property
    def state(self) -> tuple[Any, ...]:
        return self.folder, self.step, self.total, self.seconds_left, self.stage, dict(self.results)


class QueueRunner:
    """Of one host.

    Args:
        file: the queue's.
        tell: says something to the window, if one is there.
        carry_out: sends the computer to sleep, or shuts it down.
    """

    def __init__(
        self, file: Path, tell: Callable[[Problem], object],
        carry_out: Callable[[str], str] = computer.carry_out,
    ) -> None:  # fmt: skip
        self._file, self._tell, self._carry_out = file, tell, carry_out
        self._guard = threading.RLock()  # of what is under way
        self._underway: _Underway | None = None
        self._queue: Queue | None = None
        self._owner: Owner | None = None
        self._next_look = self._next_report = 0.0
        self._later: dict[int, float] = {}  # entries that are not tried again before this time
        self._cards: dict[str, str] = {}  # by device, as a preset names it
        self._free: dict[str, bool] = {}  # cards, as of this look
        self._ran = False  # this host has run something since the queue was last done
        self._ends_at: float | None = None  # as announced by this host
        self._wanted = False

    @property
    def working(self) -> bool:
        """Whether the engine's job is the queue's."""
        return self._underway is not None

    @property
    def title(self) -> str:
        """Of the entry that is done now; "" for none."""
        underway = self._underway
        return underway.entry.title if underway else ""

    @property
    def wanted(self) -> bool:
        """Whether something is left to do here: the host stays for it."""
        return self._underway is not None or self._wanted

    # From the engine's threads ----------------------------------------------------------------------------------------

    def heard(self, event: Event) -> None:
        with self._guard:
            if self._underway is not None:
                self._underway.take(event)

    def died(self, how: Ended) -> None:
        """The engine's process has ended before the job did."""
        with self._guard:
            if self._underway is not None and self._underway.end is None:
                self._underway.end = how

    # From the host's thread -------------------------------------------------------------------------------------------

    def next_job(self) -> QueuedJob | None:
        """What the engine is to do now, which counts as begun; None where there is nothing. Looks every second."""
        now = time.monotonic()
        if self._underway is not None or now < self._next_look:
            return None
        self._next_look = now + LOOK_S
        try:
            return self._taken()
        except (UserError, OSError):
            self._next_look, self._wanted = now + OPEN_AGAIN_S, False  # the window's page says so
            self._forget_file()
            return None

    def tick(self, *, ending: bool = False) -> Stop | None:
        """Write down how far the job is, and how it has ended. What the engine is to be told now."""
        underway = self._underway
        if underway is None or self._queue is None:
            return None
        try:
            if underway.end is not None:
                self._close_entry(self._queue, underway, ending=ending)
            elif underway.folder != (underway.reported or ("",))[0] or time.monotonic() >= self._next_report:
                return self._reported(self._queue, underway)
        except UserError as error:  # a full disk, say: tried again with the next report
            self._next_report = time.monotonic() + REPORT_S
            if underway.end is not None and error.problem.code == "queue.none":
                self._underway = None  # the list was damaged, and a new one has begun
        return None

    def give_back(self) -> None:
        """The job was not begun after all."""
        underway, self._underway = self._underway, None
        if underway is not None and self._queue is not None:
            with suppress(UserError):
                self._queue.finish(underway.entry.id, "waiting")

    def close(self) -> None:
        """The host ends: a job that was stopped for that waits again."""
        self.tick(ending=True)
        if self._owner is not None:
            self._owner.release()
        self._forget_file()

    # Beginning --------------------------------------------------------------------------------------------------------

    def _taken(self) -> QueuedJob | None:
        if self._queue is None:
            if not self._file.exists():
                return None  # nobody has ever queued anything
            self._queue = Queue(self._file)
            if aside := self._queue.put_aside:
                self._tell(aside)
        queue = self._queue
        queue.recover()
        self._free.clear()
        self._wanted = queue.can_go_on
        entry = queue.take_next(self._own(), self._claim) if self._wanted else None
        if entry is None:
            self._all_done(queue)
            return None
        if entry.job is None:
            queue.finish(entry.id, "failed", problems=[problem("queue.other-release", title=entry.title)])
            return None
        with self._guard:
            self._underway = _Underway(entry, entry.folder, entry.step, entry.total, results=dict(entry.results))
            self._underway.reported = self._underway.state
        self._ran = True
        self._call_off(queue)
        return _continued(entry.job, entry.folder)

    def _own(self) -> str:
        if self._owner is None:
            self._owner = Owner(self._file)
        return self._owner.id

    def _claim(self, entry: Entry) -> str | None:
        """The card that an entry would run on here. Tools wait for it, too: most of them need it."""
        if time.monotonic() < self._later.get(entry.id, 0.0):
            return None
        if isinstance(entry.job, Train) and entry.job.share_card:
            return ""
        general = entry.job.preset.get("general") if isinstance(entry.job, Train) else None
        device = str(general.get("device", "auto")) if isinstance(general, dict) else "auto"
        if device not in self._cards:
            self._cards[device] = likely_card(device)
        card = self._cards[device]
        if card not in self._free:
            self._free[card] = holder(card, self._file.with_name(FOLDER)) is None
        return card if self._free[card] else None

    # On the way, and the end ------------------------------------------------------------------------------------------

    def _reported(self, queue: Queue, underway: _Underway) -> Stop | None:
        self._next_report = time.monotonic() + REPORT_S
        with self._guard:
            folder, step, total, left, stage, results = state = underway.state
        if state != underway.reported:
            queue.report(
                underway.entry.id, step=step, total=total, seconds_left=left, stage=stage, folder=folder,
                results=results,
            )  # fmt: skip
            underway.reported = state
        if not underway.stop_sent and queue.entry(underway.entry.id).wish:
            underway.stop_sent = True
            return Stop()
        return None

    def _close_entry(self, queue: Queue, underway: _Underway, *, ending: bool) -> None:
        number, end = underway.entry.id, underway.end
        underway.reported = ()
        self._reported(queue, underway)
        match end:
            case Finished(stopped=False):
                queue.finish(number, "finished", folder=underway.folder or end.path)
            case Finished():
                queue.finish(number, "waiting" if ending else "paused", folder=underway.folder)
            case Failed():
                self._failed(queue, number, end)
            case _:
                queue.interrupt(number, _printed(end))
        self._underway, self._next_look = None, 0.0

    def _failed(self, queue: Queue, number: int, end: Failed) -> None:
        if any(each.code in TAKEN for each in end.problems):
            self._later[number] = time.monotonic() + TRY_AGAIN_S
            queue.finish(number, "waiting")
            return
        problems = end.problems or [problem("queue.fault", error=end.message)]
        queue.finish(number, "failed", problems=problems, details=end.details)

    def _all_done(self, queue: Queue) -> None:
        """Nothing is left that can begin, and the last of it ran here: say so, wait for a minute, and do it."""
        if not self._ran or self._wanted or queue.running or not queue.on or queue.when_done == "nothing":
            self._call_off(queue)
            return
        now = time.time()
        if self._ends_at is None or queue.ends_at is None:
            self._ends_at = queue.ends_at = now + NOTICE_S
        elif now >= self._ends_at:
            what, self._ran, self._ends_at = queue.when_done, False, None
            queue.when_done = "nothing"  # once: it is no setting
            if wrong := self._carry_out(what):
                self._tell(problem(NOT_DONE[what], reason=wrong))
        self._wanted = self._ends_at is not None

    def _call_off(self, queue: Queue) -> None:
        """The computer does not sleep: something was added, or the person says so."""
        if self._ends_at is not None and queue.ends_at is not None:
            queue.ends_at = None
        self._ends_at = None

    def _forget_file(self) -> None:
        if self._queue is not None:
            self._queue.close()
        self._queue = None


def _continued(job: QueuedJob, folder: str) -> QueuedJob:
    """A run that has its folder goes on there. It pauses for nobody: nobody may be there to go on."""
    if not isinstance(job, Train):
        return job
    preset, validation = job.preset, job.preset.get("validation")
    if isinstance(validation, dict) and validation.get("then") == "pause":
        preset = {**preset, "validation": {**validation, "then": "tell"}}
    resume = folder if folder and Path(folder).is_dir() else job.resume
    return replace(job, preset=preset, resume=resume)


def _printed(how: Any) -> str:
    """What the engine printed last, for the log."""
    return "\n".join([f"exit code {how['code']}", *how["printed"]]) if isinstance(how, dict) else ""
