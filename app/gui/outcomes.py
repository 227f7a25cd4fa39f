"""What the window does when a job ends: a dialog for a failure, a line for a success, the close that waited for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.gui import endings
from app.gui.desk import Desk
from app.gui.engine import EngineDied
from app.gui.findings import changed
from app.gui.job import Job, Resumable, guarded
from app.gui.opening import open_place
from app.gui.run_words import way_on
from app.gui.running import WindowEvent
from modules.messages import Continued, Failed, Finished, Mend, Note, Paused
from modules.preset.adapters import ADAPTERS


class Outcomes:
    """`heard` is called with every event, after the run has taken it in."""

    def __init__(self, desk: Desk, job: Job, close: Callable[[], object]) -> None:
        self._desk, self._job, self._close = desk, job, close
        self.closing = False  # the window closes as soon as the job has ended
        self._hindered = ""  # what was said last of why a run has paused by itself

    def heard(self, event: WindowEvent) -> None:
        match event:
            case Failed() | EngineDied():
                self._failed(event)
            case Finished():
                self._finished(event)
            case Note(level="error"):
                self._desk.say(event.text, role="error")
            case Paused():
                self._paused(event.reason)
            case Continued():
                self._hindered = ""
            case _:
                pass

    def close_after_stop(self) -> None:
        """Stop with a backup, and close when that is done."""
        self.closing = True
        if self._desk.running.busy:
            until = "the backup is made" if self._desk.running.what == "train" else "the engine has stopped"
            self._desk.say(f"The window closes when {until}")
            if self._desk.running.stand != "stopping":
                self._job.stop()
        else:
            self._close()

    def _paused(self, reason: str) -> None:
        """A run waits by itself, and tries again by itself: each reason is said once."""
        if reason and reason != self._hindered:
            self._desk.say(f"Paused: {reason}", way_on(reason), self._job.pause_or_continue, role="changed")
        self._hindered = reason

    def _failed(self, event: Failed | EngineDied) -> None:
        desk = self._desk
        self.closing = False  # there is no backup now: that has to be said first
        self._hindered = ""
        if desk.running.what == "check" and isinstance(event, Failed) and not event.details:
            return  # its page says so
        back = self._job.lost() if desk.running.what == "train" else None
        endings.failed(desk.app, event, desk.running.what, back, self._answered, desk.engine.printed())

    def _answered(self, answer: Resumable | Mend) -> None:
        if isinstance(answer, Resumable):
            self._resume(answer)
            return
        wrong = changed(self._desk, answer)
        if wrong:
            self._desk.say(wrong, role="changed")
            return
        back = self._job.lost() if self._desk.running.what == "train" else None
        if back is None:
            self._desk.say(f"Changed: {answer.label}", "Start again", self._desk.start)
        else:
            words = f"Changed: {answer.label}"
            self._desk.say(words, f"Continue from step {back.step:,}", lambda: self._resume(back))

    def _resume(self, back: Resumable) -> None:
        guarded(
            lambda: self._job.start(back.folder),
            lambda error: (endings.refused(self._desk.app, "That cannot be started", error), None)[1],
        )

    def _finished(self, event: Finished) -> None:
        if self.closing:
            self._desk.app.after_idle(self._close)
            return
        running = self._desk.running
        if running.what != "train":
            return  # its card says so
        folder = running.folder
        words = f"Stopped at step {event.step:,}" if event.stopped else f"Finished: {event.step:,} steps"
        if event.stopped and running.backup_step == event.step > 0:
            words += ", with a backup. Start continues there"
        if folder is None:
            self._desk.say(words)
            return
        made, tries = running.model, []
        if made is not None and self._desk.draft.get("method.kind") in ADAPTERS:
            tries = [("Try this LoRA", lambda: self._desk.go("tools", str(made)))]
        role = "text2" if event.stopped else "good"
        self._desk.say(words, "Open folder", lambda: self._open(folder), role=role, more=tries)

    def _open(self, folder: Path) -> None:
        if problem := open_place(folder):
            self._desk.say(problem, role="changed")
