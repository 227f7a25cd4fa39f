"""The charts of one run or of two, loss and validation, with their switches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.gui.kit import Card, Chart, Curve, Frame, Label, LinkButton, Segmented, Switch, px, tip
from app.gui.run_story import Points, Story
from app.gui.validation_chart import ValidationChart

VIEWS = ("Training", "Validation")


class Followed:
    """A story and how much of it is on the chart."""

    def __init__(self, story: Story, loss: Curve, rate: Curve) -> None:
        self.story, self.loss, self.rate = story, loss, rate
        self._drawn = (story.generation, 0, 0)

    def catch_up(self) -> bool:
        """Add what is new to the curves. Whether there was anything."""
        generation, losses, rates = self._drawn
        if anew := generation != self.story.generation:
            self.loss.clear()
            self.rate.clear()
            losses = rates = 0
        added = add(self.loss, self.story.losses[losses:]) + add(self.rate, self.story.rates[rates:])
        self._drawn = (self.story.generation, len(self.story.losses), len(self.story.rates))
        return bool(added) or anew


class LossCard(Card):
    """`follow([story])` or two of them; `refresh` adds what came since. Whoever holds the stories updates them.

    A run that is validated has a second chart behind the first.
    """

    def __init__(self, master: Any) -> None:
        super().__init__(master, "Loss")
        if self.title is None:
            raise AssertionError("a card with a title has one")
        self._followed: list[Followed] = []
        self.reset = LinkButton(self.head, "Show all", self._reset)
        self.which = Segmented(self.head, VIEWS, VIEWS[0], self._show_view)
        self.best = Label(self.head, "", font="small", role="text2")
        self.rate_switch = self._switch("Learning rate", "Draws the learning rate over the loss.", self._show_rate)
        self.log_switch = self._switch("Log scale", "Makes small changes visible late in a run.", self._show_log)
        self.chart = Chart(self.body, empty="The loss appears here when training begins.", height=160)
        self.validation = ValidationChart(self.body, height=160)
        self.chart.pack(fill="both", expand=True)

    def follow(self, stories: Sequence[Story]) -> None:
        """Show these from their beginning."""
        self.chart.clear()
        self._followed = []
        several = len(stories) > 1
        for story in stories:  # the losses first: they take the strongest colours
            loss = self.chart.series(story.title if several else "loss")
            self._followed.append(Followed(story, loss, loss))
        for followed in self._followed:
            name = f"learning rate of {followed.story.title}" if several else "learning rate"
            followed.rate = self.chart.series(name, second=True)
        self.validation.follow(stories)
        self._show_view(VIEWS[0])
        self._show_rate(self.rate_switch.get())
        self.refresh()

    def refresh(self) -> None:
        if any([followed.catch_up() for followed in self._followed]):
            self.chart.redraw()
        self.validation.refresh()
        self.best.set(self.validation.best if self._validation_shown else "")
        self._put(self.which, self.validation.begun, padx=(px(14), 0), side="left")
        self._put(self.best, self._validation_shown, padx=(px(12), 0), side="left")
        self._put(self.reset, self._front.zoomed, padx=(0, px(14)), side="right")

    @property
    def _validation_shown(self) -> bool:
        return self.which.get() == VIEWS[1]

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
        self.rate_switch.disable("" if front is self.chart else "Only over the loss of the training.")
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


def add(curve: Curve, points: Points) -> int:
    curve.add([step for step, _ in points], [value for _, value in points])
    return len(points)
