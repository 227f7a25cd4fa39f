"""What runs of tried values will take: time, room on the disk, memory; by the last look and by earlier runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.gui.check.findings import Result, checks_for
from app.gui.check.plan_words import plan_from
from app.gui.context import AppContext
from modules.messages import MemoryPlan
from modules.preset.paths import Values
from modules.preset.validate import examine
from modules.trials.estimates import Pace, images_in_a_step, pace_of
from modules.trials.runs import STEPS
from modules.trials.values import current, with_value

MOST_PLANNED = 24  # runs whose memory the engine is asked for
LIGHT = (  # settings that change no memory: nothing is counted anew for them
    "training.steps", "training.epochs", "training.learning_rate", "training.clip_gradients", "schedule.", "general.",
    "objective.", "backup.", "sampling.", "validation.", "output.",
)  # fmt: skip


@dataclass(frozen=True)
class Costs:
    """Of all runs; None where nobody knows."""

    seconds: tuple[float, ...] | None  # of each run
    megabytes: float  # of all models; 0: nobody knows
    plans: dict[int, MemoryPlan]  # by the place of a run

    @property
    def whole(self) -> float:
        return sum(self.seconds or ())

    def worst(self) -> int | None:
        """The place of the run that takes the most memory."""
        return max(self.plans, key=lambda n: peak_of(self.plans[n]), default=None)


def peak_of(plan: MemoryPlan) -> int:
    return plan.rungs[plan.chosen].peak


class Estimator:
    """Asks once what does not change while values are chosen."""

    def __init__(self, context: AppContext, base: Values) -> None:
        self._context, self._base = context, base
        preset = examine(base)[0]
        self._images, self._steps = images_in_a_step(preset), preset.training.steps
        self._earlier: Pace | None = pace_of(preset)

    @property
    def checked(self) -> Result | None:
        """What the last look said of these settings; None if it was of others."""
        checks = checks_for(self._context)
        return checks.shown if checks.shown and not checks.stale and not checks.shown.failure else None

    def costs(self, runs: list[dict[str, Any]], steps: int) -> Costs:
        """`steps`: of each run that does not try them; 0: as the settings say."""
        pace = self._pace()
        each = [self._seconds(pace, changes, steps or self._steps) for changes in runs] if pace else [0.0]
        seconds = tuple(each) if all(each) else None
        plans = {n: plan for n, changes in enumerate(runs[:MOST_PLANNED]) if (plan := self._plan(changes))}
        return Costs(seconds, (self._earlier.megabytes if self._earlier else 0.0) * len(runs), plans)

    def _pace(self) -> Pace | None:
        found = (
            next((each for each in self.checked.findings if each.code == "costs.time"), None) if self.checked else None
        )
        if found is not None and found.values.get("steps"):
            return Pace(float(found.values["whole"]) / float(found.values["steps"]), self._images)
        return self._earlier

    def _seconds(self, pace: Pace, changes: dict[str, Any], steps: int) -> float:
        """Of a run; 0: nobody knows."""
        values = self._base
        for path in ("training.batch_size", "training.accumulation"):
            if path in changes:
                values, _ = with_value(values, path, changes[path])
        wanted = changes.get(STEPS, steps)
        steps = wanted if isinstance(wanted, int) else steps
        if steps <= 0:  # they count in epochs
            return 0.0
        images = int(current(values, "training.batch_size")) * int(current(values, "training.accumulation"))
        return pace.seconds(steps, images)

    def _plan(self, changes: dict[str, Any]) -> MemoryPlan | None:
        checked = self.checked
        if checked is None or checked.plan is None:
            return None
        heavy = {path: value for path, value in changes.items() if not path.startswith(LIGHT)}
        if all(current(self._base, path) == value for path, value in heavy.items()):
            return checked.plan
        answer = self._context.queries.get("plan", {"key": checked.key, "changes": heavy})
        return plan_from(answer) if answer else None
