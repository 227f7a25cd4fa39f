"""A small trained update beside one frozen layer: LoRA (arXiv:2106.09685) and DoRA (arXiv:2402.09353), linear and conv.

The update of a weight is scale * up @ down. Both layers that it needs are computed here together with the frozen one,
in functions of our own: autograd alone would also make and add a full-size tensor forward and one backward for every
layer. On one CPU thread that saves 40 to 65 % of what an adapter costs at the sizes of 512 pixels, and next to nothing
at 128 (tests/benchmarks/adapter_layers.py), where reading the frozen weights is nearly all there is to do.

Shapes: B batch, N positions of any kind, I inputs, O outputs, R rank, k k the kernel.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modules.formats.lora import LoraTensors


class Update:
    """What an adapter adds to one layer. `attach` puts it in, `detach` takes it out again.

    The parameters live here and not in the layer: the model's own names stay as they are.
    """

    def __init__(self, layer: nn.Linear | nn.Conv2d, down: Tensor, up: Tensor, alpha: float, *, dora: bool) -> None:
        self.layer, self.alpha, self.scale = layer, alpha, alpha / down.shape[0]
        self.down, self.up = nn.Parameter(down), nn.Parameter(up)
        self.mask_BR: Tensor | None = None  # dropout: which ranks speak, and how loud
        self.magnitude_O: nn.Parameter | None = None
        if dora:
            self._squares_O = _squares(layer.weight)
            self.magnitude_O = nn.Parameter(self._squares_O.sqrt().to(down.dtype))

    @property
    def rank(self) -> int:
        return self.down.shape[0]

    def parameters(self) -> dict[str, nn.Parameter]:
        found = {"down": self.down, "up": self.up}
        return found if self.magnitude_O is None else {**found, "magnitude": self.magnitude_O}

    def lora(self) -> LoraTensors:
        """What a file holds of this."""
        scale_O = self.magnitude_O
        dora_scale = None if scale_O is None else scale_O.detach().view(-1, *[1] * (self.down.dim() - 1))
        return LoraTensors(self.down.detach(), self.up.detach(), self.alpha, dora_scale)

    def attach(self) -> None:
        vars(self.layer)["forward"] = self.forward  # an attribute of the instance hides the method of the class

    def detach(self) -> None:
        del vars(self.layer)["forward"]

    def forward(self, x: Tensor) -> Tensor:
        layer = self.layer
        device = x.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else layer.weight.dtype
        x, weight, down, up = x.to(dtype), layer.weight.to(dtype), self.down.to(dtype), self.up.to(dtype)
        bias = None if layer.bias is None else layer.bias.to(dtype)
        if self.magnitude_O is None:
            return self._sum(x, weight, bias, down, up)
        gain_O = (self.magnitude_O / self._lengths_O(weight)).to(dtype)
        turned = self._sum(x, weight, None, down, up)
        if isinstance(layer, nn.Conv2d):
            turned = turned * gain_O[:, None, None]
            return turned if bias is None else turned + bias[:, None, None]
        return turned * gain_O if bias is None else torch.addcmul(bias, turned, gain_O)

    def _sum(self, x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor) -> Tensor:
        """The frozen layer and the update, without DoRA's gain."""
        layer = self.layer
        mask = self.mask_BR if layer.training else None
        if mask is not None:
            mask = mask.to(x.dtype)
        if isinstance(layer, nn.Linear):
            mask = None if mask is None else mask.reshape(len(mask), *[1] * (x.dim() - 2), -1)
            return AdaptedLinear.apply(x, weight, bias, down, up, self.scale, mask)
        if _is_pointwise(layer) and x.is_contiguous(memory_format=torch.channels_last):
            # Channels last, a 1x1 convolution is a linear layer over the pixels, and addmm beats the convolution.
            mask = None if mask is None else mask[:, None, None, :]
            flat = (weight.flatten(1), bias, down.flatten(1), up.flatten(1))
            return AdaptedLinear.apply(x.permute(0, 2, 3, 1), *flat, self.scale, mask).permute(0, 3, 1, 2)
        mask = None if mask is None else mask[:, :, None, None]
        how = (layer.stride, layer.padding, layer.dilation)
        return AdaptedConv.apply(x, weight, bias, down, up, self.scale, mask, how)

    def _lengths_O(self, weight: Tensor) -> Tensor:
        """Length of each row of weight + scale * up @ down. A constant to the gradient, as in section 4.3 of the paper.

        |w + s u A|^2 = |w|^2 + 2 s <w A', u> + s^2 u (A A') u': two thin products instead of a whole new weight.
        """
        with torch.no_grad():
            down_RI, up_OR = _rows(self.down).float(), self.up.flatten(1).float()
            cross_OR = (_rows(weight) @ down_RI.to(weight.dtype).t()).float()
            square_O = ((up_OR @ (down_RI @ down_RI.t())) * up_OR).sum(1)
            squares_O = self._squares_O + 2 * self.scale * (cross_OR * up_OR).sum(1) + self.scale**2 * square_O
            return squares_O.clamp_min(torch.finfo(torch.float32).tiny).sqrt()


