"""How a run fits the card, before it starts: a sentence, a bar, the ways there are, and what other cards would do."""

from __future__ import annotations

from typing import Any

from app.gui.check.findings import Result
from app.gui.check.plan_words import card_rows, limit_of, parts_of, plan_from, rung_rows
from app.gui.context import AppContext
from app.gui.draft.problem_labels import describe_changes
from app.gui.form.model.plan_line import verdict
from app.gui.kit import (
    Answer,
    Badge,
    Card,
    Choice,
    Dialog,
    Frame,
    Label,
    LinkButton,
    MeterRows,
    Option,
    Segmented,
    StackedBar,
    labelled,
    px,
    tip,
)
from modules.catalog.gpus import GPUS
from modules.language import tr
from modules.messages import MemoryPlan
from modules.text import in_bytes, whole_gb

HERE = ""  # of the picker: what this computer trains with
RUNG, CARD = 32, 26  # pitch of the rows
PREFER = {"exact": "Exact", "balanced": "Balanced", "fast": "Fast"}
HINTS = {
    "exact": "Nothing is rounded: what does not fit lies in main memory, which takes time.",
    "balanced": "Weights in int8 before blocks lie in main memory; nf4 only where nothing else fits.",
    "fast": "Weights in int8 or nf4 before blocks lie in main memory; blocks are compiled.",
}


