"""LoRA (arXiv:2106.09685) and DoRA (arXiv:2402.09353) beside a linear layer or a convolution.

The update of a weight is scale * up @ down. Both layers that it needs are computed here together with the frozen one,
in functions of our own: autograd alone would also make and add a full-size tensor forward and one backward for every
layer. On one CPU thread that saves 40 to 65 % of what an adapter costs at the sizes of 512 pixels, and next to nothing
at 128 (tests/benchmarks/adapter_layers.py), where reading the frozen weights is nearly all there is to do.

Shapes: B batch, N positions of any kind, I inputs, O outputs, R rank, k k the kernel.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modules.errors import UserError
from modules.formats.adapter import AdapterTensors
from modules.formats.lora import LoraTensors
from modules.methods.dropout import dropout_mask
from modules.methods.update import Update, scale_to_norm
from modules.placement.frozen import Weight
from modules.placement.layers import How, Layer, gradient_of_input, how_of, layer_forward, linear, weight_of
from modules.preset.adapter_sizes import low_rank_size, tensor_shapes
from modules.preset.sections.method import LayerGroup, Lora


class LoraUpdate(Update[Lora]):
    """Two thin layers beside the frozen one."""

    tensors_class: ClassVar[type[AdapterTensors]] = LoraTensors

    def __init__(self, layer: Layer, tensors: AdapterTensors, settings: Lora, dtype: torch.dtype) -> None:
        if "mid" in tensors.values:
            raise UserError("start-from.tucker", "method.start_from")
        if settings.dora:
            self._squares = _squares(weight_of(layer), settings.dora_axis == "inputs")
        super().__init__(layer, tensors, settings, dtype)
        self.scale = tensors.scale
        self.down, self.up = self.values["down"], self.values["up"]
        self.mask_BR: Tensor | None = None  # rank dropout: which ranks speak, and how loud
        self.seeds_B: Tensor | None = None  # dropout: addresses of this layer's chance

    @classmethod
    def initial_tensors(
        cls, layer: Layer, settings: Lora, layer_group: LayerGroup | None, generator: torch.Generator
    ) -> LoraTensors:
        shape = tuple(weight_of(layer).shape)
        shapes, (_, alpha) = tensor_shapes(shape, settings, layer_group), low_rank_size(shape, settings, layer_group)
        bound = 1 / math.sqrt(math.prod(shape[1:]))  # kaiming_uniform_ with a = sqrt(5), as peft and kohya start
        down = torch.rand(shapes["down"], generator=generator) * (2 * bound) - bound
        return LoraTensors.of(down, torch.zeros(shapes["up"]), alpha)

    def rates(self) -> dict[str, float]:
        return {"up": self.settings.rate_ratio}

    @property
    def cast_values(self) -> list[str]:
        return ["down", "up"]

    @property
    def width(self) -> int:
        return self.down.shape[0]

    def set_dropout(self, kept_BX: Tensor | None, layer_B1: Tensor | None) -> None:
        self.mask_BR, self.gate_BX, self.seeds_B = kept_BX, None, None
        if layer_B1 is None:
            return
        if self.magnitude is not None:  # without the update, DoRA's length is not the layer's own
            self.gate_BX = layer_B1
        else:
            self.mask_BR = layer_B1.expand(-1, self.width) if kept_BX is None else kept_BX * layer_B1

    @property
    def has_element_dropout(self) -> bool:
        return self.settings.dropout > 0

    def scatter(self, seeds_B: Tensor) -> None:
        self.seeds_B = seeds_B

    @torch.no_grad()
    def limit(self, bad: Tensor | None) -> None:
        if self.settings.max_norm:
            # |up down|^2 = <up' up, down down'>: thin products, and no weight of full size.
            down_RI, up_OR = self.down.float().flatten(1), self.up.float().flatten(1)
            square = ((up_OR.t() @ up_OR) * (down_RI @ down_RI.t())).sum().clamp_min(0)
            scale_to_norm(self.values, self.scale * square.sqrt(), self.settings.max_norm, bad)

    def changed(self, x: Tensor, weight: Weight, bias: Tensor | None) -> Tensor:
        if self.magnitude is None:
            return self._sum(x, weight, bias)
        gain = (self.magnitude / self._lengths(weight.unpack(x.dtype))).to(x.dtype)
        if isinstance(self.layer, nn.Conv2d):
            gain = gain[:, None, None]
        if self.by_input:  # a column of the weight is what an input is multiplied with
            return self._sum(x * gain, weight, bias)
        turned = self._sum(x, weight, None)
        if isinstance(self.layer, nn.Conv2d):
            turned = turned * gain
            return turned if bias is None else turned + bias[:, None, None]
        return turned * gain if bias is None else torch.addcmul(bias, turned, gain)

    def _sum(self, x: Tensor, weight: Weight, bias: Tensor | None) -> Tensor:
        """The frozen layer and the update, without DoRA's gain."""
        layer, down, up = self.layer, self.down, self.up
        cast = (self.value_in("down", x.dtype), self.value_in("up", x.dtype))
        if isinstance(layer, nn.Linear):
            return AdaptedLinear.apply(x, weight, bias, down, up, self.scale, self._mask(x.shape[:-1], x.dtype), cast)
        if _is_pointwise(layer) and x.is_contiguous(memory_format=torch.channels_last):
            # Channels last, a 1x1 convolution is a linear layer over the pixels, and addmm beats the convolution.
            flat = (weight, bias, down.flatten(1), up.flatten(1))
            cast = (cast[0].flatten(1), cast[1].flatten(1))
            pixels = x.permute(0, 2, 3, 1)
            mask = self._mask(pixels.shape[:-1], x.dtype)
            return AdaptedLinear.apply(pixels, *flat, self.scale, mask, cast).permute(0, 3, 1, 2)
        mask = self._mask(_output_size(layer, x), x.dtype)
        mask = None if mask is None else mask.permute(0, 3, 1, 2)
        return AdaptedConv.apply(x, weight, bias, down, up, self.scale, mask, how_of(layer), cast)

    def _mask(self, places: tuple[int, ...], dtype: torch.dtype) -> Tensor | None:
        """What both dropouts leave of the numbers between down and up, (B, ..., R); 1 where they leave all alike."""
        if not self.layer.training:
            return None
        mask = None
        if self.mask_BR is not None:
            mask = self.mask_BR.view(len(self.mask_BR), *[1] * (len(places) - 1), -1)
        if self.seeds_B is not None:
            kept = dropout_mask(self.seeds_B, (*places[1:], self.width), self.settings.dropout)
            mask = kept if mask is None else mask * kept
        return None if mask is None else mask.to(dtype)

    def _lengths(self, weight: Tensor) -> Tensor:
        """Length of each row, or column, of weight + scale * up @ down. A constant to the gradient, as in section 4.3.

        |w + s u A|^2 = |w|^2 + 2 s <w A', u> + s^2 u (A A') u': two thin products instead of a whole new weight.
        """
        with torch.no_grad():
            down_RI, up_OR = _rows(self.down).float(), self.up.flatten(1).float()
            if self.by_input:
                cross_RI = (up_OR.to(weight.dtype).t() @ _rows(weight)).float()
                change_RI = (2 * self.scale * cross_RI + self.scale**2 * (up_OR.t() @ up_OR) @ down_RI) * down_RI
                squares_I = self._squares + change_RI.view(-1, weight.shape[1]).sum(0)
                return squares_I.clamp_min(torch.finfo(torch.float32).tiny).sqrt()
            cross_OR = (_rows(weight) @ down_RI.to(weight.dtype).t()).float()
            square_O = ((up_OR @ (down_RI @ down_RI.t())) * up_OR).sum(1)
            squares_O = self._squares + 2 * self.scale * (cross_OR * up_OR).sum(1) + self.scale**2 * square_O
            return squares_O.clamp_min(torch.finfo(torch.float32).tiny).sqrt()


