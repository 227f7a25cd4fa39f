"""Updates that are best computed as one changed weight: LoHa and LoKr, whose matrices have no thin way through them.

The frozen layer and the update share one product forward; backward, the changed weight is made again instead of kept.
Libraries compute both apart and keep the update's whole weight: 30 to 40 % slower (tests/benchmarks/RESULTS.md).

In fp32 that is exact. In bf16 a weight keeps 8 bits, and a small update would vanish in the sum: there the update gets
a product of its own forward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from modules.methods.update import Update, scale_to_norm
from modules.placement.frozen import Weight
from modules.placement.layers import How, how_of, layer_forward, weight_of
from modules.preset.sections.method import LowRank

Kind = TypeVar("Kind", bound=LowRank)


class MergedUpdate(Update[Kind], Generic[Kind]):
    """An update of low rank whose whole difference to the weight is made in each pass."""

    def rates(self) -> dict[str, float]:
        return {self.tensors().zero_init: self.settings.rate_ratio}

    def changed(self, x: Tensor, weight: Weight, bias: Tensor | None) -> Tensor:
        names, magnitude = [*self.values], self.magnitude

        def merge(weight: Tensor, *given: Tensor) -> Tensor:
            scale = None if magnitude is None else given[-1].view(self.magnitude_shape)
            return self.tensors_class(dict(zip(names, given, strict=False)), self.alpha, scale).changed(weight)

        return MergedLayer.apply(x, weight, bias, how_of(self.layer), merge, *self.parameters().values())

    @torch.no_grad()
    def limit(self, bad: Tensor | None) -> None:
        if self.settings.max_norm:
            weight = weight_of(self.layer)
            delta_weight = self.tensors_class(self.values, self.alpha).delta_weight(weight.unpack(weight.dtype))
            scale_to_norm(self.values, torch.linalg.vector_norm(delta_weight), self.settings.max_norm, bad)


class MergedLayer(torch.autograd.Function):
    """A layer with a weight that `merge` makes of the frozen one and the parameters, in fp32, each time it is needed.

    Only the input and the small parameters are kept for the way back.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, frozen: Weight, bias: Tensor | None, how: How, merge: Callable[..., Tensor],
        *parameters: Tensor,
    ) -> Tensor:  # fmt: skip
        ctx.weight, ctx.how, ctx.merge = frozen, how, merge
        ctx.save_for_backward(x, *parameters)
        weight = frozen.unpack(x.dtype)
        with torch.autocast(x.device.type, enabled=False):
            changed = merge(weight, *parameters)
        if weight.dtype is torch.float32:
            return layer_forward(x, changed, bias, how)
        return layer_forward(x, weight, bias, how).add_(
            layer_forward(x, (changed - weight).to(weight.dtype), None, how)
        )

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, *parameters = ctx.saved_tensors
        weight = ctx.weight.unpack(x.dtype)
        wanted = [needed for needed in ctx.needs_input_grad[5:]]
        with torch.enable_grad(), torch.autocast(x.device.type, enabled=False):
            copies = [p.detach().requires_grad_(needed) for p, needed in zip(parameters, wanted, strict=True)]
            changed = ctx.merge(weight, *copies)
        asked = (ctx.needs_input_grad[0], any(wanted))
        grad_x, grad_weight = _gradients(grads[0], x, changed.detach().to(weight.dtype), ctx.how, *asked)
        found: list[Tensor | None] = [None] * len(copies)
        if any(wanted):
            learning = [i for i, needed in enumerate(wanted) if needed]
            made = torch.autograd.grad(changed, [copies[i] for i in learning], grad_weight.float())
            for i, gradient in zip(learning, made, strict=True):
                found[i] = gradient
        return grad_x, None, None, None, None, *found


def _gradients(grad: Tensor, x: Tensor, weight: Tensor, how: How, of_x: bool, of_weight: bool) -> tuple[Any, Any]:
    if how is not None:
        wanted = [of_x, of_weight, False]
        found = torch.ops.aten.convolution_backward.default(grad, x, weight, None, *how, False, [0, 0], 1, wanted)
        return found[0], found[1]
    grad_NO = grad.reshape(-1, grad.shape[-1])
    grad_x = (grad_NO @ weight).view(x.shape) if of_x else None
    return grad_x, grad_NO.t() @ x.reshape(-1, x.shape[-1]) if of_weight else None
