"""LoRA files made smaller and put together, whatever program wrote them.

Shapes: I inputs, O outputs, R rank, k k the kernel of a convolution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from modules.catalog.card import LoraFormat
from modules.errors import UserError
from modules.families.parts import building
from modules.families.parts.adapter_origin import layer_shapes
from modules.families.parts.pipeline import DiffusersFamily
from modules.formats.adapter import AdapterTensors
from modules.formats.adapter_files import read_adapter
from modules.formats.adapter_names import in_file
from modules.formats.lora import LoraTensors
from modules.formats.oft import OftTensors
from modules.merging.low_rank import Wanted, joined, low_rank, resized
from modules.merging.models import Model, checked
from modules.system.seeds import seed_of

NOTHING = 1e-6  # of the largest singular value: rounding


class AsNamed(dict[str, str]):
    """Spellings for a reader that is to keep a file's own names of layers."""

    def __missing__(self, name: str) -> str:
        return name

    def __contains__(self, name: object) -> bool:
        return True


@dataclass(frozen=True)
class Lora:
    """The layers of a file by their names in the file that is written. `approximate`: those that are no LoRAs."""

    layers: Mapping[str, LoraTensors]
    approximate: Mapping[str, str] = field(default_factory=dict[str, str])  # and their kinds


def plain_layers(path: Path) -> dict[str, LoraTensors] | None:
    """The layers of a file under its own names; None where one is more than a plain LoRA.

    Raises:
        UserError: damaged, or no adapter.
    """
    found = read_adapter(path, AsNamed())
    loras = {name: update for name, update in found.items() if _is_plain(update)}
    return {name: u for name, u in loras.items() if isinstance(u, LoraTensors)} if len(loras) == len(found) else None


def layers_in(
    updates: Mapping[str, AdapterTensors], family: DiffusersFamily, base: Model | None, form: LoraFormat, wanted: Wanted
) -> Lora:
    """Updates by "component|module path" as LoRAs, under their names in a format. `wanted`: of those that are none.

    Raises:
        UserError: one of them says nothing without the model's weight.
    """
    shapes, approximate = layer_shapes(family), dict[str, str]()
    loras: dict[str, AdapterTensors] = {}
    for name, update in updates.items():
        loras[name] = update
        if not _is_plain(update):
            approximate[name] = "DoRA" if update.dora_scale is not None else update.title
            matrix = delta_of(name, update, shapes, base)
            found = low_rank(matrix.flatten(1), wanted, seed_of(0, "adapter", name))
            loras[name] = _lora(found.left, found.right, tuple(matrix.shape))
    named = in_file(loras, family.adapter_links(form))
    return Lora({name: lora for name, lora in named.items() if isinstance(lora, LoraTensors)}, approximate)


def smaller(lora: LoraTensors, wanted: Wanted) -> tuple[LoraTensors, float]:
    """It in fewer ranks, and how much of its squares that holds; as it is where nothing would change."""
    left, right = sides(lora)
    found = resized(left, right, wanted)
    if len(found.values) == lora.rank:
        return lora, found.kept
    return _lora(found.left, found.right, _shape(lora)), found.kept


def together(loras: Sequence[tuple[LoraTensors, float]]) -> LoraTensors:
    """The sum of one layer's updates with strengths, exactly: their ranks stand side by side."""
    left, right = joined([(*sides(lora), strength) for lora, strength in loras])
    if left.shape[1] > min(left.shape[0], right.shape[1]):  # no product has a higher rank than that
        found = resized(left, right, Wanted(min(left.shape[0], right.shape[1])))
        rank = max(1, int((found.values > NOTHING * found.values[0]).sum()))
        left, right = found.left[:, :rank], found.right[:rank]
    return _lora(left, right, _shape(loras[0][0]))


def _is_plain(update: AdapterTensors) -> bool:
    return isinstance(update, LoraTensors) and "mid" not in update.values and update.dora_scale is None


def sides(lora: LoraTensors) -> tuple[Tensor, Tensor]:
    """Its two matrices: left (O, R), with the scale in it, and right (R, I k k)."""
    return lora.scale * lora.up.float().flatten(1), lora.down.float().flatten(1)


def _shape(lora: LoraTensors) -> tuple[int, ...]:
    return (lora.up.shape[0], *lora.down.shape[1:])


def _lora(left: Tensor, right: Tensor, shape: tuple[int, ...]) -> LoraTensors:
    rank = left.shape[1]
    down, up = right.reshape(rank, *shape[1:]), left.reshape(shape[0], rank, *[1] * (len(shape) - 2))
    return LoraTensors.of(down, up, float(rank))


def delta_of(name: str, update: AdapterTensors, shapes: Mapping[str, tuple[int, ...]], base: Model | None) -> Tensor:
    """What is added to the weight of a layer.

    Raises:
        UserError: that hangs on the weight, and there is no base.
    """
    component, _, path = name.partition("|")
    if base is not None and base.family is not None:
        file = building.file_name(f"{path}.weight", base.family.empty(component))
        weight = checked(base.weights[component], file, base.name).reshape(shapes[name])
        return update.changed(weight) - weight
    if update.dora_scale is not None or isinstance(update, OftTensors) or not update.fits(shapes[name]):
        kind = "DoRA" if update.dora_scale is not None else update.title
        raise UserError("adapters.needs-base", "base", kind=kind)
    assert prod(shapes[name])
    return update.delta_weight(torch.zeros(shapes[name]))
