"""The validations of one run or of two as curves: their means, and each concept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.gui.kit import Chart, Curve
from app.gui.run_story import Story
from modules.messages import Validated

EMPTY = "Nothing has been validated yet."


class Validations:
    """What of a story's validations is on the chart."""

    def __init__(self, story: Story, chart: Chart, *, named: bool) -> None:
        """`named`: the curves carry the story's title, and there is only the mean of each."""
        self.story, self._chart, self._named = story, chart, named
        self.mean = chart.series(story.title if named else "all", exact=True)
        self._concepts: dict[str, Curve] = {}
        self._drawn = (story.generation, 0)

    def catch_up(self) -> bool:
        """Add what is new to the curves. Whether there was anything."""
        generation, count = self._drawn
        if anew := generation != self.story.generation:
            for curve in (self.mean, *self._concepts.values()):
                curve.clear()
            count = 0
        new = self.story.validations[count:]
        for event in new:
            self._add(event)
        self._drawn = (self.story.generation, len(self.story.validations))
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
    """`follow([story])` or two of them; `refresh` adds what came since."""

    def __init__(self, master: Any, *, height: float) -> None:
        super().__init__(master, empty=EMPTY, height=height)
        self._followed: list[Validations] = []

    def follow(self, stories: Sequence[Story]) -> None:
        self.clear()
        self._followed = [Validations(story, self, named=len(stories) > 1) for story in stories]

    def refresh(self) -> None:
        if any([followed.catch_up() for followed in self._followed]):
            self.redraw()

    @property
    def begun(self) -> bool:
        return any(followed.story.validations for followed in self._followed)

    @property
    def best(self) -> str:
        """The best of a single run, in words."""
        last = self._followed[0].story.validations[-1:] if len(self._followed) == 1 else []
        return f"Best: {last[0].best_mean:.4f} at step {last[0].best_step:,}" if last else ""
