"""Layers whose weight is frozen: how they answer, however it is held, and how a model gets packed ones.

Shapes: B batch, N positions of any kind, I inputs, O outputs, k k the kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modules.placement.frozen import Dense, Packed, W8A8Weight, Weight

Layer = nn.Linear | nn.Conv2d
How = tuple[Any, Any, Any] | None  # stride, padding, dilation; None for linear layers


def weight_of(layer: nn.Module) -> Weight:
    """The weight of a layer, however it is held. Takes no memory."""
    packed = vars(layer)["_modules"].get("packed")
    return cast("Weight", packed) if packed is not None else Dense(layer.get_parameter("weight"))


def how_of(layer: Layer) -> How:
    return (layer.stride, layer.padding, layer.dilation) if isinstance(layer, nn.Conv2d) else None


def frozen_forward(layer: Layer, x: Tensor, weight: Weight, bias: Tensor | None) -> Tensor:
    """What the layer answers without an adapter. `x` and `bias` have the precision that is computed in."""
    return FrozenLayer.apply(x, weight, bias, how_of(layer))


class FrozenLayer(torch.autograd.Function):
    """A layer that keeps nothing for the way back: there its weight is unpacked again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Weight, bias: Tensor | None, how: How) -> Tensor:
        ctx.weight, ctx.how, ctx.shape = weight, how, x.shape
        return linear(x, weight, bias) if how is None else layer_forward(x, weight.unpack(x.dtype), bias, how)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        grad = grads[0]
        return gradient_of_input(grad, ctx.shape, ctx.weight.unpack(grad.dtype), ctx.how), None, None, None


def linear(x: Tensor, weight: Weight, bias: Tensor | None) -> Tensor:
    """What a linear layer with a frozen weight answers. Nothing is kept of it."""
    if isinstance(weight, W8A8Weight) and weight.multiplies(x):
        return weight.product(x, bias)
    return F.linear(x, weight.unpack(x.dtype).flatten(1), bias)


def layer_forward(x: Tensor, weight: Tensor, bias: Tensor | None, how: How) -> Tensor:
    return F.linear(x, weight, bias) if how is None else F.conv2d(x, weight, bias, *how)


def gradient_of_input(grad: Tensor, shape: torch.Size, weight: Tensor, how: How) -> Tensor:
    if how is None:
        return grad @ weight
    unread = grad.new_empty(1).expand(shape)
    wanted = [True, False, False]
    return torch.ops.aten.convolution_backward.default(grad, unread, weight, None, *how, False, [0, 0], 1, wanted)[0]


class PackedLinear(nn.Linear):
    """A linear layer whose weight is packed. `weight` gives it unpacked, anew each time."""

    def forward(self, input: Tensor) -> Tensor:
        return _packed_forward(self, input)


class PackedConv2d(nn.Conv2d):
    """A convolution whose weight is packed. `weight` gives it unpacked, anew each time."""

    def forward(self, input: Tensor) -> Tensor:
        return _packed_forward(self, input)


def _packed_forward(layer: Layer, x: Tensor) -> Tensor:
    weight, device = weight_of(layer), x.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
    bias = None if layer.bias is None else layer.bias.to(dtype)
    return frozen_forward(layer, x.to(dtype), weight, bias)


def _unpacked(layer: Any) -> Tensor:
    weight = weight_of(layer)
    return weight.unpack(weight.dtype)


for _kind in (PackedLinear, PackedConv2d):
    setattr(_kind, "weight", property(_unpacked))  # noqa: B010 - it hides the annotation of the class above

PACKED_CLASSES: dict[type[nn.Module], type[nn.Module]] = {nn.Linear: PackedLinear, nn.Conv2d: PackedConv2d}


def packable_weights(module: nn.Module) -> Iterator[str]:
    """Names of the weights that may be packed: those of layers in repeated blocks, which are nearly all of a model.

    What a model reads and writes with, and what tells it the time, stays as it is: it is small and it matters.
    """
    for path, layer in module.named_modules():
        repeated = any(step.isdigit() for step in path.split("."))
        if repeated and type(layer) in PACKED_CLASSES and getattr(layer, "groups", 1) == 1:
            yield f"{path}.weight"


def is_packed(layer: nn.Module) -> bool:
    return type(layer) in (PackedLinear, PackedConv2d)


def put_packed(layer: nn.Module, packed: Packed) -> None:
    """Give a layer a packed weight in place of its own."""
    layer.register_parameter("weight", None)
    layer.__class__ = PACKED_CLASSES[type(layer)]
    layer.register_module("packed", packed)
