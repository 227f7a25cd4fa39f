"""What a run takes of the memory plan: when it begins, and when memory runs out all the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from modules.check.context import CheckContext
from modules.check.memory.findings import is_tiny, largest_bucket
from modules.check.plan.findings import place_of, planner_for, tell_no_compiler
from modules.check.plan.ladder import descent
from modules.check.plan.plan import Place
from modules.messages import note
from modules.preset.paths import get
from modules.preset.preset import Preset
from modules.sentences.problem import problem
from modules.system.devices import DTYPES
from modules.trainer.preparation import WITHOUT_PLAN, load_options, with_planned, without_plan

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Decided:
    """How a run holds its model."""

    settings: Settings  # in the place of each "auto"
    at_once: int = 0  # images of a batch that are learnt at once; 0: all
    kept: bool = False  # from before: the backup knows the rest of it

    def applied(self, preset: Preset) -> Preset:
        """The preset as it is run: nothing of it is left to a plan."""
        return without_plan(with_planned(preset, self.settings))


class Earlier(NamedTuple):
    """What a run had decided before it goes on."""

    settings: Settings
    card: str = ""  # that it was planned for; "": main memory
    usable: int = 0  # bytes of it that the run might take; 0: nobody planned


def decide(context: CheckContext, earlier: Earlier | None) -> Decided:
    """By the plan, which is told; a run that goes on keeps what was decided `earlier`, where it has as much memory.

    A small model fits everywhere, and others where there is plenty: they are not worth the time of a count.
    """
    assert context.family is not None
    place = place_of(context.preset)
    if earlier is not None:
        if not _is_smaller(place, earlier):
            return Decided(earlier.settings, kept=True)
        context.tell(note(problem("plan.elsewhere", before=earlier.usable, now=place.usable), level="warning"))
    if is_tiny(context.family) or (not place.on_card and has_plenty(context, place.room)):
        return Decided({})
    tell_no_compiler(context, place)
    _, planner = planner_for(context, place)
    plan = planner.plan(place)
    context.tell(plan)
    rung = plan.rungs[plan.chosen]
    batch = context.preset.training.batch_size
    return Decided(rung.settings, batch // rung.batch_parts if rung.batch_parts > 1 else 0)


def hold_as_planned(context: CheckContext) -> None:
    """Have the context's family load its denoiser as a run that begins now would."""
    assert context.family is not None
    context.family.options = load_options(decide(context, None).applied(context.preset), context.tell)


def _is_smaller(place: Place, earlier: Earlier) -> bool:
    """Whether a run has gone to a card with less memory, or to a card from none, or the other way."""
    moved = place.on_card != bool(earlier.card)
    return bool(earlier.usable) and (moved or (place.on_card and place.usable < (1 - LITTLE_LESS) * earlier.usable))


LITTLE_LESS = 0.01  # of its memory by which a card may differ from one of the same name


def has_plenty(context: CheckContext, room: int) -> bool:
    """Whether a run takes less main memory than there is by the roughest of estimates, as it does on most computers."""
    preset, family, index = context.preset, context.family, context.index
    assert family is not None and index is not None
    weights = sum(map(family.weight_count, ("denoiser", *(family.text_encoders if preset.trains_text else ()))))
    trained = weights if preset.method.kind == "full" else 0
    height, width = largest_bucket(index)
    images = preset.training.batch_size * height * width / family.resolution**2
    return DTYPES[preset.model.dtype].itemsize * weights * (1 + KEPT * images) + STATE * trained <= room


KEPT = 3  # times its weights that a step keeps of an image of the model's own size; counted: 0.7 to 2.5
STATE = 12  # bytes for each trained number: its gradient and what AdamW knows of it


def next_rung(asked: Preset, running: Preset) -> dict[str, str] | None:
    """The settings of the next rung, where memory had no room for one image at a time; None where none is left.

    `asked`: the preset with what it leaves open; `running`: as it was run. What a person has set stays as it is. No
    number is asked: they were wrong.
    """
    compiled = {"general.compile": running.general.compile}
    ways = descent(asked, place_of(running).on_card)
    rungs = [without_plan(with_planned(asked, {**settings, **compiled})) for settings in ways]
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