def _is_pointwise(layer: nn.Conv2d) -> bool:
    return layer.kernel_size == (1, 1) and layer.stride == (1, 1) and layer.padding == (0, 0)


def _rows(weight: Tensor) -> Tensor:
    """(O, I k k), in an order that costs no copy where the weight is held channels last."""
    return weight.permute(0, 2, 3, 1).flatten(1) if weight.dim() == 4 else weight


def _squares(weight: Tensor) -> Tensor:
    return torch.linalg.vector_norm(_rows(weight.detach()), dim=1, dtype=torch.float32).square()


class AdaptedLinear(torch.autograd.Function):
    """x weight' + bias + scale * ((x down') * mask) up', with one buffer for both sums, forward and backward."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight_OI: Tensor, bias: Tensor | None, down_RI: Tensor, up_OR: Tensor, scale: float,
        mask: Tensor | None,
    ) -> Tensor:  # fmt: skip
        narrow = F.linear(x, down_RI)
        if mask is not None:
            narrow = narrow * mask
        out = F.linear(x, weight_OI, bias)
        out.view(-1, out.shape[-1]).addmm_(narrow.reshape(-1, narrow.shape[-1]), up_OR.t(), alpha=scale)
        ctx.save_for_backward(x, weight_OI, down_RI, up_OR, narrow, mask)
        ctx.scale = scale
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, weight_OI, down_RI, up_OR, narrow, mask = ctx.saved_tensors
        grad_NO = grads[0].reshape(-1, up_OR.shape[0])
        grad_narrow = ((grad_NO @ up_OR) * ctx.scale).view_as(narrow)
        if mask is not None:
            grad_narrow = grad_narrow * mask
        grad_NR = grad_narrow.reshape(-1, down_RI.shape[0])
        grad_up = (grad_NO.t() @ narrow.reshape(grad_NR.shape)) * ctx.scale if ctx.needs_input_grad[4] else None
        grad_down = grad_NR.t() @ x.reshape(-1, x.shape[-1]) if ctx.needs_input_grad[3] else None
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = (grad_NO @ weight_OI).addmm_(grad_NR, down_RI).view(x.shape)
        return grad_x, None, None, grad_down, grad_up, None, None


class AdaptedConv(torch.autograd.Function):
    """The same for convolutions: `down` moves like the frozen kernel, `up` is 1x1. `how`: stride, padding, dilation."""

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917 - autograd takes no tuples of tensors
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor, scale: float,
        mask: Tensor | None, how: tuple[Any, Any, Any],
    ) -> Tensor:  # fmt: skip
        narrow = F.conv2d(x, down, None, *how)
        if mask is not None:
            narrow = narrow * mask
        out = F.conv2d(x, weight, bias, *how)
        out.add_(F.conv2d(narrow, up), alpha=scale)
        ctx.save_for_backward(x, weight, down, up, narrow, mask)
        ctx.scale, ctx.how = scale, how
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, weight, down, up, narrow, mask = ctx.saved_tensors
        needs_x, _, _, needs_down, needs_up = ctx.needs_input_grad[:5]
        grad = grads[0]
        grad_narrow, grad_up = _conv_backward(grad, narrow, up, ((1, 1), (0, 0), (1, 1)), x=True, weight=needs_up)
        grad_narrow = grad_narrow * ctx.scale
        if mask is not None:
            grad_narrow = grad_narrow * mask
        grad_x, grad_down = _conv_backward(grad_narrow, x, down, ctx.how, x=needs_x, weight=needs_down)
        if needs_x:
            grad_x.add_(_conv_backward(grad, x, weight, ctx.how, x=True, weight=False)[0])
        grad_up = grad_up * ctx.scale if needs_up else None
        return grad_x, None, None, grad_down, grad_up, None, None, None


def _conv_backward(
    grad: Tensor, inputs: Tensor, kernel: Tensor, how: tuple[Any, Any, Any], *, x: bool, weight: bool
) -> tuple[Any, Any]:
    wanted = [x, weight, False]
    found = torch.ops.aten.convolution_backward.default(grad, inputs, kernel, None, *how, False, [0, 0], 1, wanted)
    return found[0], found[1]
