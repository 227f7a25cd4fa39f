"""The loss of one run or of two: each step, its mean, what is held out, and what happened on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from app.gui.draft.labels import breadcrumb
from app.gui.kit import Badge, Card, Chart, ChartMark, Curve, Frame, Label, LinkButton, Switch, px, tip
from app.gui.run.run_source import RunSource
from app.gui.session.event_log import Mark, Points
from modules.event_text import trend_text
from modules.language import plural, tr
from modules.messages import Validated
from modules.trend import AVERAGE, latest_trend, moving_average, smoothing_width

MOST_NAMED = 3  # settings, in the words of a mark
TREND_EVERY = 500  # the trend is read again when a run has grown by this part of itself
FLAT_AFTER = 3  # validations that are no better than one before
TONES = {"falling": "good", "flat": "plain", "rising": "changed"}
KINDS = {"sample": "dot", "backup": "square", "model": "star", "rate": "diamond"}
LEGEND = {"dot": "sample", "square": "backup", "star": "saved model", "diamond": "rate changed"}


class PlottedRun:
    """A run and how much of it is on the chart."""

    def __init__(self, source: RunSource, loss: Curve, held_out: Curve, rate: Curve) -> None:
        self.source, self.loss, self.held_out, self.rate = source, loss, held_out, rate
        self._drawn = (-1, 0, 0, 0, 0)

    def catch_up(self) -> bool:
        """Add what is new to the curves. Whether there was anything."""
        source = self.source
        generation, losses, validations, rates, _ = before = self._drawn
        if generation != source.generation:
            for curve in (self.loss, self.held_out, self.rate):
                curve.clear()
            losses = validations = rates = 0
        self.loss.width = smoothing_width(source.steps)
        add(self.loss, source.losses[losses:])
        add(self.rate, source.rates[rates:])
        for event in source.validations[validations:]:
            self._add(event)
        self._drawn = (
            source.generation, len(source.losses), len(source.validations), len(source.rates), len(source.marks),
        )  # fmt: skip
        return self._drawn != before

    def _add(self, event: Validated) -> None:
        self.held_out.add([event.step], [event.mean])
        if len(event.concepts) > 1:  # one concept is the mean
            each = (f"\n    {name} {loss:.4g}" for name, loss in event.concepts.items())
            self.held_out.notes[event.step] = "".join(each)


class LossCard(Card):
    """`follow([source])` or two of them; `refresh` adds what came since. Whoever holds the runs updates them.

    Args:
        on_marks: called with the backups and models that were clicked, and a widget that stands there.
    """

    def __init__(self, master: Any, on_marks: Callable[[list[Mark], Any], object] = lambda marks, under: None) -> None:
        super().__init__(master, tr("Loss"))
        self._followed: list[PlottedRun] = []
        self._on_marks = on_marks
        self._judged = 0  # losses that the trend was read of
        self.trend = Badge(self.head, "")
        tip(self.trend, self._average)
        self.rate_switch = self._switch(
            tr("LR"), tr("Draws the learning rate over the loss, with an axis of its own."), self._show_rate
        )
        empty = tr("The loss appears here when training begins.")
        self.chart = Chart(self.body, empty=empty, height=120, on_mark=self._clicked)
        self._switch(tr("Log"), tr("Makes small changes visible late in a run."), self.chart.log)
        self.reset = LinkButton(self.head, tr("Show all"), self._reset)
        self.chart.pack(fill="both", expand=True)
        self.best = Badge(self.body, "")
        self._anchor = Frame(self.chart, width=1, height=1)

    def follow(self, sources: Sequence[RunSource]) -> None:
        """Show these from their beginning."""
        self.chart.clear()
        self._judged = 0
        several = len(sources) > 1
        titles = [source.title if several else "" for source in sources]
        losses = [self.chart.series(title or tr("loss")) for title in titles]  # first: they take the strongest colours
        held = [
            self.chart.series(tr("{title}, held out", title=title) if title else tr("held out"), dots=True)
            for title in titles
        ]
        rates = [
            self.chart.series(
                tr("learning rate of {title}", title=title) if title else tr("learning rate"), second=True
            )
            for title in titles
        ]
        self._followed = [PlottedRun(*each) for each in zip(sources, losses, held, rates, strict=True)]
        self._show_rate(self.rate_switch.get())
        self.refresh()

    def refresh(self) -> None:
        if any([followed.catch_up() for followed in self._followed]):
            alone = self._followed[0].source if len(self._followed) == 1 else None
            self.chart.marks = marks_of(alone) if alone else []
            self.chart.kinds = {kind: tr(words) for kind, words in LEGEND.items()}  # pyright: ignore[reportAttributeAccessIssue]
            self.chart.redraw()
            self._show_trend(alone)
            self._show_best(alone)
        _put(self.reset, self.chart.zoomed, side="right")

    def _show_trend(self, source: RunSource | None) -> None:
        count = len(self._followed[0].loss) if source else 0
        if source and 0 < count - self._judged < count // TREND_EVERY:
            return  # too little has come to change it
        self._judged = count
        found = latest_trend(self._followed[0].loss.raw) if source else None
        if found is not None:
            self.trend.set(trend_text(found), TONES[found.word])  # pyright: ignore[reportArgumentType]
        _put(self.trend, found is not None, side="left", padx=(px(10), 0))

    def _average(self) -> str:
        """The moving average, for the tip of the trend."""
        losses = self._followed[0].source.losses if self._followed else []
        values = [loss for _, loss in losses[-AVERAGE:]]
        if not values:
            return ""
        words = tr("Average over the last {steps:,} steps: {loss:.4f}.", steps=len(values), loss=moving_average(values))
        how = tr(
            "The trend is that of 16 block means, with its standard error; it is flat unless a t-test says otherwise."
        )
        return f"{words}\n{how}"

    def _show_best(self, source: RunSource | None) -> None:
        """When the held-out loss was lowest; amber if it has not been as low for a while."""
        last = source.validations[-1] if source and len(source.validations) > 1 else None
        if source and last:
            since = sum(event.step > last.best_step for event in source.validations)
            words = "held out: no better since {step:,}" if since >= FLAT_AFTER else "held out: best at {step:,}"
            self.best.set(tr(words, step=last.best_step), "changed" if since >= FLAT_AFTER else "plain")
        if last and self.chart.legend_end + self.best.winfo_reqwidth() < self.chart.winfo_width():
            self.best.place(relx=1.0, rely=1.0, y=-px(4), anchor="se")
        else:
            self.best.place_forget()

    def _switch(self, words: str, help_: str, act: Any) -> Switch:
        both = Frame(self.head)
        both.pack(side="right", padx=(px(10), 0))
        label = Label(both, words, font="small", role="text2")
        label.pack(side="left", padx=(0, px(6)))
        switch = Switch(both, False, act)
        switch.pack(side="left")
        tip(label, help_)
        return switch

    def _clicked(self, marks: list[Mark], x: int, y: int) -> None:
        self._anchor.place(x=x, y=y)
        self._on_marks(marks, self._anchor)

    def _show_rate(self, on: bool) -> None:
        for followed in self._followed:
            followed.rate.visible = on
        self.chart.redraw()

    def _reset(self) -> None:
        self.chart.view()
        self.refresh()


def marks_of(source: RunSource) -> list[ChartMark]:
    """What a run left, and where it was continued: "resumed at 1,126, 2 settings changed"."""
    found = [_resumed_mark(event.resumed_from, list(event.changes)) for event in source.resumed]
    return [*found, *map(_lane_mark, source.marks)]


def _resumed_mark(step: int, changes: list[str]) -> ChartMark:
    label, words = tr("resumed at {step:,}", step=step), tr("continued from step {step:,}", step=step)
    if count := len(changes):
        label += " \u00b7 " + plural(count, "1 setting changed", "{count} settings changed")
        names = [breadcrumb(path) for path in changes[:MOST_NAMED]] + (["\u2026"] if count > MOST_NAMED else [])
        words = "\n".join([words, plural(count, "1 setting changed:", "{count} settings changed:"), *names])
    return ChartMark(step, "line", words, label)


def _lane_mark(mark: Mark) -> ChartMark:
    words = {
        "sample": "sample of step {step:,}",
        "backup": "backup of step {step:,}",
        "model": "model saved at step {step:,}",
        "rate": "learning rate {factor:g} times what it was",
    }[mark.kind]
    value = mark if mark.kind in ("backup", "model") else None
    kind: Any = KINDS[mark.kind]
    return ChartMark(mark.step, kind, tr(words, step=mark.step, factor=mark.factor), value=value)


def _put(part: Any, wanted: bool, **how: Any) -> None:
    """Pack it, or take it away."""
    if wanted != bool(part.winfo_manager()):
        if wanted:
            part.pack(**how)
        else:
            part.pack_forget()


def add(curve: Curve, points: Points) -> None:
    curve.add([step for step, _ in points], [value for _, value in points])
