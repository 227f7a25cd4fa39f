"""What suits prompts of a model: for those that are new, and for those that were made for another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from modules.catalog import FAMILIES, SamplingDefaults
from modules.preset.paths import Values, get
from modules.preset.sections.sampling import FLOW_SAMPLERS

FEW_STEPS = 12  # models that are usually drawn with no more were distilled to few steps
MAX_DISTILLED_GUIDANCE = 2.0  # more burns the colours of models whose guidance was distilled into them


def usual_sampling(values: Values) -> SamplingDefaults | None:
    """What the model of a preset is usually drawn with; None where its type is unknown."""
    card = FAMILIES.get(str(get(values, "model.family")))
    named = (str(get(values, f"model.{name}") or "") for name in ("source", "variant"))
    return card.usual_sampling(card.called(*named)) if card else None


def known_prompts(values: Values) -> tuple[str, ...]:
    """What the model of a preset surely knows; nothing where its type is unknown."""
    card = FAMILIES.get(str(get(values, "model.family")))
    named = (str(get(values, f"model.{name}") or "") for name in ("source", "variant"))
    return card.known_prompts(card.called(*named)) if card else ()


def usual_prompt(values: Values) -> Values:
    """The settings that a new prompt of this preset begins with."""
    usual = usual_sampling(values)
    return {"steps": usual.steps, "guidance": usual.guidance, "sampler": usual.sampler} if usual else {}


def size_step_of(values: Values) -> int:
    """What the sides of images are multiples of."""
    card = FAMILIES.get(str(get(values, "model.family")))
    return card.size_step if card else 8


def is_flow(values: Values) -> bool:
    """Whether the model of a preset is a rectified flow, as far as can be said without opening it."""
    card = FAMILIES.get(str(get(values, "model.family")))
    return (card is not None and card.is_flow) or get(values, "objective.prediction") == "flow"


def better_sampling(values: Values) -> dict[str, Any]:
    """By path, what suits the model where prompts or class images ask for what does not."""
    usual = usual_sampling(values)
    if usual is None:
        return {}
    return {
        f"{path}.{name}": value
        for path, drawn in _drawn(values)
        for name, value in _better(drawn, usual, flow=is_flow(values)).items()
    }


def _drawn(values: Values) -> Iterator[tuple[str, Values]]:
    """What is drawn in a run, with its path."""
    for number, prompt in enumerate(cast("list[Values]", get(values, "sampling.prompts") or [])):
        if prompt.get("enabled", True):
            yield f"sampling.prompts.{number}", prompt
    if get(values, "prior.made.count"):
        yield "prior.made", cast("Values", get(values, "prior.made"))


def _better(drawn: Values, usual: SamplingDefaults, *, flow: bool) -> Values:
    found: Values = {}
    if usual.steps <= FEW_STEPS and drawn.get("steps", 0) > 2 * usual.steps:
        found["steps"] = usual.steps
    if usual.guidance == 1 and drawn.get("guidance", 1) > MAX_DISTILLED_GUIDANCE:
        found["guidance"] = usual.guidance
    if flow and drawn.get("sampler", usual.sampler) not in FLOW_SAMPLERS:
        found["sampler"] = usual.sampler
    return found
