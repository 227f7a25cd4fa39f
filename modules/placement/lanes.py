"""The ways between main memory and a card, on which copies go while the card computes.

A card does what it is asked in order, and what a lane is asked goes beside it. Two rules make that right: nothing on a
lane begins before the work of the card that it needs (`after`), and the card goes on to what a lane brings, or to
memory that a lane still reads, only after a `wait`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from modules.system.card.pinning import pinned
from modules.system.devices import card_module, is_card

Mark = Any  # a place in the work of a device
Work = Callable[[Tensor], object]


class Lane(Protocol):
    """Beside what the device computes."""

    def room(self, size: int) -> Tensor:
        """So many bytes of main memory, for copies from it and to it."""
        ...

    def mark(self) -> Mark:
        """All that has been asked of the device so far."""

    def copy(self, slot: Tensor, source: Tensor, after: Mark) -> Mark:
        """Copy once `after` is done; gives what to wait for."""

    def run(self, work: Work, source: Tensor, after: Mark) -> Mark:
        """Ask for `work` on this tensor once `after` is done. Whoever called keeps the tensor until he has waited."""

    def wait(self, mark: Mark) -> None:
        """Whatever is asked of the device from now on is done after it. The program itself does not wait."""


class CardLane:
    """A stream of a card's own."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._card = device, card_module(device)
        self._stream = self._card.Stream(device)

    def room(self, size: int) -> Tensor:
        return pinned(size)

    def mark(self) -> torch.Event:
        return self._card.current_stream(self._device).record_event()

    def copy(self, slot: Tensor, source: Tensor, after: torch.Event) -> torch.Event:
        return self.run(lambda given: slot[: len(given)].copy_(given, non_blocking=True), source, after)

    def run(self, work: Work, source: Tensor, after: torch.Event) -> torch.Event:
        self._stream.wait_event(after)
        with self._card.stream(self._stream):
            work(source)
        return self._stream.record_event()

    def wait(self, mark: torch.Event) -> None:
        self._card.current_stream(self._device).wait_event(mark)


class MainMemoryLane:
    """From main memory to main memory, at once."""

    def room(self, size: int) -> Tensor:
        return torch.empty(size, dtype=torch.uint8)

    def mark(self) -> None: ...

    def copy(self, slot: Tensor, source: Tensor, after: None) -> None:
        slot[: len(source)].copy_(source)

    def run(self, work: Work, source: Tensor, after: None) -> None:
        work(source)

    def wait(self, mark: None) -> None: ...


def lane_to(device: torch.device) -> Lane:
    """One for a device; several of them go beside each other."""
    return CardLane(device) if is_card(device) else MainMemoryLane()


ALIGNED = 256  # bytes: every tensor in a piece of memory begins at a multiple, as kernels like it


def aligned(size: int) -> int:
    return -(-size // ALIGNED) * ALIGNED


def view_in(room: Tensor, start: int, like: Tensor) -> Tensor:
    """A tensor of the shape, type and layout of `like`, in the bytes of a piece of memory."""
    flat = room[start : start + like.nbytes].view(like.dtype)
    return flat.as_strided(like.shape, like.stride())
