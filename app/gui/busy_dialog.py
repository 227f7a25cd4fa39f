"""Work that has to be done before anything else: beside the window, which stays alive and lets nothing else be done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from app.gui.kit import App, Button, Dialog, Label, Progress, px
from app.gui.session.worker import Report, Stop, Worker
from modules.errors import UserError
from modules.language import tr

SOON_S = 0.15  # what is done so soon needs no dialog
EVERY_MS = 40

T = TypeVar("T")


def run_blocking(app: App, title: str, act: Callable[[Report, Stop], T]) -> T:
    """What `act` gives. Shows how far it is, where it takes longer than a moment, and offers to cancel it.

    Raises:
        UserError: `act` did.
    """
    done: list[T | UserError] = []  # kept here: a worker that is cancelled gives nothing

    def work(report: Report, stop: Stop) -> None:
        try:
            done.append(act(report, stop))
        except UserError as error:
            done.append(error)

    worker = Worker(work)
    if not worker.ends_within(SOON_S):
        BusyDialog(app, title, worker).wait()
    worker.wait()
    if isinstance(done[0], UserError):
        raise done[0]
    return done[0]


class BusyDialog(Dialog):
    """How far it is. It cannot be closed: it goes when the work has ended, or has put back what it did."""

    def __init__(self, app: App, title: str, work: Worker[Any]) -> None:
        self._work = work
        super().__init__(app, title, answers=())
        self.bar = Progress(self.body, None)
        self.bar.pack(fill="x", pady=px(8))
        self.words = Label(self.body, "", role="text2")
        self.words.pack(fill="x")
        self.cancel = Button(self.footer, tr("Cancel"), self._cancel, hint=tr("Puts back what was written"))
        self.cancel.pack(side="right")
        self._timer = self.after(EVERY_MS, self._look)

    def close(self, answer: Any) -> None:
        if not self._work.running:
            super().close(answer)

    def destroy(self) -> None:
        self.after_cancel(self._timer)
        super().destroy()

    def _cancel(self) -> None:
        self._work.cancel()
        self.cancel.disable(tr("It is being put back."))

    def _look(self) -> None:
        if not self._work.running:
            self.close(None)
            return
        done, total = self._work.progress
        self.bar.set(done / total if total else None)
        if total:
            words = tr("{done:,} of {total:,}", done=done, total=total)
            self.words.set(tr("Putting back: {words}", words=words) if self._work.cancelled else words)
        self._timer = self.after(EVERY_MS, self._look)
