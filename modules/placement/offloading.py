"""Frozen blocks that lie in main memory and are brought to the card when they are computed with.

Two slots on the card take turns: while one block is computed with, the next one is on its way. Which one is next is
learnt from the first pass: what followed the same two blocks before, forward, backward or between two samples. Whoever
unpacks a weight (placement/frozen.py) brings its block; nothing else need know of it, so a block is brought wherever it
is used, and a wrong guess costs time only.

Two rules make it right (placement/lanes.py): nobody reads a slot before its copy has arrived, and no copy begins
before all that reads the slot has been done. A copy of a block is never written back: nobody trains it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from modules.placement.frozen import Packed
from modules.placement.lanes import Lane, Mark, aligned, lane_to, view_in

SLOTS = 2


@dataclass
class _Slot:
    room: Tensor  # uint8
    free: Mark  # after which it may be overwritten
    block: int | None = None
    arrived: Mark = None


@dataclass
class Ring:
    """The blocks in main memory, and the slots on the device."""

    device: torch.device
    lane: Lane
    blocks: list[Tensor] = field(default_factory=list[Tensor])  # all bytes of each
    _slots: list[_Slot] = field(default_factory=list[_Slot])
    _way: tuple[int | None, int | None] = (None, None)  # the block before, and the one that is computed with
    _followers: dict[tuple[int | None, int | None], int] = field(default_factory=dict[Any, int])

    def add(self, weights: Sequence[Packed]) -> None:
        """Take the weights of a block; their tensors move into one piece of pinned main memory."""
        places: list[tuple[Packed, str, int, Tensor]] = []
        size = 0
        for weight in weights:
            for name, tensor in weight.named_buffers():
                places.append((weight, name, size, tensor))
                size += aligned(tensor.nbytes)
        room, number = self.lane.room(size), len(self.blocks)
        layouts: dict[Packed, dict[str, Callable[[Tensor], Tensor]]] = {}
        for weight, name, start, tensor in places:
            view = partial(view_in, start=start, like=tensor.to("meta"))
            view(room).copy_(tensor)
            weight.register_buffer(name, view(room))
            layouts.setdefault(weight, {})[name] = view
        for weight, views in layouts.items():
            weight.device, weight.brought = self.device, partial(self._bring, number, views)
        self.blocks.append(room)

    def open(self) -> None:
        """Make the slots, once all blocks are there."""
        largest, still = max(map(len, self.blocks), default=0), self.lane.mark()
        rooms = (torch.empty(largest, dtype=torch.uint8, device=self.device) for _ in range(SLOTS))
        self._slots = [_Slot(room, still) for room in rooms]

    def _bring(self, block: int, views: Mapping[str, Callable[[Tensor], Tensor]]) -> Mapping[str, Tensor]:
        if block != self._way[1]:
            self._turn_to(block)
        room = self._slot_of(block).room
        return {name: view(room) for name, view in views.items()}

    def _turn_to(self, block: int) -> None:
        self._followers[self._way] = block
        before = self._way[1]
        self._way = before, block
        if before is not None:
            self._slot_of(before).free = self.lane.mark()
        self.lane.wait(self._fetch(block, keep=before).arrived)
        if (ahead := self._followers.get(self._way)) is not None:
            self._fetch(ahead, keep=block)

    def _fetch(self, block: int, keep: int | None) -> _Slot:
        """The slot that the block is in, or on its way to; the one of `keep` is overwritten last."""
        if any(slot.block == block for slot in self._slots):
            return self._slot_of(block)
        slot = next(slot for slot in self._slots if slot.block is None or slot.block != keep)
        slot.block, slot.arrived = block, self.lane.copy(slot.room, self.blocks[block], slot.free)
        return slot

    def _slot_of(self, block: int) -> _Slot:
        return next(slot for slot in self._slots if slot.block == block)


def block_paths(module: nn.Module) -> Iterator[str]:
    """The blocks of a denoiser, in the order in which the model has them: what diffusers never divides, innermost."""
    names = {*(getattr(module, "_no_split_modules", None) or ())}
    blocks = {path: block for path, block in module.named_modules() if type(block).__name__ in names}
    for path, block in blocks.items():
        if not any(type(inner).__name__ in names for inner in block.modules() if inner is not block):
            yield path


def offloaded_blocks(module: nn.Module, share: float) -> list[str]:
    """The blocks that lie in main memory: spread evenly, so that each has the time of others to be brought in."""
    paths = [*block_paths(module)]
    return [path for i, path in enumerate(paths) if int((i + 1) * share + 1e-9) > int(i * share + 1e-9)]


def offload(module: nn.Module, blocks: Sequence[str], device: torch.device) -> None:
    """Bring the packed weights of these blocks, which lie in main memory, to the device when they are wanted."""
    ring = Ring(device, lane_to(device))
    for path in blocks:
        ring.add([each for each in module.get_submodule(path).modules() if isinstance(each, Packed)])
    ring.open()
