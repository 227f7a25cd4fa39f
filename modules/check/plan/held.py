"""What the frozen weights of a denoiser take in each form, on the card and beside it: counted once, then arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import torch

from modules.check.memory.memory_tracker import counted
from modules.check.memory.step_memory import bytes_in
from modules.families import Family
from modules.families.parts.building import saved_tensors
from modules.placement.frozen import KINDS, WholeWeight
from modules.placement.holding import AS_THEY_ARE
from modules.placement.lanes import aligned
from modules.placement.layers import packable_weights
from modules.placement.offloading import SLOTS, block_paths
from modules.preset.preset import Preset
from modules.trainer.preparation import load_options

Bytes = Mapping[str, int]  # by what `model.quantization` says


@dataclass(frozen=True)
class HeldWeights:
    """Bytes of a denoiser's weights."""

    rest: int  # of what stays as it is, in any form
    loose: Bytes  # of what is packed and in no block
    blocks: tuple[Bytes, ...]  # of what is packed in each block, first to last
    largest: int  # numbers in the largest weight that is packed: it is unpacked to be computed with

    def on_card(self, kind: str, offloaded: int) -> int:
        """With so many blocks in main memory, two of which are on the card at a time."""
        staying = [block[kind] for number, block in enumerate(self.blocks) if number not in self._aside(offloaded)]
        slots = SLOTS * max((block[kind] for block in self.blocks), default=0) if offloaded else 0
        return self.rest + self.loose[kind] + sum(staying) + slots

    def packed(self, kind: str) -> int:
        """All that is packed, wherever it lies."""
        return self.loose[kind] + sum(block[kind] for block in self.blocks)

    def aside(self, kind: str, offloaded: int) -> int:
        """What lies in main memory."""
        return sum(self.blocks[number][kind] for number in self._aside(offloaded))

    def _aside(self, offloaded: int) -> set[int]:
        """Which blocks, as placement/offloading.py spreads them."""
        count, share = len(self.blocks), share_of(offloaded, len(self.blocks))
        return {i for i in range(count) if int((i + 1) * share + 1e-9) > int(i * share + 1e-9)}


def share_of(blocks: int, of: int) -> float:
    """The share of the blocks as a setting says it: in thousandths, of which just so many blocks come."""
    return 0.0 if not of else round(blocks / of + 0.4999e-5, 5) if blocks < of else 1.0


def held_weights(family: Family, preset: Preset) -> HeldWeights:
    """Count them on an empty denoiser."""
    options = replace(load_options(preset), holding=AS_THEY_ARE)
    with counted(options.device):
        module = family.meta_copy(options, ["denoiser"]).component("denoiser")
        tensors = saved_tensors(module)
        packed = [name for name in packable_weights(module) if tensors[name].dtype is options.dtype]
        rest = bytes_in(tensor for name, tensor in tensors.items() if name not in {*packed})
        sizes = {name: _bytes(tuple(tensors[name].shape), options.dtype, options.device) for name in packed}
        places = {path: number for number, path in enumerate(block_paths(module))}
        blocks: list[dict[str, int]] = [dict.fromkeys(FORMS, 0) for _ in places]
        loose = dict.fromkeys(FORMS, 0)
        for name, size in sizes.items():
            block = next((blocks[number] for path, number in places.items() if name.startswith(f"{path}.")), loose)
            for form in FORMS:
                block[form] += size[form]
        return HeldWeights(rest, loose, tuple(blocks), max((tensors[name].numel() for name in packed), default=0))


FORMS = {"off": WholeWeight, **{form: KINDS[form] for form in ("int8", "fp8", "nf4")}}


@cache
def _bytes(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Bytes:
    """What a weight of this shape takes in each form: the forms' own code, on a weight without numbers."""
    weight = torch.empty(shape, dtype=dtype, device=device)
    return {form: sum(aligned(x.nbytes) for x in kind.of(weight, dtype).buffers()) for form, kind in FORMS.items()}
