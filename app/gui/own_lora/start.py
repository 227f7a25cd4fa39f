"""Step 4: check, then train. What the check finds stands here."""

from __future__ import annotations

from typing import Any

from app.gui.check.finding_card import FindingCard
from app.gui.check.findings import Result, checks_for
from app.gui.context import AppContext
from app.gui.kit import Button, Label, px
from app.gui.own_lora.step import Step
from app.gui.session.number_format import stage_text
from modules.language import plural, tr
from modules.messages import Finding

MOST = 4  # findings; the page Check has them all


class StartStep(Step):
    """Never done: what follows is the run."""

    def __init__(self, master: Any, context: AppContext, number: int) -> None:
        super().__init__(master, context, number, tr("Start"), tr("check, then train"))
        self._checks = checks_for(context)
        self._shown: tuple[Result, list[Finding]] | None = None
        self._button = Button(self.head, tr("Check and start"), self._start, kind="primary", image="play")
        self._button.pack(side="right")
        self._button.disable(tr("Do the steps above first."))

    @property
    def done(self) -> bool:
        return False

    def refresh(self, *, ready: bool) -> None:
        super().refresh(ready=ready)
        if not ready:
            self._button.disable(tr("Do the steps above first."))
            self.words.set(self.hint)
            return
        self._button.set(tr("Start anyway") if self._checks.start_anyway else tr("Check and start"))
        self._button.disable(self.context.start_blocked_reason())
        stage = self.context.running.stage
        if self._checks.checking:
            self.words.set(
                tr("Checking: {what}", what=stage_text(stage)) if stage and stage.total else tr("Checking …")
            )
        else:
            self.words.set(self._length())

    def _length(self) -> str:
        steps, epochs = (int(self.context.draft.get(f"training.{name}") or 0) for name in ("steps", "epochs"))
        if steps:
            return plural(steps, "1 step", "{count:,} steps")
        return plural(epochs, "1 epoch", "{count:,} epochs")

    def show(self) -> None:
        """What has been found of the settings as they are now."""
        result = self._checks.current()
        told = [each for each in self._checks.listed(result) if each.severity != "info"] if result else []
        now = (result, told) if result else None
        if now != self._shown:
            self._shown = now
            self.body.clear()
            if result and result.failure:
                Label(self.body, result.failure, role="error", wrap=True).pack(fill="x")
            for finding in told[:MOST]:
                self._card(finding)
            if len(told) > MOST:
                Label(self.body, tr("More on the page Check."), role="text2").pack(fill="x")
        if result and self.winfo_viewable():
            self._checks.mark_seen(result)

    def _card(self, finding: Finding) -> None:
        card = FindingCard(self.body, self.context, finding, self._checks.mute)
        card.pack(fill="x", pady=(0, px(8)))
        for _ in card.build():
            pass

    def _start(self) -> None:
        self.context.start()
