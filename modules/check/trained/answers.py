"""What a preset trains, counted without loading a model: what the window asks while somebody chooses. No torch.

Which layers a method takes and what it makes for each is asked where the methods ask: `preset.layer_selection` and
`preset.adapter_sizes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from math import prod
from typing import Any

from modules.check.trained.layer_lists import Build, LayerLists, Part, in_a_process, layer_lists
from modules.errors import UserError
from modules.messages import Answer, Query
from modules.preset.adapter_sizes import is_wide, parameter_count
from modules.preset.layer_selection import Owned, Sets, adapted_layers, select_layers, trained_weights
from modules.preset.preset import Preset
from modules.preset.sections.method import Adapter, Full
from modules.preset.validate import preset_of

BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
WORDS_BYTES = 4  # words are trained in fp32
Values = dict[str, Any]


def answer(query: Query, build: Build = in_a_process) -> Answer:
    """The answer to a query; without values where there is none.

    Raises:
        RuntimeError: the model's layers could not be listed.
    """
    preset = preset_of(query.values)
    values = {"layers": layers, "trained": trained}[query.what](preset, build)
    return Answer(query.id, query.what, values)


def layers(preset: Preset, build: Build) -> Values:
    """What `method.layers` can pick from: "names" and "sizes", the "whole" denoiser's, the model's "title", "own".

    Sizes are numbers of weights. A full fine-tune picks from weights, an adapter from the layers it can be put on.
    """
    lists = layer_lists(preset, ["denoiser"], build)
    part, method = lists.parts["denoiser"], preset.method
    offered = part.weights
    if isinstance(method, Adapter):
        offered = {name: shape for name, shape in part.adaptable.items() if method.conv or not is_wide(shape)}
    sizes = [prod(shape) for shape in offered.values()]
    return {"title": lists.title, "own": lists.own, "names": [*offered], "sizes": sizes, "whole": part.whole}


def trained(preset: Preset, build: Build) -> Values:
    """How much is trained, and the memory of that.

    "parts": by component {"whole", "picked", "trained"}: its weights, those that training changes, and the numbers that
    are trained for them. "words": numbers of new words, but for those that come from files. "groups": weights that each
    of the layer groups picks. "along": layers that `method.conv` brings though nothing names them. "memory": bytes by
    what for. "problem": why the denoiser's layers cannot be trained so; empty if they can.
    """
    parts = [*preset.trained_parts()]
    words = [word for word in preset.words if word.train and not word.file]
    readers = preset.card.text_encoders if words else ()
    lists = layer_lists(preset, [*dict.fromkeys(["denoiser", *parts, *readers])], build)
    found: Values = {"parts": {}, "groups": [], "along": 0, "problem": {}}
    found["words"] = sum(word.vectors * lists.parts[name].width for word in words for name in readers)
    sets = {name: each.patterns for name, each in preset.card.layer_sets.items()}
    try:
        found["parts"] = {name: _count(preset, lists.parts[name], sets) for name in parts}
        found |= _of_choice(preset, lists, sets)
    except UserError as error:
        found["problem"] = asdict(error.problem)
    found["memory"] = _memory(preset, found)
    return found


def _count(preset: Preset, part: Part, sets: Sets) -> Values:
    """What of a component is trained."""
    method, chosen = preset.method, part.spec.name == "denoiser"
    counted = {"whole": part.whole, "picked": 0, "trained": 0}
    if isinstance(method, Full):
        names = trained_weights(part.weights, method, sets) if chosen else part.weights
        counted["picked"] = counted["trained"] = sum(prod(part.weights[name]) for name in names)
    elif isinstance(method, Adapter):
        shapes = part.adaptable
        own = adapted_layers(shapes, method, sets) if chosen else Owned.fromkeys(shapes)
        counted["picked"] = sum(prod(shapes[name]) for name in own)
        counted["trained"] = sum(parameter_count(shapes[name], method, group) for name, group in own.items())
    return counted


def _of_choice(preset: Preset, lists: LayerLists, sets: Sets) -> Values:
    """What is to be said of the layers that are chosen and of those in groups."""
    method, part = preset.method, lists.parts["denoiser"]
    if not isinstance(method, Full | Adapter):
        return {}
    shapes = part.adaptable if isinstance(method, Adapter) else part.weights
    along = 0
    if isinstance(method, Adapter) and method.conv:
        named = set(select_layers(shapes, method.layers, sets))
        along = len(adapted_layers(shapes, method.model_copy(update={"groups": ()}), sets).keys() - named)
    return {"along": along, "groups": [_picked_by(group.layers, shapes, sets) for group in method.groups]}


def _picked_by(layers: str, shapes: Mapping[str, tuple[int, ...]], sets: Sets) -> int:
    try:
        return sum(prod(shapes[name]) for name in select_layers(shapes, layers, sets))
    except UserError:
        return 0


def _memory(preset: Preset, found: Values) -> dict[str, float]:
    numbers = sum(part["trained"] for part in found["parts"].values())
    held = numbers * BYTES[preset.training.weights] + found["words"] * WORDS_BYTES
    state = (numbers + found["words"]) * preset.optimizer.state_bytes
    return {"weights": held, "gradients": held, "optimizer": state}
