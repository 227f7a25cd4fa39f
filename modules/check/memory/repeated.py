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
from modules.families.parts.building import emptied
from modules.preset.preset import Preset

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
    files = getattr(preset.method, "start_from", "") or preset.model.training_adapters
    return not files and preset.training.checkpointed in (0.0, 1.0) and not preset.model.offloaded


def with_blocks(family: Family, keep: dict[Run, int]) -> Family:
    """The same family, whose denoiser is made with fewer blocks."""
    source: Any = family
    twin: Any = copy(family)

    def empty(name: str) -> nn.Module:
        whole: nn.Module = source.empty(name)
        return _cut(emptied(whole), keep) if name == "denoiser" else whole

    twin.empty = empty
    return twin


def _cut(module: nn.Module, keep: dict[Run, int]) -> nn.Module:
    for path in {run.blocks for run in keep}:
        blocks: Any = module.get_submodule(path)
        left_out = {
            number
            for run, count in keep.items() if run.blocks == path
            for number in range(run.first + count, run.first + run.count)
        }  # fmt: skip
        above, _, name = path.rpartition(".")
        left = [block for number, block in enumerate(blocks) if number not in left_out]
        setattr(module.get_submodule(above), name, nn.ModuleList(left))
    return module


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
