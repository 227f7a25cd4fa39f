"""What the window does when a job ends: a dialog for a failure, a line for a success, the close that waited for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.gui import endings
from app.gui.desk import Desk
from app.gui.engine import EngineDied
from app.gui.job import Job, Resumable, guarded
from app.gui.opening import open_place
from app.gui.running import WindowEvent
from modules.messages import Failed, Finished, Note


class Outcomes:
    """`heard` is called with every event, after the run has taken it in."""

    def __init__(self, desk: Desk, job: Job, start: Callable[[], object], close: Callable[[], object]) -> None:
        self._desk, self._job, self._start, self._close = desk, job, start, close
        self.closing = False  # the window closes as soon as the job has ended

    def heard(self, event: WindowEvent) -> None:
        match event:
            case Failed() | EngineDied():
                self._failed(event)
            case Finished():
                self._finished(event)
            case Note(level="error"):
                self._desk.say(event.text, role="error")
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

    def _failed(self, event: Failed | EngineDied) -> None:
        desk = self._desk
        self.closing = False  # there is no backup now: that has to be said first
        back = self._job.lost() if desk.running.what == "train" else None
        endings.failed(desk.app, event, desk.running.what, back, self._resume, desk.engine.printed())

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
        else:
            self._desk.say(words, "Open folder", lambda: self._open(folder), role="text2" if event.stopped else "good")

    def _open(self, folder: Path) -> None:
        if problem := open_place(folder):
            self._desk.say(problem, role="changed")
