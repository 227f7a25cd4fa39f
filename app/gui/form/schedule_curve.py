"""The learning rate over the run as a curve that follows the settings, and that can be drawn where it is one's own."""

from __future__ import annotations

from collections.abc import Sequence

from app.gui.context import AppContext
from app.gui.kit import Frame, LinePlot, px, tip
from modules.language import tr
from modules.preset.preset import Preset
from modules.preset.sections.schedule import POINT_KINDS, Schedule
from modules.preset.text.curve_points import Point, format_points
from modules.preset.text.interval import WarmUp
from modules.text import in_percent

SIDE = 190  # where the controls of a row begin
STEPS = 1000  # of a run whose length is not known before its images are counted
PLACES = 240  # along the line
HAND = "Click to add a point, drag it, double-click to remove it."


def line_of(schedule: Schedule, steps: int) -> list[Point]:
    """(share of the run, share of the learning rate), left to right."""
    places = sorted({round(number * (steps - 1) / PLACES) for number in range(PLACES + 1)})
    return [(step / max(1, steps - 1), schedule.factor(step, steps)) for step in places]


class ScheduleCurve(Frame):
    """Stands under the choice of the schedule."""

    def __init__(self, master: Frame, context: AppContext) -> None:
        super().__init__(master)
        self._context = context
        self.plot = LinePlot(
            self, (tr("start"), tr("end")), on_change=self._put, follow=self._follow, read_out=self._read_out
        )
        self.plot.pack(fill="x", padx=(px(SIDE), px(8)), pady=(px(2), px(8)))
        tip(self.plot, lambda: tr(HAND) if self.plot.points else "")
        self._shown: tuple[Schedule, int] | None = None
        self._preset: Preset = context.draft.preset()
        self.until_destroyed(
            *(context.draft.watch(path, lambda _: self._refresh()) for path in ("schedule", "training"))
        )
        self._refresh()

    def _refresh(self) -> None:
        self._preset = self._context.draft.preset()
        schedule, steps = self._preset.schedule, self._preset.training.steps or STEPS
        if (schedule, steps) == self._shown:
            return
        self._shown = (schedule, steps)
        drawn = schedule.kind in POINT_KINDS
        points = [(self._in_run(x), y) for x, y in schedule.drawn] if drawn else []
        self.plot.show(line_of(schedule, steps), points)
        self.plot.ends(tr("start"), tr("step {step:,}", step=steps) if self._preset.training.steps else tr("end"))

    @property
    def _warm(self) -> float:
        """The share of the run that is its warm-up."""
        steps = self._preset.training.steps or STEPS
        return min(WarmUp.parse(self._preset.schedule.warmup).steps_of(steps) / steps, 0.99)

    def _in_run(self, x: float) -> float:
        return self._warm + (1 - self._warm) * x

    def _text(self, points: Sequence[Point]) -> str:
        """The points as the setting has them: places count from the end of the warm-up."""
        placed = [(min(max((x - self._warm) / (1 - self._warm), 0.0), 1.0), y) for x, y in points]
        apart = [point for number, point in enumerate(placed) if not number or point[0] > placed[number - 1][0]]
        return format_points(apart)

    def _follow(self, points: Sequence[Point]) -> list[Point]:
        schedule = self._preset.schedule.model_copy(update={"points": self._text(points)})
        return line_of(schedule, self._preset.training.steps or STEPS)

    def _put(self, points: Sequence[Point]) -> None:
        self._context.draft.put("schedule.points", self._text(points))

    def _read_out(self, x: float, height: float) -> str:
        training = self._preset.training
        where = tr("step {step:,}", step=round(x * training.steps)) if training.steps else in_percent(x)
        return f"{where}: {training.learning_rate * training.rate_scale * height:.3g}"
