"""Long rows of equal blocks, of which a model with three each is made, and whether a step of that one tells of all.

What the others add is always the same (modules/check/memory/timeline.py): a transformer of 57 blocks has two kinds and
is counted in a tenth of the time, to the byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from torch import nn

from modules.families import Family
from modules.families.parts.lora_targets import lora_targets
from modules.preset.layer_selection import Owned, adapted_layers, trained_weights
from modules.preset.preset import Preset
from modules.preset.sections.method import Adapter, Full

FEW = 3  # of a row: the first may keep less than the others, since nothing before it is trained
Signature = tuple[str, tuple[tuple[str, tuple[int, ...]], ...]]


@dataclass(frozen=True)
class Run:
    """Blocks that follow one another and are equal: those of `blocks` from `first` on."""

    blocks: str  # path of a list of modules
    first: int
    count: int


def runs_of(family: Any) -> list[Run]:
    """All rows of equal blocks of the denoiser that are longer than what is run, none inside of another."""
    found: list[Run] = []
    for path, blocks in family.empty("denoiser").named_modules():
        if isinstance(blocks, nn.ModuleList) and not any(path.startswith(f"{run.blocks}.") for run in found):
            found += _runs_in(path, blocks)
    return found


def _runs_in(path: str, blocks: nn.ModuleList) -> Iterator[Run]:
    first = 0
    for _, group in groupby(blocks, key=_signature):
        count = len([*group])
        if count > FEW:
            yield Run(path, first, count)
        first += count


def _signature(block: nn.Module) -> Signature:
    return type(block).__name__, tuple((name, tuple(x.shape)) for name, x in block.state_dict(keep_vars=True).items())


def is_countable(preset: Preset) -> bool:
    """Whether blocks are done alike, and no file has layers of all of them."""
    method, training = preset.method, preset.training
    if not isinstance(method, Adapter | Full) or "denoiser" not in preset.trained_parts():
        return False
    files = getattr(method, "start_from", "") or preset.model.training_adapters
    aside = training.gradients == "main_memory"  # where those of several blocks are on their way at once
    return not files and training.checkpointed in (0.0, 1.0) and not preset.model.offloaded and not aside


def countable_runs(family: Family, preset: Preset) -> list[Run]:
    """The rows of which a few blocks tell all: that are done alike, with the same layers trained in each."""
    if not is_countable(preset):
        return []
    own = _trained(family, preset)
    return [run for run in runs_of(family) if _is_alike(own, run)]


def _is_alike(own: Owned, run: Run) -> bool:
    inside: dict[int, dict[str, object]] = {run.first + number: {} for number in range(run.count)}
    for name, group in own.items():
        number, _, path = name.removeprefix(f"{run.blocks}.").partition(".")
        if name.startswith(f"{run.blocks}.") and number.isdecimal() and int(number) in inside:
            inside[int(number)][path] = group
    first, *others = inside.values()
    return bool(first) and all(each == first for each in others)


def _trained(family: Any, preset: Preset) -> Owned:
    """What of the denoiser is trained, by name: layers that get an update, or weights."""
    empty, method = family.empty("denoiser"), preset.method
    if isinstance(method, Full):
        return trained_weights([name for name, _ in empty.named_parameters()], method, family.layer_groups)
    assert isinstance(method, Adapter)
    paths = lora_targets(empty, family.card.component("denoiser"))
    shapes = {path: tuple(empty.get_parameter(f"{path}.weight").shape) for path in paths}
    return adapted_layers(shapes, method, family.layer_groups)


def with_few_blocks(family: Family, runs: Sequence[Run]) -> Family:
    """The same family, whose denoiser is made with three blocks of each row."""
    if not runs:
        return family
    source: Any = family
    twin: Any = copy(family)
    cut = _cut(source.empty("denoiser"), runs)
    twin.empty = lambda name: cut if name == "denoiser" else source.empty(name)
    return twin


def last_two(runs: Sequence[Run]) -> dict[Run, tuple[str, str]]:
    """The paths of the last two blocks of each row in a model with few of them."""
    found: dict[Run, tuple[str, str]] = {}
    for run in runs:
        gone = sum(other.count - FEW for other in runs if other.blocks == run.blocks and other.first < run.first)
        last = run.first - gone + FEW - 1
        found[run] = f"{run.blocks}.{last - 1}", f"{run.blocks}.{last}"
    return found


def _cut(whole: nn.Module, runs: Sequence[Run]) -> nn.Module:
    """A module that shares all with the whole one but the lists, and what leads to them."""
    cut = _own(whole)
    for path in {run.blocks for run in runs}:
        owner, (*above, name) = cut, path.split(".")
        for step in above:
            own = _own(owner.get_submodule(step))
            owner.register_module(step, own)
            owner = own
        left_out = {
            number
            for run in runs if run.blocks == path
            for number in range(run.first + FEW, run.first + run.count)
        }  # fmt: skip
        blocks: Any = owner.get_submodule(name)
        left = (block for number, block in enumerate(blocks) if number not in left_out)
        owner.register_module(name, nn.ModuleList(left))
    return cut


def _own(module: nn.Module) -> nn.Module:
    """A copy that has children of its own, which are those of the other."""
    made = copy(module)
    vars(made)["_modules"] = dict(vars(module)["_modules"])
    return made
