"""The charts of one run or of two, loss and validation, with their switches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.gui.draft.labels import breadcrumb
from app.gui.kit import Card, Chart, Curve, Frame, Label, LinkButton, Segmented, Switch, labelled, px, tip
from app.gui.run.run_source import Points, RunSource
from modules.language import plural, tr
from modules.messages import Validated

MOST_NAMED = 3  # settings, in the words of a mark
EMPTY = "Nothing has been validated yet."


class Validations:
    """What of a story's validations is on the chart."""

    def __init__(self, source: RunSource, chart: Chart, *, named: bool) -> None:
        """`named`: the curves carry the story's title, and there is only the mean of each."""
        self.source, self._chart, self._named = source, chart, named
        self.mean = chart.series(source.title if named else tr("all"), exact=True)
        self._concepts: dict[str, Curve] = {}
        self._drawn = (source.generation, 0)

    def catch_up(self) -> bool:
        """Add what is new to the curves. Whether there was anything."""
        generation, count = self._drawn
        if anew := generation != self.source.generation:
            for curve in (self.mean, *self._concepts.values()):
                curve.clear()
            count = 0
        new = self.source.validations[count:]
        for event in new:
            self._add(event)
        self._drawn = (self.source.generation, len(self.source.validations))
        return bool(new) or anew

    def _add(self, event: Validated) -> None:
        self.mean.add([event.step], [event.mean])
        if self._named or len(event.concepts) < 2:  # one concept is the mean
            return
        for name, loss in event.concepts.items():
            if name not in self._concepts:
                self._concepts[name] = self._chart.series(name, exact=True)
            self._concepts[name].add([event.step], [loss])


class ValidationChart(Chart):
    """`follow([source])` or two of them; `refresh` adds what came since."""

    def __init__(self, master: Any, *, height: float) -> None:
        super().__init__(master, empty=tr(EMPTY), height=height)
        self._followed: list[Validations] = []

    def follow(self, sources: Sequence[RunSource]) -> None:
        self.clear()
        self._followed = [Validations(source, self, named=len(sources) > 1) for source in sources]

    def refresh(self) -> None:
        if any([followed.catch_up() for followed in self._followed]):
            self.redraw()

    @property
    def begun(self) -> bool:
        return any(followed.source.validations for followed in self._followed)

    @property
    def best(self) -> str:
        """The best of a single run, in words."""
        last = self._followed[0].source.validations[-1:] if len(self._followed) == 1 else []
        return tr("Best: {loss:.4f} at step {step:,}", loss=last[0].best_mean, step=last[0].best_step) if last else ""


VIEWS = {"training": "Training", "validation": "Validation"}


class PlottedRun:
    """A story and how much of it is on the chart."""

    def __init__(self, source: RunSource, loss: Curve, rate: Curve) -> None:
        self.source, self.loss, self.rate = source, loss, rate
        self._drawn = (source.generation, 0, 0)

    def catch_up(self) -> bool:
        """Add what is new to the curves. Whether there was anything."""
        generation, losses, rates = self._drawn
        if anew := generation != self.source.generation:
            self.loss.clear()
            self.rate.clear()
            losses = rates = 0
        added = add(self.loss, self.source.losses[losses:]) + add(self.rate, self.source.rates[rates:])
        self._drawn = (self.source.generation, len(self.source.losses), len(self.source.rates))
        return bool(added) or anew


