"""Choose values to try: each becomes a run that differs from the others in nothing else."""

from __future__ import annotations

from typing import Any

from app.gui.check.findings import checks_for
from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.enqueue import LIST, enqueue, with_full_paths
from app.gui.kit import (
    Answer,
    Choice,
    Dialog,
    Divider,
    Entry,
    Frame,
    Label,
    LinkButton,
    Option,
    RoundFrame,
    Segmented,
    Switch,
    ask,
    labelled,
    px,
)
from app.gui.run_control import fix_first, no_images
from app.gui.session.number_format import coarse
from app.gui.trials.costs import LIGHT, Costs, Estimator, peak_of
from app.gui.trials.trial_draft import TrialDraft
from app.gui.trials.value_line import ValueLine
from modules.errors import UserError
from modules.jobs.entry import NewEntry
from modules.language import plural, tr
from modules.messages import Train
from modules.text import GB, in_bytes, whole_gb
from modules.trials.groups import new_group
from modules.trials.runs import MANY, STEPS
from modules.trials.values import short

LABEL = 160
AFTERWARDS = {
    "both": "Samples, learnt / forgotten", "samples": "Samples", "retention": "Learnt / forgotten",
    "neither": "Nothing",
}  # fmt: skip


class TryValues(Dialog):
    """`draft` is what was chosen so far."""

    def __init__(self, context: AppContext, path: str = "") -> None:
        add = Answer(tr("Add to the queue"), "add", "primary", "list-plus")
        super().__init__(
            context.app, tr("Try values"), tr("Each value becomes a run; all else stays as it is now."),
            (Answer(tr("Cancel")), add), self._closed, check=self._is_right, width=640,
        )  # fmt: skip
        self._context, self.draft = context, TrialDraft(context.draft, path)
        self._estimator = Estimator(context, self.draft.base)
        self._costs: Costs | None = None
        self._wrong_steps = False
        self.lines: list[ValueLine] = []
        self._holder = Frame(self.body)
        self._holder.pack(fill="x")
        self.another = LinkButton(self.body, tr("Another setting"), self._add_line, font="body")
        self.another.pack(anchor="w", pady=(px(6), px(8)))
        Divider(self.body).pack(fill="x")
        self._make_settings()
        self._make_summary()
        self._make_name()
        for line in self.draft.lines:
            self._show_line(line)
        self.until_destroyed(context.queries.watch(self.refresh), context.running.listen(lambda _: self._soon()))
        self.refresh()

    # Parts ------------------------------------------------------------------------------------------------------------

    def _make_settings(self) -> None:
        grid = Frame(self.body)
        grid.pack(fill="x", pady=px(10), padx=(px(13), 0))
        grid.columnconfigure(0, minsize=px(LABEL))
        steps = Frame(grid)
        self.steps = Entry(steps, str(self.draft.steps or ""), on_change=self._set_steps, rest_ms=0)
        self.steps.pack(side="left")
        Label(steps, tr("steps"), role="text2").pack(side="left", padx=px(8))
        ways = [Option(False, tr("All combinations")), Option(True, tr("One by one"))]
        self.ways = Segmented(grid, ways, False, self._set_way)
        self.seed = Switch(grid, True, self._set_seed)
        after = labelled({value: tr(words) for value, words in AFTERWARDS.items()})
        self.after_run = Choice(grid, after, "both", self._set_afterwards, width=230)
        words = (tr("Steps per run"), tr("Runs"), tr("Same seed in all"), tr("After each run"))
        for row, (label, widget) in enumerate(zip(words, (steps, self.ways, self.seed, self.after_run), strict=True)):
            Label(grid, label).grid(row=row, column=0, sticky="w", pady=px(4))
            widget.grid(row=row, column=1, sticky="w", pady=px(4))

    def _make_summary(self) -> None:
        box = RoundFrame(self.body, "raised", edge="raised")
        box.pack(fill="x", pady=(px(2), 0))
        Label(box, image="clock", role="accent", size=18).pack(side="left", padx=(px(14), px(10)), pady=px(12))
        words = Frame(box, "raised")
        words.pack(side="left", fill="x", expand=True, pady=px(8), padx=(0, px(12)))
        self.count = Label(words, "", font="bold")
        self.count.pack(fill="x")
        self.about = Label(words, "", font="small", role="text2", wrap=True)
        self.about.pack(fill="x")
        self.look = LinkButton(words, tr("Check time and memory"), self._look)

    def _make_name(self) -> None:
        Label(self.footer, tr("Name"), role="text2").pack(side="left", padx=(0, px(8)))
        self.name = Entry(self.footer, self.draft.name, width=170, on_change=self._set_name, rest_ms=0)
        self.name.pack(side="left")

    def _show_line(self, line: Any) -> None:
        made = ValueLine(self._holder, self.draft, line, self._changed, self._remove_line)
        made.pack(fill="x", pady=px(3))
        self.lines.append(made)

    # What a person does -----------------------------------------------------------------------------------------------

    def _add_line(self) -> None:
        self._show_line(self.draft.add_line())
        self._changed()
        self.lines[-1].choice.focus_set()

    def _remove_line(self, made: ValueLine) -> None:
        self.draft.lines.remove(made.line)
        self.lines.remove(made)
        made.destroy()
        self._changed()

    def _set_steps(self, text: str) -> None:
        digits = text.replace(",", "").strip()
        self._wrong_steps = bool(digits) and not digits.isdecimal()
        self.steps.invalid(self._wrong_steps)
        self.draft.steps = int(digits) if digits.isdecimal() else 0
        self._changed()

    def _set_way(self, one_by_one: bool) -> None:
        self.draft.one_by_one = one_by_one
        self._changed()

    def _set_seed(self, on: bool) -> None:
        self.draft.same_seed = on

    def _set_afterwards(self, value: Any) -> None:
        self.draft.afterwards = value

    def _set_name(self, text: str) -> None:
        self.draft.name = text.strip()
        self._refresh_buttons(len(self.draft.changes()))

    def _look(self) -> None:
        try:
            checks_for(self._context).run()
        except UserError as error:
            self._context.notify(error.text(WORDS), role="error")
        self.refresh()

    def _changed(self) -> None:
        self.refresh()
        self.fit()

    # What is shown ----------------------------------------------------------------------------------------------------

    def _soon(self) -> None:
        if not self._pending:
            self._pending = self.after_idle(self.refresh)  # who keeps what a look finds hears of it, too

    def refresh(self) -> None:
        """What it comes to now."""
        self._pending = ""
        runs = self.draft.changes()
        self._costs = costs = self._estimator.costs(runs, self.draft.steps)
        for line in self.lines:
            line.show(self._too_large(line.line.path, runs, costs), removable=len(self.lines) > 1)
        self.steps.disable(tr("The steps are what is tried.") if STEPS in runs[0] else "") if runs else None
        self.count.set(self._count_text(len(runs), costs))
        self.about.set(self._about_text(runs, costs))
        checking = checks_for(self._context).checking
        if self._estimator.checked is None and not checking and not self._context.running.busy:
            self.look.pack(anchor="w", pady=(px(2), 0))
        else:
            self.look.pack_forget()
        self._refresh_buttons(len(runs))

    def _refresh_buttons(self, count: int) -> None:
        words = plural(count, "Add 1 run to the queue", "Add {count} runs to the queue")
        self.buttons[-1].set(words)
        self.buttons[-1].disable(self._wrong())

    def _wrong(self) -> str:
        """Why nothing can be added; "" if it can."""
        if self._wrong_steps:
            return tr("Steps are a whole number.")
        project = no_images(self._context) or fix_first(len(self._context.draft.errors()))
        return project or self.draft.wrong() or ("" if self.draft.name else tr("Give it a name."))

    def _count_text(self, count: int, costs: Costs) -> str:
        runs = plural(count, "1 run", "{count} runs")
        return tr("{runs}, about {time}", runs=runs, time=coarse(costs.whole)) if costs.seconds else runs

    def _about_text(self, runs: list[dict[str, Any]], costs: Costs) -> str:
        if wrong := self._wrong():
            return wrong
        parts: list[str] = []
        if costs.seconds and max(costs.seconds) < 1.1 * min(costs.seconds):
            parts.append(tr("{time} each", time=coarse(costs.seconds[0])))
        elif not costs.seconds:
            parts.append(tr("Nothing like this was trained here yet: nobody knows how long it takes."))
        if costs.megabytes:
            size = in_bytes(costs.megabytes * 2**20)
            parts.append(plural(len(runs), "1 model, {size}", "{count} models, {size}", size=size))
        parts += self._memory_text(runs, costs)
        return " \u00b7 ".join(parts)

    def _memory_text(self, runs: list[dict[str, Any]], costs: Costs) -> list[str]:
        worst = costs.worst()
        if worst is None:
            return [tr("Checking \u2026")] if checks_for(self._context).checking else []
        plan, changes = costs.plans[worst], runs[worst]
        memory = tr("VRAM") if plan.card else tr("RAM")
        which = ", ".join(
            f"{title.lower()} {short(changes[line.path])}"
            for title, line in zip(self.draft.titles(), self.draft.lines, strict=True)
            if line.path in changes and not line.path.startswith(LIGHT)
        )
        used = tr("{memory} {used:.1f} of {total} at most", memory=memory, used=peak_of(plan) / GB,
                  total=whole_gb(plan.total))  # fmt: skip
        return [f"{used} ({which})" if which else used]

    def _too_large(self, path: str, runs: list[dict[str, Any]], costs: Costs) -> dict[Any, str]:
        """The values of a setting with which no run fits the card, and what is missing."""
        fits: dict[Any, list[bool]] = {}
        peaks: dict[Any, int] = {}
        for n, plan in costs.plans.items():
            value = runs[n].get(path)
            fits.setdefault(value, []).append(plan.rungs[plan.chosen].fits)
            peaks[value] = min(peaks.get(value, peak_of(plan)), peak_of(plan))
        words = "Does not fit: {size} are needed."
        return {value: tr(words, size=in_bytes(peaks[value])) for value, all_ in fits.items() if not any(all_)}

    # The end ----------------------------------------------------------------------------------------------------------

    def _is_right(self, _: object) -> bool:
        """More than a few runs are asked about."""
        self.draft.name = self.name.get().strip()
        if self._wrong():
            return False
        count = len(self.draft.changes())
        if count <= MANY:
            return True
        answers = (Answer(tr("Cancel")), Answer(tr("Add {count} runs", count=count), "yes", "primary"))
        title = tr("{count} runs?", count=count)
        return ask(self, title, self._count_text(count, self._costs or Costs(None, 0, {})), answers) == "yes"

    def _return(self) -> None:
        """In the place where a value is typed it takes the value."""
        if not str(self.focus_get()).startswith(f"{self._holder}."):
            super()._return()

    def _closed(self, answer: Any) -> None:
        if answer != "add":
            return
        group, seconds = new_group(self.draft.name), self._costs.seconds if self._costs else None
        try:
            runs = self.draft.runs()
        except UserError as error:
            self._context.notify(error.text(WORDS), role="error")
            return
        new = [
            NewEntry(Train(with_full_paths(run.values)), run.name, group=group, changes=run.changes,
                     estimate=seconds[n] if seconds else None)
            for n, run in enumerate(runs)
        ]  # fmt: skip
        if enqueue(self._context, *new):
            self._context.go("queue", LIST)
