"""How the learning rate moves during the run."""

from __future__ import annotations

from typing import Literal

from modules.preset.interval import WarmUpText
from modules.preset.setting import Section, Setting, When

FALLING = ("linear", "cosine", "cosine_restarts", "rex")


class Schedule(Section):
    """Learning rate schedule"""

    kind: Literal["constant", "linear", "cosine", "cosine_restarts", "rex"] = Setting("constant", "Schedule")
    """"constant" stays. "linear" and "cosine" fall to the minimum at the end. "cosine_restarts" falls several times.
    "rex" stays high for long and falls late."""
    warmup: WarmUpText = Setting("0 steps", "Warm-up", widget="warmup")
    """Start from nothing and reach the learning rate after so many steps, or this share of the run: "100 steps",
    "5 %"."""
    cycles: int = Setting(1, "Cycles", ge=1, le=1000, when=When("schedule.kind", ("cosine_restarts",)))
    """How many times the rate falls."""
    minimum: float = Setting(0.0, "Minimum", ge=0, le=1, level="expert", when=When("schedule.kind", FALLING))
    """The share of the learning rate that is left at the end."""