def _is_pointwise(layer: nn.Conv2d) -> bool:
    return layer.kernel_size == (1, 1) and layer.stride == (1, 1) and layer.padding == (0, 0)


def _output_size(layer: nn.Conv2d, x: Tensor) -> tuple[int, ...]:
    """(B, H, W) of what a convolution answers."""
    how = zip(x.shape[2:], layer.kernel_size, layer.stride, layer.padding, layer.dilation, strict=True)
    return (len(x), *((n + 2 * int(p) - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in how))


def _rows(weight: Tensor) -> Tensor:
    """(O, I k k), in an order that costs no copy where the weight is held channels last."""
    return weight.permute(0, 2, 3, 1).flatten(1) if weight.dim() == 4 else weight


def _squares(weight: Weight, by_input: bool) -> Tensor:
    rows = _rows(weight.unpack(weight.dtype))
    lengths = rows.reshape(-1, weight.shape[1]) if by_input else rows
    return torch.linalg.vector_norm(lengths, dim=0 if by_input else 1, dtype=torch.float32).square()


class AdaptedLinear(torch.autograd.Function):
    """x weight' + bias + scale * ((x down') * mask) up', with one buffer for both sums, forward and backward.

    `cast`: down and up in the precision of x; their gradients go to the originals.
    """

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917 - autograd takes no tuples of tensors
        ctx: Any, x: Tensor, weight: Weight, bias: Tensor | None, down_RI: Tensor, up_OR: Tensor, scale: float,
        mask: Tensor | None, cast: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:  # fmt: skip
        ctx.trained_in = down_RI.dtype
        down_RI, up_OR = cast or (down_RI, up_OR)
        narrow = F.linear(x, down_RI)
        if mask is not None:
            narrow = narrow * mask
        out = linear(x, weight, bias)
        out.view(-1, out.shape[-1]).addmm_(narrow.reshape(-1, narrow.shape[-1]), up_OR.t(), alpha=scale)
        ctx.save_for_backward(x, down_RI, up_OR, narrow, mask)
        ctx.weight, ctx.scale = weight, scale
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, down_RI, up_OR, narrow, mask = ctx.saved_tensors
        grad_NO = grads[0].reshape(-1, up_OR.shape[0])
        grad_narrow = ((grad_NO @ up_OR) * ctx.scale).view_as(narrow)
        if mask is not None:
            grad_narrow = grad_narrow * mask
        grad_NR = grad_narrow.reshape(-1, down_RI.shape[0])
        grad_up = (grad_NO.t() @ narrow.reshape(grad_NR.shape)) * ctx.scale if ctx.needs_input_grad[4] else None
        grad_down = grad_NR.t() @ x.reshape(-1, x.shape[-1]) if ctx.needs_input_grad[3] else None
        grad_x = None
        if ctx.needs_input_grad[0]:
            weight_OI = ctx.weight.unpack(grad_NO.dtype).flatten(1)
            grad_x = (grad_NO @ weight_OI).addmm_(grad_NR, down_RI).view(x.shape)
        return grad_x, None, None, _cast(grad_down, ctx.trained_in), _cast(grad_up, ctx.trained_in), None, None, None


class AdaptedConv(torch.autograd.Function):
    """The same for convolutions: `down` moves like the frozen kernel, `up` is 1x1. `how`: stride, padding, dilation."""

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917 - autograd takes no tuples of tensors
        ctx: Any, x: Tensor, weight: Weight, bias: Tensor | None, down: Tensor, up: Tensor, scale: float,
        mask: Tensor | None, how: How, cast: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:  # fmt: skip
        ctx.trained_in = down.dtype
        down, up = cast or (down, up)
        narrow = layer_forward(x, down, None, how)
        if mask is not None:
            narrow = narrow * mask
        out = layer_forward(x, weight.unpack(x.dtype), bias, how)
        out.add_(F.conv2d(narrow, up), alpha=scale)
        ctx.save_for_backward(x, down, up, narrow, mask)
        ctx.weight, ctx.scale, ctx.how = weight, scale, how
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, down, up, narrow, mask = ctx.saved_tensors
        needs_x, _, _, needs_down, needs_up = ctx.needs_input_grad[:5]
        grad = grads[0]
        grad_narrow, grad_up = _conv_backward(grad, narrow, up, ((1, 1), (0, 0), (1, 1)), x=True, weight=needs_up)
        grad_narrow = grad_narrow * ctx.scale
        if mask is not None:
            grad_narrow = grad_narrow * mask
        grad_x, grad_down = _conv_backward(grad_narrow, x, down, ctx.how, x=needs_x, weight=needs_down)
        if needs_x:
            grad_x.add_(gradient_of_input(grad, x.shape, ctx.weight.unpack(grad.dtype), ctx.how))
        grad_up = grad_up * ctx.scale if needs_up else None
        of_down, of_up = _cast(grad_down, ctx.trained_in), _cast(grad_up, ctx.trained_in)
        return grad_x, None, None, of_down, of_up, None, None, None, None


def _cast(gradient: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return None if gradient is None else gradient.to(dtype)


def _conv_backward(grad: Tensor, inputs: Tensor, kernel: Tensor, how: Any, *, x: bool, weight: bool) -> tuple[Any, Any]:
    wanted = [x, weight, False]
    found = torch.ops.aten.convolution_backward.default(grad, inputs, kernel, None, *how, False, [0, 0], 1, wanted)
    return found[0], found[1]
