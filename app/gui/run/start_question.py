"""Start a new run, or continue the one of this name? Return does what loses nothing.

Equal and unfinished: it continues. Other settings or images, or a finished run: a new run is begun.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from app.gui.context import AppContext
from app.gui.kit import (
    Answer,
    ChoiceCards,
    Dialog,
    Entry,
    Frame,
    ImageView,
    Label,
    Progress,
    RoundFrame,
    ScrollArea,
    px,
)
from app.gui.run.dialogs import lost_steps_text
from app.gui.run_control import Resumable, Way
from app.gui.session.earlier_run import EarlierRun
from modules.language import plural, tr
from modules.text import ago, duration, percent_done

LOOK = "look"  # the answer that shows the earlier run
ROWS = 6  # of the table; more of them scroll
ROW = 30
THUMB = 72


def ask_start(context: AppContext, earlier: EarlierRun, on_answer: Callable[[Way], object]) -> Dialog:
    """Ask, and give the way that was chosen; Escape gives none."""
    kind = ContinueQuestion if not earlier.finished and not earlier.otherwise else StartQuestion
    return kind(context, earlier, on_answer)


class _Question(Dialog):
    """What both of them show: which run it is, and what differs."""

    def __init__(
        self, context: AppContext, earlier: EarlierRun, on_answer: Callable[[Way], object],
        title: str, answers: tuple[Answer, ...], check: Callable[[Any], bool] | None = None,
    ) -> None:  # fmt: skip
        def closed(way: Any) -> None:
            if way == LOOK:
                context.go("run", str(earlier.run.folder))
            elif way is not None:
                on_answer(way)

        super().__init__(context.app, title, "", answers, closed, check=check, width=590)
        self.context, self.earlier = context, earlier
        self._head()
        if earlier.differences:
            self._table()

    def _head(self) -> None:
        earlier, summary = self.earlier, self.earlier.summary
        head = Frame(self.body)
        head.pack(fill="x", pady=(0, px(10)))
        samples = [sample for sample in earlier.run.samples() if sample.number]
        if samples:
            thumb = ImageView(head, self.context.pictures, width=THUMB, height=THUMB)
            thumb.pack(side="left", padx=(0, px(12)))
            thumb.show(samples[-1].path)
        words = Frame(head)
        words.pack(side="left", fill="x", expand=True)
        Label(words, _state_text(earlier), font="bold").pack(fill="x")
        when = [tr("Backup of step {step:,}, {when}", step=earlier.step, when=ago(time.time() - summary.when))]
        when += [tr("loss {value:.4f}", value=summary.loss)] if summary.loss else []
        Label(words, "  \u00b7  ".join(when), role="text2").pack(fill="x")
        if lost := lost_steps_text(Resumable(earlier.run.folder, earlier.step, summary.step)).strip():
            Label(words, lost, role="text2", wrap=True).pack(fill="x")
        text, role, image = _difference_text(earlier)
        Label(words, text, role=role, image=image).pack(fill="x")

    def _table(self) -> None:
        rows = self.earlier.differences
        box = RoundFrame(self.body)
        box.pack(fill="x", pady=(0, px(12)))
        area: Any = Frame(box)
        if len(rows) > ROWS:
            area = ScrollArea(box)
            area.configure(height=px(ROW * (ROWS + 1)))
            area.pack_propagate(False)
        area.pack(fill="x", padx=px(12), pady=px(6))
        body = area.body if len(rows) > ROWS else area
        body.columnconfigure((0, 1, 2), weight=1, uniform="words")
        heads = (tr("Setting"), self.earlier.run.name, tr("Now"))
        for row, cells in enumerate(
            [heads, *((each.label, each.old or "\u2013", each.new or "\u2013") for each in rows)]
        ):
            for column, text in enumerate(cells):
                role = "text2" if row == 0 or column == 1 else "changed" if column == 2 else "text"
                font = "small" if row == 0 else "bold" if column == 2 else "body"
                label = Label(body, text, font=font, role=role, wrap=True)
                label.grid(row=row, column=column, sticky="new", padx=(0, px(10)), pady=px(4))


class ContinueQuestion(_Question):
    """The run was stopped, and nothing that it learns from has changed."""

    def __init__(self, context: AppContext, earlier: EarlierRun, on_answer: Callable[[Way], object]) -> None:
        on = Way(earlier.run.folder)
        go = tr("Continue at step {step:,}", step=earlier.step)
        answers = (
            Answer(tr("Cancel")), Answer(tr("Start a new run"), Way()), Answer(go, on, "primary", "play")
        )  # fmt: skip
        super().__init__(context, earlier, on_answer, tr("Continue?"), answers)
        left = max(earlier.wanted - earlier.step, 0)
        if earlier.wanted:
            line = Frame(self.body)
            line.pack(fill="x", pady=(px(4), px(4)))
            share = min(earlier.step / earlier.wanted, 1.0)
            Label(line, percent_done(earlier.step, earlier.wanted), font="small", role="text2").pack(side="left")
            words = [plural(left, "1 step left", "{count:,} steps left"), *_about(earlier, left)]
            Label(line, ", ".join(words), font="small", role="text2").pack(side="right")
            Progress(self.body, share).pack(fill="x")


class StartQuestion(_Question):
    """The run is finished, or something else would be learnt now."""

    def __init__(self, context: AppContext, earlier: EarlierRun, on_answer: Callable[[Way], object]) -> None:
        title = tr("This run is finished") if earlier.finished else tr("Start or continue?")
        start = tr("Start a new run")
        look = Answer(tr("Look at the run"), LOOK, "quiet", "chart-line")
        answers = (look, Answer(tr("Cancel")), Answer(start, True, "primary", "play"))
        self._on_way, self.steps, self.times = on_answer, dict[str, Entry](), dict[str, Label]()
        super().__init__(context, earlier, self._chosen, title, answers, self._is_right)
        self.cards = ChoiceCards(self.body, self._picked)
        self.cards.pack(fill="x")
        self.cards.add(
            "new",
            tr("Start a new run, “{name}”", name=earlier.new_name),
            tr("From the base model, with the current settings."),
        )
        self._continue_cards()
        self.cards.focus_set()
        for key in ("<Up>", "<Down>"):
            self.bind(key, lambda _: "break")

    def _continue_cards(self) -> None:
        earlier, name = self.earlier, self.earlier.run.name
        same = not earlier.differences
        if earlier.own_model and not same:
            text = tr("From step {step:,}. The current settings stay in the window.", step=earlier.step)
            self._card("own", tr("Continue “{name}” with its own settings", name=name), text)
        if not earlier.fits:
            words = tr("It cannot go on with the current settings: what it has learnt is of another size or kind.")
            Label(self.body, words, font="small", role="text2", wrap=True).pack(fill="x", pady=(px(8), 0))
            return
        words = tr("Continue “{name}” with the current settings", name=name)
        mark = tr(
            "The images are checked first; the change is marked in the chart at step {step:,}.", step=earlier.step
        )
        if same and earlier.finished:
            words = tr("Train “{name}” further", name=name)
            mark = tr("It goes on from step {step:,}; the finished model stays under another name.", step=earlier.step)
        elif same:
            words = tr("Continue “{name}”", name=name)
            mark = tr("From step {step:,}. The images are checked first.", step=earlier.step)
        self._card("current", words, mark)

    def _card(self, value: str, title: str, text: str) -> None:
        body = self.cards.add(value, title, text)
        if self.earlier.finished:
            self.steps[value] = Entry(body, str(self.earlier.more), width=90, rest_ms=0)
            self.steps[value].pack(side="left", pady=(px(6), 0))
            words = [tr("steps more"), *_about(self.earlier, self.earlier.more)]
            self.times[value] = Label(body, ", ".join(words))
            self.times[value].pack(side="left", padx=(px(8), 0), pady=(px(6), 0))
            self.steps[value].inner.bind("<KeyRelease>", lambda _: self._tell_time(value), add=True)
            self.steps[value].inner.bind("<FocusIn>", lambda _: self.cards.pick(value), add=True)

    def _tell_time(self, value: str) -> None:
        self.times[value].set(", ".join([tr("steps more"), *_about(self.earlier, max(self._more(), 0))]))

    def _picked(self, value: str) -> None:
        step = tr("Continue at step {step:,}", step=self.earlier.step)
        words = {"new": tr("Start a new run")}.get(value, tr("Train further") if self.earlier.finished else step)
        self.buttons[-1].set(words)

    def _more(self) -> int:
        entry = self.steps.get(self.cards.get())
        text = entry.inner.get().replace(",", "").strip() if entry else "0"
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else -1

    def _is_right(self, answer: object) -> bool:
        if answer == LOOK:
            return True
        more, entry = self._more(), self.steps.get(self.cards.get())
        wrong = entry is not None and more < 1
        if entry is not None:
            entry.invalid(wrong)
        self._way = self._way_of(self.cards.get(), max(more, 0))
        return not wrong

    def _way_of(self, value: str, more: int) -> Way:
        earlier = self.earlier
        if value == "new":
            return Way()
        steps = earlier.step + more if more else 0
        return Way(earlier.run.folder, own=value == "own", steps=steps, check=value == "current" and earlier.otherwise)

    def _chosen(self, _: object) -> None:
        self._on_way(self._way)


def _about(earlier: EarlierRun, steps: int) -> list[str]:
    """How long so many steps take at the pace that the run had; nothing where none is known."""
    pace = earlier.summary.pace
    return [tr("about {time}", time=duration(steps / pace))] if steps and pace else []


def _state_text(earlier: EarlierRun) -> str:
    name, step, steps = earlier.run.name, earlier.summary.step, earlier.steps
    if earlier.finished:
        return tr("“{name}” is finished: {step:,} of {steps:,} steps", name=name, step=step, steps=max(step, steps))
    words = {
        "stopped": "“{name}” was stopped at step {step:,} of {steps:,}",
        "failed": "“{name}” failed at step {step:,} of {steps:,}",
    }.get(earlier.summary.status, "“{name}” was interrupted at step {step:,} of {steps:,}")
    return tr(words, name=name, step=step, steps=steps)


def _difference_text(earlier: EarlierRun) -> tuple[str, str, str]:
    """The words, their role and their icon."""
    count = len(earlier.differences)
    if not count and not earlier.images_changed:
        return tr("Settings and images are the same."), "good", "check"
    settings = plural(count, "1 setting differs from that run.", "{count} settings differ from that run.")
    images = tr("Images or captions have changed since.") if earlier.images_changed else ""
    return " ".join(filter(None, [settings if count else "", images])), "changed", "triangle-alert"
