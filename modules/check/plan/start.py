"""What a run takes of the memory plan: when it begins, and when memory runs out all the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modules.check.context import CheckContext
from modules.check.memory.findings import is_tiny
from modules.check.plan.findings import place_of, planner_for
from modules.check.plan.ladder import descent
from modules.preset.paths import get
from modules.preset.preset import Preset
from modules.trainer.preparation import WITHOUT_PLAN, with_planned, without_plan

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Decided:
    """How a run holds its model."""

    settings: Settings  # in the place of each "auto"
    at_once: int = 0  # images of a batch that are learnt at once; 0: all

    def applied(self, preset: Preset) -> Preset:
        """The preset as it is run: nothing of it is left to a plan."""
        return without_plan(with_planned(preset, self.settings))


def decide(context: CheckContext, earlier: Settings | None) -> Decided:
    """By the plan on a card, which is told; a run that goes on keeps what was decided `earlier`.

    Main memory gives way slowly, and a small model fits everywhere: neither is worth the time of a count.
    """
    assert context.family is not None
    place = place_of(context.preset)
    if earlier is not None or not place.on_card or is_tiny(context.family):
        return Decided(earlier or {})
    _, planner = planner_for(context, place)
    plan = planner.plan(place)
    context.tell(plan)
    rung = plan.rungs[plan.chosen]
    batch = context.preset.training.batch_size
    return Decided(rung.settings, batch // rung.batch_parts if rung.batch_parts > 1 else 0)


def next_rung(asked: Preset, running: Preset) -> dict[str, str] | None:
    """The settings of the next rung, where memory had no room for one image at a time; None where none is left.

    `asked`: the preset with what it leaves open; `running`: as it was run. What a person has set stays as it is. No
    number is asked: they were wrong.
    """
    rungs = [without_plan(with_planned(asked, settings)) for settings in descent(asked, place_of(running).on_card)]
    here = [number for number, rung in enumerate(rungs) if _way(rung) == _way(running)]
    for rung in rungs[here[0] if here else 0 :]:
        if rung.model != running.model or _again(rung) > _again(running):
            values = rung.model_dump(mode="json")
            return {path: get(values, path) for path in WITHOUT_PLAN}
    return None


def _again(preset: Preset) -> tuple[bool, float]:
    return preset.training.gradients == "main_memory", preset.training.checkpointed


def _way(preset: Preset) -> tuple[str, float, str]:
    return preset.model.quantization, preset.model.offloaded, preset.training.gradients
