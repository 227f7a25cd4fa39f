"""Work that has to be done before anything else: beside the window, which stays alive and lets nothing else be done."""

from __future__ import annotations

from typing import Any, TypeVar

from app.gui.kit import App, Dialog, Progress, px
from app.gui.session.worker import Outcome, Worker

SOON_S = 0.15  # what is done so soon needs no dialog
EVERY_MS = 40

T = TypeVar("T")


def wait_for(app: App, title: str, work: Worker[T]) -> Outcome[T]:
    """What came out of it. Shows how far it is, where it takes longer than a moment."""
    if not work.ends_within(SOON_S):
        BusyDialog(app, title, work).wait()
    return work.wait()


class BusyDialog(Dialog):
    """How far it is. It cannot be closed: it goes when the work has ended."""

    def __init__(self, app: App, title: str, work: Worker[Any]) -> None:
        self._work = work
        super().__init__(app, title, answers=())
        self.bar = Progress(self.body, None)
        self.bar.pack(fill="x", pady=px(8))
        self._timer = self.after(EVERY_MS, self._look)

    def close(self, answer: Any) -> None:
        if not self._work.running:
            super().close(answer)

    def destroy(self) -> None:
        self.after_cancel(self._timer)
        super().destroy()

    def _look(self) -> None:
        if not self._work.running:
            self.close(None)
            return
        done, total = self._work.progress
        self.bar.set(done / total if total else None)
        self._timer = self.after(EVERY_MS, self._look)
