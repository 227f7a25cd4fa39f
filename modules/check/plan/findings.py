"""The memory plan of a run that has not begun, and what there is to say of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import cache
from typing import Any

import psutil
import torch

from modules.catalog.gpus import gpu_named
from modules.check.context import CheckContext
from modules.check.memory import findings as memory
from modules.check.memory.memory_tracker import for_a_card
from modules.check.memory.phases import Estimate
from modules.check.plan.ladder import wants_compiler
from modules.check.plan.numbers import Numbers
from modules.check.plan.plan import Place, Planner
from modules.families import Family
from modules.messages import Answer, Finding, Fix, Query, note
from modules.preset.files.set_option import apply_overrides
from modules.preset.preset import Preset
from modules.preset.validate import preset_of
from modules.sentences.problem import problem
from modules.system.devices import budget_of, card_module, device_named, is_card
from modules.trainer.preparation import resolved, with_planned

_last: list[tuple[CheckContext, Place, Planner]] = []  # of the last check, for questions about others


def findings(context: CheckContext) -> Iterator[Finding]:
    """Tell the plan, and yield what a run would take by it, and whether there is that much."""
    if context.family is None or context.index is None or not len(context.index):
        return
    if context.start and memory.is_tiny(context.family):
        return
    place = place_of(context.preset, context.card)
    context.progress("stage.check-memory", 0, 0)
    tell_no_compiler(context, place)
    with for_a_card() if place.on_card else nullcontext():
        estimator, planner = planner_for(context, place)
        plan = planner.plan(place, usual=place.on_card and not context.start)
        _last[:] = [(context, place, planner)]
        found, fixes = planner.estimate(plan, place), list[tuple[Fix, int]]()
        if not plan.rungs[plan.chosen].fits:
            preset = with_planned(planner.preset, plan.rungs[plan.chosen].settings)
            fixes += _fixes(replace(context, preset=preset), estimator, found, place)
        context.tell(replace(plan, enough=[each for each, size in fixes if size <= place.room][:1]))
        yield from memory.findings_of(found, place.usable, [each for each, _ in fixes], here=place.here)


def _fixes(
    context: CheckContext, estimator: memory.MemoryEstimator, found: Estimate, place: Place
) -> Iterator[tuple[Fix, int]]:
    """What lowers the peak of a planned run, and what a plan for each comes to."""

    def size_of(preset: Preset) -> int:
        return Planner(Numbers(estimator, preset), preset).least(place)

    return estimator.fixes(context, found, place.room, size_of)


def planner_for(context: CheckContext, place: Place) -> tuple[memory.MemoryEstimator, Planner]:
    """What counts for a place, and what plans with it."""
    assert context.family is not None and context.index is not None
    preset = _preset_for(context.asked or context.preset, context.family, place)
    estimator = memory.MemoryEstimator(context.family, preset, context.index)
    return estimator, Planner(Numbers(estimator, preset), preset)


def _preset_for(asked: Preset, family: Family, place: Place) -> Preset:
    """The preset with what a card that is not here would make of it."""
    if place.here:
        return resolved(asked, family)
    general = asked.general.model_copy(update={"device": "auto"})
    model = asked.model
    if model.dtype == "auto":
        bf16 = asked.training.weights == "bf16" or place.gpu is None or place.gpu.has_bf16
        model = model.model_copy(update={"dtype": "bf16" if bf16 else "fp16"})
    return resolved(asked.model_copy(update={"general": general, "model": model}), family)


# Places ---------------------------------------------------------------------------------------------------------------


def place_of(preset: Preset, card: str = "") -> Place:
    """The card of this name, or what this computer trains with.

    A card that is not here is taken to compile if that of this computer does, or if it has none.

    Raises:
        UserError: the device is not there.
    """
    gpu = gpu_named(card)
    device = device_named("auto" if gpu else preset.general.device)
    no_compiler = _no_compiler(device) if wants_compiler(preset) and is_card(device) else ""
    if gpu:
        return replace(Place.of(gpu, preset.general.card_memory), no_compiler=no_compiler)
    if not is_card(device):
        total, free = psutil.virtual_memory().total, psutil.virtual_memory().available
        return Place("", total, free, None, here=True, on_card=False)
    name, total = card_module(device).get_device_name(device), torch.cuda.get_device_properties(device).total_memory
    usable = budget_of(total, preset.general.card_memory)
    return Place(name, total, usable, gpu_named(name, total), here=True, no_compiler=no_compiler)


@cache
def _no_compiler(device: torch.device) -> str:
    """Why PyTorch's compiler does not work with the card of this computer; "" where it does. Takes seconds, once."""
    from modules.placement.compiling import why_not  # noqa: PLC0415 - few want it

    return why_not(device)


def tell_no_compiler(context: CheckContext, place: Place) -> None:
    """Where blocks were to be compiled and cannot be."""
    if place.no_compiler:
        context.tell(note(problem("compile.does-not-work", "general.compile", why=place.no_compiler)))


def answer(query: Query) -> Answer:
    """What the plan of the last check is for another card, {"card": name}, or otherwise preferred, {"prefer": ...}, or
    with other values, {"changes": {path: value}}.

    Without values where nothing was checked. Nothing is counted anew but for a card, where this computer has none, and
    for other values.
    """  # noqa: D205 - one sentence
    values: Mapping[str, Any] = query.values
    if not _last:
        return Answer(query.id, query.what)
    context, before, planner = _last[0]
    wanted = planner.preferring(values["prefer"]) if values.get("prefer") else planner
    place = place_of(wanted.preset, str(values.get("card", "")))
    with for_a_card() if place.on_card else nullcontext():
        if place.on_card != before.on_card or values.get("changes"):
            # A card would hold and compute otherwise than this computer, and a run of other values than this one.
            planner = planner_for(_changed(context, values.get("changes") or {}), place)[1]
        if values.get("prefer"):
            planner = planner.preferring(values["prefer"])
        usual = not before.on_card and not values.get("changes")
        return Answer(query.id, query.what, asdict(planner.plan(place, count=False, usual=usual)))


def _changed(context: CheckContext, changes: Mapping[str, Any]) -> CheckContext:
    """The same look at a preset with other values."""
    if not changes:
        return context
    values = (context.asked or context.preset).model_dump(mode="json")
    options = [f"{path}={value if isinstance(value, str) else json.dumps(value)}" for path, value in changes.items()]
    preset = preset_of(apply_overrides(values, options))
    return replace(context, asked=preset, preset=preset)