class LossCard(Card):
    """`follow([source])` or two of them; `refresh` adds what came since. Whoever holds the stories updates them.

    A run that is validated has a second chart behind the first.
    """

    def __init__(self, master: Any) -> None:
        super().__init__(master, tr("Loss"))
        if self.title is None:
            raise AssertionError("a card with a title has one")
        self._followed: list[PlottedRun] = []
        self.reset = LinkButton(self.head, tr("Show all"), self._reset)
        self.which = Segmented(self.head, labelled(VIEWS), "training", self._show_view)
        self.best = Label(self.head, "", font="small", role="text2")
        self.rate_switch = self._switch(
            tr("Learning rate"), tr("Draws the learning rate over the loss."), self._show_rate
        )
        self._switch(tr("Log scale"), tr("Makes small changes visible late in a run."), self._show_log)
        self.chart = Chart(self.body, empty=tr("The loss appears here when training begins."), height=160)
        self.validation = ValidationChart(self.body, height=160)
        self.chart.pack(fill="both", expand=True)

    def follow(self, sources: Sequence[RunSource]) -> None:
        """Show these from their beginning."""
        self.chart.clear()
        self._followed = []
        several = len(sources) > 1
        for source in sources:  # the losses first: they take the strongest colours
            loss = self.chart.series(source.title if several else tr("loss"))
            self._followed.append(PlottedRun(source, loss, loss))
        for followed in self._followed:
            name = tr("learning rate of {title}", title=followed.source.title) if several else tr("learning rate")
            followed.rate = self.chart.series(name, second=True)
        self.validation.follow(sources)
        self._show_view("training")
        self._show_rate(self.rate_switch.get())
        self.refresh()

    def refresh(self) -> None:
        if any([followed.catch_up() for followed in self._followed]):
            self.chart.marks = marks_of(self._followed[0].source) if len(self._followed) == 1 else []
            self.chart.redraw()
        self.validation.refresh()
        self.best.set(self.validation.best if self._validation_shown else "")
        self._put(self.which, self.validation.begun, padx=(px(14), 0), side="left")
        self._put(self.best, self._validation_shown, padx=(px(12), 0), side="left")
        self._put(self.reset, self._front.zoomed, padx=(0, px(14)), side="right")

    @property
    def _validation_shown(self) -> bool:
        return self.which.get() == "validation"

    @property
    def _front(self) -> Chart:
        return self.validation if self._validation_shown else self.chart

    def _show_view(self, view: str) -> None:
        self.which.set(view)
        front = self._front
        for chart in (self.chart, self.validation):
            if chart is not front:
                chart.pack_forget()
        front.pack(fill="both", expand=True)
        self.rate_switch.disable("" if front is self.chart else tr("Only over the loss of the training."))
        self.refresh()

    @staticmethod
    def _put(part: Any, wanted: bool, **how: Any) -> None:
        if wanted == bool(part.winfo_manager()):
            return
        if wanted:
            part.pack(**how)
        else:
            part.pack_forget()

    def _switch(self, words: str, help_: str, act: Any) -> Switch:
        both = Frame(self.head)
        both.pack(side="right", padx=(px(16), 0))
        label = Label(both, words, font="small", role="text2")
        label.pack(side="left", padx=(0, px(6)))
        switch = Switch(both, False, act)
        switch.pack(side="left")
        tip(label, help_)
        return switch

    def _show_rate(self, on: bool) -> None:
        for followed in self._followed:
            followed.rate.visible = on
        self.chart.redraw()

    def _show_log(self, on: bool) -> None:
        self.chart.log(on)
        self.validation.log(on)

    def _reset(self) -> None:
        self._front.view()
        self.refresh()


def marks_of(source: RunSource) -> list[tuple[float, str]]:
    """Where a run was continued, and what was other from there on: "continued, 2 settings changed"."""
    found: list[tuple[float, str]] = []
    for event in source.resumed:
        words = tr("continued from step {step:,}", step=event.resumed_from)
        if count := len(event.changes):
            names = [breadcrumb(path) for path in list(event.changes)[:MOST_NAMED]]
            names += ["\u2026"] if count > MOST_NAMED else []
            words = "\n".join([words, plural(count, "1 setting changed:", "{count} settings changed:"), *names])
        found.append((event.resumed_from, words))
    return found


def add(curve: Curve, points: Points) -> int:
    curve.add([step for step, _ in points], [value for _, value in points])
    return len(points)
