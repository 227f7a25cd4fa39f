"""Prompts of programs that have one size, one seed and one number of steps for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modules.catalog import FAMILIES
from modules.exchange.imported import Intake
from modules.exchange.kohya.data import side_of

MOST = 1000


@dataclass(frozen=True)
class Common:
    """What all prompts have alike; None where nothing is said."""

    size: Any = None  # "1024x1024", 1024, (width, height)
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    negative: str = ""
    walk: bool = False  # each prompt's seed is one more than the last one's


def put_prompts(intake: Intake, prompts: list[str], common: Common, *names: str) -> None:
    """Lay down the prompts, which come of these settings of theirs."""
    sides = side_of(common.size) if common.size else None
    for number, prompt in enumerate([each for each in prompts if each.strip()][:MOST]):
        to = f"sampling.prompts.{number}"
        intake.put(f"{to}.prompt", prompt.strip()[:5000], *(names if not number else ()))
        if common.negative:
            intake.put(f"{to}.negative", common.negative[:5000])
        if sides:
            intake.put(f"{to}.width", sides[0] // 8 * 8)
            intake.put(f"{to}.height", sides[1] // 8 * 8)
        if common.seed is not None:
            intake.put(f"{to}.seed", max(-1, common.seed) + (number if common.walk else 0))
        if common.steps:
            intake.put(f"{to}.steps", common.steps)
        if common.guidance is not None:
            put_guidance(intake, to, common.guidance)


def put_guidance(intake: Intake, to: str, guidance: float) -> None:
    """A model that takes the guidance as an input is given it there."""
    if FAMILIES[intake.family].guidance_embed:
        intake.put(f"{to}.distilled_guidance", guidance)
        intake.put(f"{to}.guidance", 1.0)
    else:
        intake.put(f"{to}.guidance", guidance)