class PlanCards(Frame):
    """Shown while there is a plan; `refresh` is cheap where nothing has changed."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master)
        self.context = context
        self._gpu = HERE
        self._result: Result | None = None
        self._shown: MemoryPlan | None = None
        self._answer: dict[str, Any] = {}
        self._answered: MemoryPlan | None = None  # the same, as a plan
        self._make_plan()
        self._make_others()
        self.until_destroyed(context.queries.watch(self._refresh))

    # Parts ------------------------------------------------------------------------------------------------------------

    def _make_plan(self) -> None:
        self.plan_card = Card(self, tr("Memory plan"))
        self.plan_card.pack(fill="x")
        body = self.plan_card.body
        self.picker = Choice(self.plan_card.head, [], HERE, self._pick_card, width=250)
        self.picker.pack(side="right")
        Label(self.plan_card.head, tr("Card"), role="text2").pack(side="right", padx=(0, px(8)))
        self.line = Frame(body)
        self.line.pack(fill="x", pady=(px(2), px(8)))
        self.mark = Frame(self.line)
        self.mark.pack(side="left", padx=(0, px(10)))
        words = Frame(self.line)
        words.pack(side="left", fill="x", expand=True)
        self.verdict = Label(words, "", font="bold", wrap=True)
        self.verdict.pack(fill="x")
        self.costs = Label(words, "", role="text2", wrap=True)
        self.costs.pack(fill="x")
        self.bar = StackedBar(body)
        self.bar.pack(fill="x")
        self._make_choices(body)
        self.rungs = MeterRows(body, self._pin, dots=True, pitch=RUNG)
        self.rungs.pack(fill="x", pady=(px(6), 0))

    def _make_choices(self, body: Frame) -> None:
        line = Frame(body)
        line.pack(fill="x", pady=(px(8), 0))
        Label(line, tr("Prefer"), role="text2").pack(side="left", padx=(0, px(8)))
        self.prefer = Segmented(line, labelled({value: tr(label) for value, label in PREFER.items()}), "balanced",
                                self._prefer)  # fmt: skip
        self.prefer.pack(side="left")
        tip(self.prefer, lambda: tr(HINTS[self.prefer.get()]))
        self.memory = Label(line, "", font="small", role="text2")
        self.memory.pack(side="left", padx=(px(10), 0))
        LinkButton(line, tr("Show the settings it sets"), self._show_settings).pack(side="right")
        self.pinned = Frame(line)
        self.pinned.pack(side="right", padx=(0, px(10)))
        self.badge = Badge(self.pinned, tr("pinned"), "changed")
        self.reset = LinkButton(self.pinned, tr("Reset"), self._reset)

    def _make_others(self) -> None:
        self.others_card = Card(self, tr("Would it fit another card?"), action=tr("All cards"), on_action=self._all)
        self.others = MeterRows(self.others_card.body, self._pick_card, pitch=CARD)
        self.others.pack(fill="x")

    # What is shown ----------------------------------------------------------------------------------------------------

    def show(self, result: Result | None) -> None:
        """The plan of this result, for the card that is picked; hides itself where there is none."""
        self._result = result
        self._refresh()

    def _refresh(self) -> None:
        plan = self._current()
        if plan is self._shown:
            return
        self._shown = plan
        if plan is None:
            return
        self._show_verdict(plan)
        self.bar.show(parts_of(plan.rungs[plan.chosen]), limit_of(plan))
        self.rungs.show([*rung_rows(plan)], plan.chosen)
        self.prefer.set(plan.prefer)
        self._show_pinned(plan)
        self._show_card(plan)

    def _current(self) -> MemoryPlan | None:
        """What the check has planned; for another card, what the engine answers."""
        found = self._result.plan if self._result else None
        if found is None or self._gpu == HERE:
            return found
        assert self._result is not None
        answer = self.context.queries.get("plan", {"card": self._gpu, "key": self._result.key})
        if not answer:
            return self._shown or found
        if answer is not self._answer:
            self._answer, self._answered = answer, plan_from(answer)
        return self._answered

    def _show_verdict(self, plan: MemoryPlan) -> None:
        words, costs = verdict(plan)
        self.verdict.set(words)
        if not plan.here:
            costs = f"{costs} {tr('The run itself uses this computer.')}"
        self.costs.set(costs)
        fits = plan.rungs[plan.chosen].fits
        self.mark.clear()
        Label(
            self.mark, image="circle-check" if fits else "circle-alert", role="good" if fits else "error", size=20
        ).pack()
        held = plan.rungs[plan.chosen].main_memory
        self.memory.set(tr("RAM: {size} for blocks that lie there", size=in_bytes(held)) if held else "")

    def _show_pinned(self, plan: MemoryPlan) -> None:
        for widget in (self.badge, self.reset):
            widget.pack_forget()
        if plan.pinned:
            self.badge.pack(side="left", padx=(0, px(4)))
            self.reset.pack(side="left")

    def _show_card(self, plan: MemoryPlan) -> None:
        here = self._result.plan if self._result else plan
        assert here is not None
        title = tr("This PC: {name}, {size}", name=here.card or tr("main memory"), size=whole_gb(here.total))
        sizes = {name: whole_gb(gpu.memory) for name, gpu in GPUS.items()}
        cards = [Option(name, name if size in name else f"{name}, {size}") for name, size in sizes.items()]
        self.picker.offer([Option(HERE, title), *cards])
        self.picker.set(self._gpu)
        usual = here if here.cards else plan
        if usual.cards:
            self.others.show([*card_rows(usual)], plan.card)
            self.others_card.pack(fill="x", pady=(px(12), 0))
        else:
            self.others_card.pack_forget()

    # What is done -----------------------------------------------------------------------------------------------------

    def _pick_card(self, name: str) -> None:
        self._gpu = name
        self.picker.set(name)
        self._refresh()

    def _all(self) -> None:
        self.picker.open()

    def _prefer(self, value: str) -> None:
        self._change({"general.prefer": value}, tr("Prefer {what}", what=tr(PREFER[value])))

    def _pin(self, number: int) -> None:
        if self._shown is not None:
            self._change(self._shown.rungs[number].settings, tr("Memory plan"))

    def _reset(self) -> None:
        if self._shown is not None:
            self._change(dict.fromkeys(self._shown.pinned, "auto"), tr("Memory plan"))

    def _change(self, changes: dict[str, Any], title: str) -> None:
        if wrong := self.context.draft.apply(changes, title):
            self.context.notify(tr("That cannot be set: {wrong}", wrong=wrong), role="changed")

    def _show_settings(self) -> None:
        if self._shown is not None:
            words = describe_changes(self._shown.rungs[self._shown.chosen].settings)
            Dialog(self, tr("What the plan sets"), words, [Answer(tr("Close"))])
