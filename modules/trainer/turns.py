"""Which parts learn in the step that comes: each from its beginning to its end, all at once or in turn.

A part that rests has no gradients, and an optimizer leaves a weight without gradient alone: weights, moments and decay
stay bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence

from modules.methods import Group
from modules.preset.interval import Interval
from modules.preset.preset import Preset
from modules.trainer.clock import Clock


class Turns:
    """A pure function of the clock: nothing to remember, so nothing to back up."""

    def __init__(self, preset: Preset) -> None:
        self._turn = Interval.parse(preset.training.turns)
        self._parts = tuple(preset.trained_parts())

    def learning(self, groups: Sequence[Group], clock: Clock) -> set[str]:
        """The names of the groups that learn now; none once all are over.

        Where nothing else would learn, what has not begun begins early: a step that teaches nothing is of no use.
        """
        left = [group for group in groups if not clock.passed(Interval.parse(group.stop_after))]
        begun = [group for group in left if _has_begun(group, clock)] or left
        parts = [part for part in self._parts if any(group.part == part for group in begun)]
        if self._turn.unit == "never" or not parts:
            return {group.name for group in begun}
        done = clock.epoch if self._turn.unit == "epoch" else clock.step
        now = parts[int(done // self._turn.amount) % len(parts)]
        return {group.name for group in begun if group.part in ("", now)}


def _has_begun(group: Group, clock: Clock) -> bool:
    start = Interval.parse(group.start_after)
    return start.unit == "never" or clock.passed(start)
