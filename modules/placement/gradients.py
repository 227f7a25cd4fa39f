"""Where the gradients of a step lie: on the card, or in main memory, for which each leaves as it appears.

There they cost none of the card's memory, and for the update they come back a few at a time. Other trainers update each
weight as its gradient appears instead ("fused backward pass"): then nobody knows the length of the whole gradient
before the first weight has changed, nor whether the step was a bad one. Here nothing of a step changes: lengths are
taken on the card as gradients leave, clipping is that of the whole, batches add up, and a bad step is left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, clip_grads_with_norm_, get_total_norm

from modules.placement.lanes import Mark, aligned, lane_to, view_in

LEAVING = 128 * 2**20  # bytes of gradients that may be on their way at once; then the card waits for the oldest


class Gradients:
    """Those that autograd leaves beside their weights."""

    aside = False  # whether they lie in main memory between backward pass and update
    nbytes = 0  # of main memory

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self._parameters = [*parameters]

    def has(self, parameter: Tensor) -> bool:
        """Whether a weight has got one in this step."""
        return parameter.grad is not None

    def clear(self) -> None:
        """Begin a new step."""
        for parameter in self._parameters:
            parameter.grad = None

    def unscale(self, scaler: torch.amp.GradScaler, optimizer: torch.optim.Optimizer) -> None:
        """Take the scale of fp16 off them."""
        scaler.unscale_(optimizer)

    def norm(self) -> Tensor:
        """The length of all of them together."""
        return get_total_norm([p.grad for p in self._parameters if p.grad is not None])

    def clip(self, longest: float) -> Tensor:
        """Shorten them to this length together; gives what it was."""
        return clip_grad_norm_(self._parameters, longest)

    def brought(self, chunks: Iterable[list[Tensor]]) -> Iterator[list[Tensor]]:
        """The weights in these chunks, each while their gradients lie beside them."""
        yield from chunks


class MainMemoryGradients(Gradients):
    """Those that leave the device for pinned main memory, on a lane of their own, while it goes on."""

    aside = True

    def __init__(self, parameters: Iterable[nn.Parameter], device: torch.device) -> None:
        super().__init__(parameters)
        self._device, self._lane = device, lane_to(device)
        starts, self.nbytes = dict[Tensor, int](), 0
        for parameter in self._parameters:
            starts[parameter] = self.nbytes
            self.nbytes += aligned(parameter.nbytes)
        self._room = self._lane.room(self.nbytes)
        self._places = {p: view_in(self._room, start, p.detach()) for p, start in starts.items()}
        self._there: set[Tensor] = set()
        self._norms: dict[Tensor, Tensor] = {}
        self._leaving: deque[tuple[Tensor, Mark]] = deque()
        self._inverse_scale: Tensor | None = None
        self._clipped: tuple[float, Tensor] | None = None  # to which length, from which
        for parameter in self._parameters:
            parameter.register_post_accumulate_grad_hook(self._send)

    def has(self, parameter: Tensor) -> bool:
        return parameter in self._there

    def clear(self) -> None:
        super().clear()
        self._settle()
        self._there.clear()
        self._norms.clear()
        self._inverse_scale = self._clipped = None

    # Away
    @torch.no_grad()
    def _send(self, parameter: Tensor) -> None:
        """Let a gradient go that has just appeared, or add it to what went before it."""
        grad, parameter.grad = parameter.grad, None
        assert grad is not None
        keep = partial(self._keep, parameter, again=parameter in self._there)
        self._there.add(parameter)
        self._leaving.append((grad, self._lane.run(keep, grad, self._lane.mark())))
        while sum(each.nbytes for each, _ in self._leaving) > LEAVING:
            self._lane.wait(self._leaving[0][1])
            self._leaving.popleft()

    def _keep(self, parameter: Tensor, grad: Tensor, *, again: bool) -> None:
        place = self._places[parameter]
        if again:
            grad.add_(place.to(self._device, non_blocking=True))
        self._norms[parameter] = get_total_norm([grad])
        place.copy_(grad, non_blocking=True)

    def _settle(self) -> None:
        """Whatever follows is done when all have left."""
        if self._leaving:
            self._lane.wait(self._leaving[-1][1])
            self._leaving.clear()

    # As a whole
    def unscale(self, scaler: torch.amp.GradScaler, optimizer: torch.optim.Optimizer) -> None:
        """Unscale their lengths, and the gradients themselves as they come back.

        The scaler sees a stand-in, whose gradient is all lengths: one is infinite where something in its gradient is.
        """
        if not scaler.is_enabled():
            return
        self._settle()
        lengths, stand_in = self._lengths(), nn.Parameter(torch.zeros(len(self._there) + 1, device=self._device))
        stand_in.grad = torch.stack([*(length.float() for length in lengths), torch.ones_like(stand_in[0])])
        scaler.unscale_(torch.optim.SGD([stand_in]))
        *unscaled, self._inverse_scale = stand_in.grad.unbind()
        there = (p for p in self._parameters if p in self._there)
        self._norms = {p: norm.to(p.dtype) for p, norm in zip(there, unscaled, strict=True)}

    def norm(self) -> Tensor:
        self._settle()
        return get_total_norm(self._lengths())

    def _lengths(self) -> list[Tensor]:
        return [self._norms[p] for p in self._parameters if p in self._there]

    def clip(self, longest: float) -> Tensor:
        norm = self.norm()
        self._clipped = longest, norm
        return norm

    # Back
    def brought(self, chunks: Iterable[list[Tensor]]) -> Iterator[list[Tensor]]:
        """While one chunk is worked on, the next one's gradients are on their way."""
        self._settle()
        ahead: tuple[list[Tensor], deque[Tensor], Mark] | None = None
        for chunk in chunks:
            coming = self._fetched(chunk)
            if ahead:
                yield from self._lent(*ahead)
            ahead = coming
        if ahead:
            yield from self._lent(*ahead)

    def _fetched(self, chunk: list[Tensor]) -> tuple[list[Tensor], deque[Tensor], Mark]:
        places = [self._places[parameter] for parameter in chunk]
        grads = [torch.empty_like(place, device=self._device) for place in places]

        def bring(_: Tensor) -> None:
            for grad, place in zip(grads, places, strict=True):
                grad.copy_(place, non_blocking=True)

        return chunk, deque(grads), self._lane.run(bring, self._room, self._lane.mark())

    def _lent(self, chunk: list[Tensor], grads: deque[Tensor], arrived: Mark) -> Iterator[list[Tensor]]:
        self._lane.wait(arrived)
        for parameter in chunk:  # which alone holds it then: the update may let go of it before the others
            parameter.grad = grads.popleft()
            if self._inverse_scale is not None:
                parameter.grad.mul_(self._inverse_scale)
        if self._clipped:
            clip_grads_with_norm_(chunk, *self._clipped)
        yield chunk
        for parameter in chunk:
            parameter.grad = None
