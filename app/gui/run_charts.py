"""The loss chart of one run or of two, with its switches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.gui.kit import Card, Chart, Curve, Frame, Label, LinkButton, Switch, px, tip
from app.gui.run_story import Points, Story


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
    """`follow([story])` or two of them; `refresh` adds what came since. Whoever holds the stories updates them."""

    def __init__(self, master: Any) -> None:
        super().__init__(master, "Loss")
        if self.title is None:
            raise AssertionError("a card with a title has one")
        self._followed: list[Followed] = []
        self.reset = LinkButton(self.head, "Show all", self._reset)
        self.rate_switch = self._switch("Learning rate", "Draws the learning rate over the loss.", self._show_rate)
        self.log_switch = self._switch("Log scale", "Makes small changes visible late in a run.", self._show_log)
        self.chart = Chart(self.body, empty="The loss appears here when training begins.", height=160)
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
        self._show_rate(self.rate_switch.get())
        self.refresh()

    def refresh(self) -> None:
        if any([followed.catch_up() for followed in self._followed]):
            self.chart.redraw()
        if self.chart.zoomed != bool(self.reset.winfo_manager()):
            if self.chart.zoomed:
                self.reset.pack(side="right", padx=(0, px(14)))
            else:
                self.reset.pack_forget()

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

    def _reset(self) -> None:
        self.chart.view()
        self.refresh()


def add(curve: Curve, points: Points) -> int:
    curve.add([step for step, _ in points], [value for _, value in points])
    return len(points)
