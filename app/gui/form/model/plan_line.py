"""Under the quantization: whether the run fits, as the last check has planned it, and the way to the plan."""

from __future__ import annotations

from typing import Any

from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Frame, Label, LinkButton, px
from modules.language import tr
from modules.messages import Finished, MemoryPlan, Rung
from modules.plan_text import enough, how, missing
from modules.text import GB, in_bytes, whole_gb


class PlanLine(Frame):
    """Empty until something was planned; grey once settings are other than they were then."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master)
        self._context = context
        self.label = Label(self, "", font="small", wrap=True)
        self.link = LinkButton(self, tr("Open the plan"), lambda: context.go("check"))
        self.until_destroyed(context.running.listen(self._heard), context.draft.watch("", lambda _: self._show()))
        self._show()

    def _heard(self, event: object) -> None:
        if isinstance(event, Finished):
            self.after_idle(self._show)  # who keeps the results hears of it, too

    def _show(self) -> None:
        checks = self._context.checks
        plan: MemoryPlan | None = checks.shown.plan if checks and checks.shown else None
        if plan is None:
            return
        words = " ".join(verdict(plan))
        role = "text3" if checks.stale else "good" if plan.rungs[plan.chosen].fits else "error"
        self.label.set(tr("Before the last changes: {words}", words=words) if checks.stale else words, role)
        if not self.label.winfo_manager():
            self.link.pack(side="right")
            self.label.pack(side="left", fill="x", expand=True, padx=(px(2), 0))


def verdict(plan: MemoryPlan) -> tuple[str, str]:
    """Whether it fits and what is done for it; and what that comes to."""
    rung = plan.rungs[plan.chosen]
    if not rung.fits:
        short = in_bytes(missing(plan))
        smallest = tr("The smallest way: {way}.", way=way_of(plan, rung))
        return tr("Does not fit: {size} short.", size=short), smallest + "".join(map(WORDS.what, enough(plan)))
    used = tr("{used:.1f} of {total}", used=rung.peak / GB, total=whole_gb(plan.total))
    slower = _slower(plan)
    if slower >= 0.05:
        return tr("Fits: {way}.", way=way_of(plan, rung)), tr(
            "{used}, about {percent} % slower than all on the card.", used=used, percent=round(100 * slower)
        )
    return tr("Fits: {way}.", way=way_of(plan, rung)), f"{used}."


def _slower(plan: MemoryPlan) -> float:
    """How much longer a step takes than on a card of any size; 0 where nobody knows."""
    whole = next((rung for rung in plan.rungs if not rung.offloaded and rung.seconds), None)
    return plan.rungs[plan.chosen].seconds / whole.seconds - 1 if whole and plan.rungs[plan.chosen].seconds else 0.0


def way_of(plan: MemoryPlan, rung: Rung) -> str:
    """ "int8, 14 of 57 blocks in main memory, every block checkpointed" """
    return ", ".join(WORDS.what(part) for part in how(plan, rung))
