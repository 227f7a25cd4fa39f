"""Schedule-free: an average of the weights takes the place of a falling rate. arXiv:2405.15682."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from modules.preset.optimizers.optimizer import NoDecay, Optimizer
from modules.preset.setting import Setting


class Averages(NoDecay, Optimizer):
    """Samples and saves an average of the weights, and trains between it and the newest ones."""

    is_schedule_free: ClassVar[bool] = True
    rates: ClassVar[tuple[float, float]] = (1.0, 10.0)
    r: float = Setting(0.0, "Step weighting (r)", ge=0, le=10, level="expert", zero="all alike")
    """How much more late steps count in the average: 0 all alike, 1 in proportion to the step. Usual: 0."""
    weight_lr_power: float = Setting(2.0, "Learning rate weighting", ge=0, le=10, level="expert")
    """How much steps at a low learning rate (of the warm-up) count less in the average. Usual: 2."""


class ScheduleFreeAdamW(Averages):
    """Schedule-free AdamW"""

    kind: Literal["schedule_free_adamw"] = "schedule_free_adamw"
    target: ClassVar[str] = "schedulefree:AdamWScheduleFree"
    beta1: float = Setting(0.9, "Beta 1", gt=0, lt=1, level="expert")
    """Between the average and the newest weights, where gradients are taken."""
    beta2: float = Setting(0.999, "Beta 2", ge=0, lt=1, level="expert")
    """How long the running mean of the squared gradient remembers."""


class ScheduleFreeRAdam(Averages):
    """Schedule-free RAdam (warms up by itself)"""

    kind: Literal["schedule_free_radam"] = "schedule_free_radam"
    target: ClassVar[str] = "schedulefree:RAdamScheduleFree"
    # Off: the first steps would be plain SGD at Adam's rate. On: they only gather what Adam needs.
    constants: ClassVar[dict[str, Any]] = {"silent_sgd_phase": True}
    beta1: float = Setting(0.9, "Beta 1", gt=0, lt=1, level="expert")
    """Between the average and the newest weights, where gradients are taken."""
    beta2: float = Setting(0.999, "Beta 2", ge=0, lt=1, level="expert")
    """How long the running mean of the squared gradient remembers. Its warm-up lasts about 5 steps."""


class ScheduleFreeSGD(Averages):
    """Schedule-free SGD"""

    kind: Literal["schedule_free_sgd"] = "schedule_free_sgd"
    target: ClassVar[str] = "schedulefree:SGDScheduleFree"
    state_bytes: ClassVar[float] = 4
    rates: ClassVar[tuple[float, float]] = (10.0, 10_000.0)
    momentum: float = Setting(0.9, "Momentum", gt=0, lt=1, level="expert")
    """Between the average and the newest weights, where gradients are taken. Usual: 0.9."""
