"""What the frozen weights of a denoiser take in each form, on the card and beside it: counted once, then arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from math import ceil, prod
from typing import Any

import torch
from torch import Tensor

from modules.check.memory.weight_bytes import sizes_held
from modules.families.parts.building import dtype_of, saved_tensors
from modules.placement.frozen import BLOCK, Int8Weight, WholeWeight
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
        aside = self._aside(offloaded)
        staying = [block[kind] for number, block in enumerate(self.blocks) if number not in aside]
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


def held_weights(family: Any, preset: Preset) -> HeldWeights:
    """Count them on an empty denoiser."""
    options, empty = load_options(preset), family.empty("denoiser")
    numbers = {name: tensor.numel() for name, tensor in saved_tensors(empty).items()}
    sizes = sizes_held(family, "denoiser", options)
    packed = [name for name in packable_weights(empty) if dtype_of(empty, name, options.dtype) is options.dtype]
    places = {path: dict.fromkeys(FORMS, 0) for path in block_paths(empty)}
    loose = dict.fromkeys(FORMS, 0)
    for name in packed:
        block = next((held for path, held in places.items() if name.startswith(f"{path}.")), loose)
        for form, size in _bytes(tuple(empty.get_parameter(name).shape), options.dtype).items():
            block[form] += size
    rest = sum(size for name, size in sizes.items() if name not in {*packed})
    return HeldWeights(rest, loose, tuple(places.values()), max((numbers[name] for name in packed), default=0))


FORMS: tuple[str, ...] = ("off", "int8", "fp8", "nf4")


@cache
def _bytes(shape: tuple[int, ...], dtype: torch.dtype) -> Bytes:
    """What a weight of this shape takes in each form: the forms' own code, on a weight without numbers.

    Of nf4 it is worked out: the library that packs it takes seconds to import.
    """
    weight, numbers = torch.empty(shape, dtype=dtype, device="meta"), prod(shape)
    whole, int8 = (_aligned(kind.of(weight, dtype).buffers()) for kind in (WholeWeight, Int8Weight))
    nf4 = aligned(ceil(numbers / 2)) + aligned(4 * ceil(numbers / BLOCK))
    return {"off": whole, "int8": int8, "fp8": int8, "nf4": nf4}  # of a weight that is not in fp8


def _aligned(tensors: Iterable[Tensor]) -> int:
    return sum(aligned(tensor.nbytes) for tensor in tensors)
