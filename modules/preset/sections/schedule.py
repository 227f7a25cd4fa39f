"""How the learning rate moves during the run: nothing to remember, so nothing to back up. Another is a row of SHAPES.

Without torch: the window draws the curve from the same lines.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

from modules.preset.setting import Section, Setting, When
from modules.preset.text.curve_points import Point, PointsText, interpolate_linear, interpolate_steps, parse_points
from modules.preset.text.interval import WarmUp, WarmUpText


class SchedulePoint(NamedTuple):
    """Where a run stands behind its warm-up."""

    done: float  # share of what comes after the warm-up, 0 to 1
    step: int  # finished steps
    warm: int  # steps of the warm-up
    steps: int  # steps in all


def _linear(_: Schedule, at: SchedulePoint) -> float:
    return 1 - at.done


def _cosine(_: Schedule, at: SchedulePoint) -> float:
    return _half_wave(at.done)


def _restarts(schedule: Schedule, at: SchedulePoint) -> float:
    """SGDR (arXiv:1608.03983, eq. 5), cycles of equal length."""
    return _half_wave(at.done * schedule.cycles % 1.0) if at.done < 1 else 0.0


def _waves(schedule: Schedule, at: SchedulePoint) -> float:
    """As often down as `cycles`, and as softly up again between; it ends below, so there is half a wave less."""
    return 0.5 * (1 + math.cos(2 * math.pi * (schedule.cycles - 0.5) * at.done))


def _polynomial(schedule: Schedule, at: SchedulePoint) -> float:
    return (1 - at.done) ** schedule.power


def _inverse_sqrt(schedule: Schedule, at: SchedulePoint) -> float:
    """arXiv:2106.04560, appendix: the root of the timescale over that of the steps since."""
    scale = schedule.timescale or at.warm or max(1, at.steps // 10)
    return 1 / math.sqrt(1 + (at.step - at.warm) / scale)


def _adafactor(_: Schedule, at: SchedulePoint) -> float:
    """The relative step of arXiv:1804.04235, algorithm 5, min(1 / 100, 1 / sqrt(t)), as a share of its largest."""
    return min(1.0, 100 / math.sqrt(at.step + 1))


def _rex(_: Schedule, at: SchedulePoint) -> float:
    """arXiv:2107.04197, section 3."""
    return (1 - at.done) / (0.5 + 0.5 * (1 - at.done))


def _stable_decay(schedule: Schedule, at: SchedulePoint) -> float:
    """Warm-up, stable, decay: arXiv:2404.06395, section 4; its root: arXiv:2405.18392."""
    length = min(WarmUp.parse(schedule.decay).steps_of(at.steps), at.steps - at.warm)
    past = at.step - (at.steps - length)
    if past <= 0 or length <= 0:
        return 1.0
    done = min(past / length, 1.0)
    return {"linear": 1 - done, "cosine": _half_wave(done), "root": 1 - math.sqrt(done)}[schedule.decay_shape]


def _custom(schedule: Schedule, at: SchedulePoint) -> float:
    return interpolate_linear(schedule.drawn, at.done)


def _steps(schedule: Schedule, at: SchedulePoint) -> float:
    return interpolate_steps(schedule.drawn, at.done)


def _half_wave(done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * done))


# From 1 downwards, while `done` goes from 0 to 1. DRAWN ones are what they are; the others end at the minimum.
SHAPES: dict[str, Callable[[Schedule, SchedulePoint], float]] = {
    "constant": lambda _schedule, _at: 1.0,
    "linear": _linear,
    "cosine": _cosine,
    "cosine_restarts": _restarts,
    "cosine_waves": _waves,
    "polynomial": _polynomial,
    "rex": _rex,
    "stable_decay": _stable_decay,
    "inverse_sqrt": _inverse_sqrt,
    "adafactor": _adafactor,
    "piecewise_constant": _steps,
    "custom": _custom,
}
POINT_KINDS = ("piecewise_constant", "custom")
FALLING = tuple(name for name in SHAPES if name != "constant" and name not in POINT_KINDS)
if TYPE_CHECKING:
    ShapeName = str
else:
    ShapeName = Literal[*SHAPES]


def _for(*kinds: str) -> When:
    """Shown while the schedule is one of these."""
    return When("schedule.kind", kinds)


class Schedule(Section):
    """Learning rate schedule"""

    kind: ShapeName = Setting(
        "constant", "Learning rate scheduler",
        aliases="lr_scheduler, scheduler, lr_scheduler_type, cosine_with_restarts, constant_with_warmup, "
        "warmup_stable_decay, lr_scheduler_params, annealing, lr schedule, learning rate decay, lr decay",
    )  # fmt: skip
    """"constant" stays. "linear", "cosine" and "polynomial" fall to the minimum at the end. "cosine_restarts" falls and
    jumps back, "cosine_waves" falls and climbs. "rex" falls late, "stable_decay" only at the end, "inverse_sqrt" ever
    more slowly. "adafactor": Adafactor's own. "piecewise_constant" and "custom": as you draw it."""
    warmup: WarmUpText = Setting(
        "0 steps", "Warm-up", widget="warmup", aliases="lr_warmup_steps, learning_rate_warmup_steps, warmup ratio"
    )
    """Raise the learning rate from 0 over this many steps, or this share of the run: "100 steps", "5 %"."""
    cycles: int = Setting(
        1, "Cycles", ge=1, le=1000, when=_for("cosine_restarts", "cosine_waves"),
        aliases="lr_scheduler_num_cycles, lr_num_cycles, learning_rate_cycles",
    )  # fmt: skip
    """How many times the rate falls. Usual: 1 to 5."""
    power: float = Setting(
        2.0, "Power", gt=0, le=20, level="expert", when=_for("polynomial"), aliases="lr_scheduler_power, lr_power"
    )
    """1 falls in a straight line; larger falls sooner. Usual: 1 to 3."""
    timescale: int = Setting(
        0, "Timescale", ge=0, le=10_000_000, unit="steps", level="expert", zero="as the warm-up",
        when=_for("inverse_sqrt"), aliases="lr_scheduler_timescale")  # fmt: skip
    """After 3 times this many steps half of the rate is left. 0: as long as the warm-up, or a tenth of the run without
    one."""
    decay: WarmUpText = Setting(
        "20 %", "Decay length", widget="warmup", when=_for("stable_decay"), aliases="lr_decay_steps"
    )
    """How long before the end the rate begins to fall: "500 steps", "20 %" of the run. Usual: 10 to 20 %."""
    decay_shape: Literal["linear", "cosine", "root"] = Setting(
        "linear", "Decay shape", level="expert", when=_for("stable_decay")
    )
    """"linear": a straight line. "cosine": slowly at both ends. "root": fast at first. Usual: linear, or root."""
    points: PointsText = Setting("0:1, 1:0", "Points", max_length=2000, when=_for(*POINT_KINDS))
    """The curve, as "share of the run after the warm-up:share of the learning rate": "0:1, 0.5:0.3, 1:0". With "custom"
    lines lead from point to point, with "piecewise_constant" each height holds until the next. In the window: click to
    add a point, drag it, double-click to remove it."""
    minimum: float = Setting(
        0.0, "Minimum learning rate", ge=0, le=1, level="expert", when=_for(*FALLING),
        aliases="lr_scheduler_min_lr_ratio, learning_rate_min_factor, cosine_with_min_lr, min_lr, eta_min",
    )  # fmt: skip
    """The share of the learning rate that is left at the end. 0: nothing. Usual: 0, or 0.1."""

    @property
    def drawn(self) -> tuple[Point, ...]:
        """The points of the curve that is one's own."""
        return parse_points(self.points)

    def factor(self, step: int, steps: int) -> float:
        """The share of the learning rate that holds for the step after `step` finished ones, of `steps` in all."""
        warm = WarmUp.parse(self.warmup).steps_of(steps)
        if step < warm:
            return (step + 1) / warm * self._after(SchedulePoint(0.0, warm, warm, steps))
        done = (step - warm) / max(1, steps - warm)
        return self._after(SchedulePoint(min(done, 1.0), step, warm, steps))

    def _after(self, at: SchedulePoint) -> float:
        shape = SHAPES[self.kind](self, at)
        return shape if self.kind in POINT_KINDS else self.minimum + (1 - self.minimum) * shape
