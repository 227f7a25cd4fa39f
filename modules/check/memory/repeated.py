"""A step of a long row of equal blocks, counted with a few of them: what each further one adds is always the same.

A transformer of 57 blocks has two kinds. With two, two and three, three and two blocks of them a step is counted in a
tenth of the time, to the byte, where nothing but the number of blocks decides when memory is fullest. Gradients of a
whole model do, so that a full fine-tune is counted whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from torch import nn

from modules.families import Family
from modules.families.parts.lora_targets import lora_targets
from modules.preset.layer_selection import Owned, adapted_layers, trained_weights
from modules.preset.preset import Preset
from modules.preset.sections.method import Adapter, Full

FEW = 2  # of a kind: the first and the last may be fullest in turn
Signature = tuple[str, tuple[tuple[str, tuple[int, ...]], ...]]


@dataclass(frozen=True)
class Run:
    """Blocks that follow one another and are equal: those of `blocks` from `first` on."""

    blocks: str  # path of a list of modules
    first: int
    count: int


def runs_of(family: Any) -> list[Run]:
    """All rows of equal blocks of the denoiser that are longer than what is counted, none inside of another."""
    found: list[Run] = []
    for path, blocks in family.empty("denoiser").named_modules():
        if isinstance(blocks, nn.ModuleList) and not any(path.startswith(f"{run.blocks}.") for run in found):
            found += _runs_in(path, blocks)
    return found


def _runs_in(path: str, blocks: nn.ModuleList) -> Iterator[Run]:
    first = 0
    for _, group in groupby(blocks, key=_signature):
        count = len([*group])
        if count > FEW + 1:
            yield Run(path, first, count)
        first += count


def _signature(block: nn.Module) -> Signature:
    return type(block).__name__, tuple((name, tuple(x.shape)) for name, x in block.state_dict(keep_vars=True).items())


def is_countable(family: Family, preset: Preset) -> bool:
    """Whether a few blocks tell all: blocks that are done alike, and no file that has layers of all of them."""
    if family.card.component("denoiser").kind != "dit" or preset.method.kind == "full":
        return False
    if not isinstance(preset.method, Adapter | Full) or "denoiser" not in preset.trained_parts():
        return False
    files = getattr(preset.method, "start_from", "") or preset.model.training_adapters
    return not files and preset.training.checkpointed in (0.0, 1.0) and not preset.model.offloaded


def are_trained_alike(family: Any, preset: Preset, runs: list[Run]) -> bool:
    """Whether the same is trained in all blocks of each row."""
    own = _trained(family, preset)
    for run in runs:
        inside: dict[int, dict[str, object]] = {run.first + number: {} for number in range(run.count)}
        for name, group in own.items():
            number, _, path = name.removeprefix(f"{run.blocks}.").partition(".")
            if name.startswith(f"{run.blocks}.") and number.isdecimal() and int(number) in inside:
                inside[int(number)][path] = group
        first, *others = inside.values()
        if not first or any(each != first for each in others):
            return False
    return True


def _trained(family: Any, preset: Preset) -> Owned:
    """What of the denoiser is trained, by name: layers that get an update, or weights."""
    empty, method = family.empty("denoiser"), preset.method
    if isinstance(method, Full):
        return trained_weights([name for name, _ in empty.named_parameters()], method, family.layer_groups)
    assert isinstance(method, Adapter)
    paths = lora_targets(empty, family.card.component("denoiser"))
    shapes = {path: tuple(empty.get_parameter(f"{path}.weight").shape) for path in paths}
    return adapted_layers(shapes, method, family.layer_groups)


def with_blocks(family: Family, keep: dict[Run, int]) -> Family:
    """The same family, whose denoiser is made with fewer blocks."""
    source: Any = family
    twin: Any = copy(family)
    cut = _cut(source.empty("denoiser"), keep)
    twin.empty = lambda name: cut if name == "denoiser" else source.empty(name)
    return twin


def _cut(whole: nn.Module, keep: dict[Run, int]) -> nn.Module:
    """A module that shares all with the whole one but the lists, and what leads to them."""
    cut = _own(whole)
    for path in {run.blocks for run in keep}:
        owner, (*above, name) = cut, path.split(".")
        for step in above:
            owner._modules[step] = owner = _own(owner.get_submodule(step))
        left_out = {
            number
            for run, count in keep.items() if run.blocks == path
            for number in range(run.first + count, run.first + run.count)
        }  # fmt: skip
        blocks: Any = owner.get_submodule(name)
        owner._modules[name] = nn.ModuleList(block for number, block in enumerate(blocks) if number not in left_out)
    return cut


def _own(module: nn.Module) -> nn.Module:
    """A copy that has children of its own, which are those of the other."""
    made = copy(module)
    vars(made)["_modules"] = dict(module._modules)
    return made


def extrapolated(runs: list[Run], count: Callable[[dict[Run, int]], Any]) -> Any:
    """What `count` gives for all blocks, from what it gives for few; its answers are dataclasses of numbers."""
    few = dict.fromkeys(runs, FEW)
    least = count(few)
    whole = asdict(least)
    for run in runs:
        more = asdict(count({**few, run: FEW + 1}))
        _add(whole, asdict(least), more, run.count - FEW)
    return type(least)(**whole)


def _add(whole: dict[str, Any], least: dict[str, Any], more: dict[str, Any], times: int) -> None:
    for name, value in more.items():
        if isinstance(value, dict):
            _add(whole[name], least[name], value, times)
        else:
            whole[name] += times * (value - least[name])
