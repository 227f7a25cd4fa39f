"""What is said between status and charts when a run forgets faster than it learns, with what would help."""

from __future__ import annotations

from functools import partial
from typing import Any

from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Button, Frame, Label, RoundFrame, px
from app.gui.run.run_source import RunSource
from modules.language import tr
from modules.messages import Fix

RATE = "training.learning_rate"


class AlarmBar(RoundFrame):
    """`show(source)`: whether there is an alarm. Whoever lays it out packs it then."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master, "error_soft", edge="error")
        self._context = context
        self._shown: list[Fix] | None = None
        words = tr("It is forgetting faster than it learns: lower the learning rate, or add prior images.")
        self.words = Label(self, words, role="error", image="triangle-alert", wrap=True)
        self.words.pack(side="left", fill="x", expand=True, padx=px(14), pady=px(8))
        self.buttons = Frame(self)
        self.buttons.pack(side="right", padx=px(10), pady=px(6))

    def show(self, source: RunSource) -> bool:
        """Take the buttons from what the run said last of it."""
        if not source.retentions or not source.retentions[-1].alarm:
            return False
        fixes = [note.fixes for note in source.remarks if note.fixes][-1:]
        fixes = fixes[0] if fixes else []
        if fixes != self._shown:
            self._shown = fixes
            self.buttons.clear()
            for fix in fixes:
                Button(self.buttons, WORDS.label(fix), partial(self._apply, fix)).pack(side="left", padx=(px(6), 0))
            rate = partial(self._context.go, "training", RATE)
            Button(self.buttons, tr("Go to learning rate"), rate, kind="quiet").pack(side="left", padx=(px(6), 0))
        return True

    def _apply(self, fix: Fix) -> None:
        """The settings of now are changed: they are for the next run, or for this one once it is continued."""
        wrong = self._context.draft.apply(fix.changes, WORDS.label(fix))
        words = (
            tr("That cannot be set: {wrong}", wrong=wrong) if wrong else tr("Changed: {label}", label=WORDS.label(fix))
        )
        self._context.notify(words, role="changed" if wrong else "text2")
