"""Weights that nobody trains, held smaller than they are used: packed once, while a model is read; unpacked each time.

Nothing unpacked is kept between the way there and the way back: that is where libraries' packed layers give their
savings away (torchao, quanto, and every layer that multiplies with `unpack(...)` under autograd). No tensor subclass
either: what is packed are plain tensors in buffers, so that checks, copies and compilers need no special case.

Errors of a layer's answer, measured on a layer of FLUX's shape (tests/benchmarks/RESULTS.md): int8 0.9 %, nf4 9 %.

Shapes: O outputs, I inputs, k k the kernel.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol, Self

import torch
from torch import Tensor, nn

BLOCK = 64  # numbers of an nf4 weight that share a scale
FEWEST_ROWS = 16  # that a card does not multiply in int8
FP8 = (torch.float8_e4m3fn, torch.float8_e5m2)


class Weight(Protocol):
    """A frozen weight, however it is held."""

    @property
    def shape(self) -> torch.Size: ...
    @property
    def dtype(self) -> torch.dtype: ...
    @property
    def device(self) -> torch.device: ...
    def unpack(self, dtype: torch.dtype) -> Tensor:
        """The weight as it is multiplied with, (O, I) or (O, I, k, k). Nobody changes it or keeps it."""
        ...


class Dense:
    """The weight of a layer as PyTorch holds it."""

    def __init__(self, weight: Tensor) -> None:
        self._weight = weight.detach()
        self.shape, self.dtype, self.device = weight.shape, weight.dtype, weight.device

    def unpack(self, dtype: torch.dtype) -> Tensor:
        return self._weight.to(dtype)


class Changed(nn.Module):
    """A weight with something added to it each time it is unpacked: into a packed one, little could be written."""

    def __init__(self, weight: Weight, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.inner, self._change = weight, change
        self.shape, self.dtype, self.device = weight.shape, weight.dtype, weight.device

    def unpack(self, dtype: torch.dtype) -> Tensor:
        return self._change(self.inner.unpack(torch.float32)).to(dtype)


class Packed(nn.Module, ABC):
    """A packed weight: tensors of its own, in buffers, and what they were."""

    kind: ClassVar[str]  # what settings call it

    def __init__(self, shape: torch.Size, dtype: torch.dtype, channels_last: bool) -> None:
        super().__init__()
        self.shape, self.dtype, self.channels_last = shape, dtype, channels_last
        self.brought: Callable[[], Mapping[str, Tensor]] | None = None  # see placement/offloading.py
        self.device = torch.device("cpu")  # where it is computed with

    @classmethod
    def of(cls, weight: Tensor, dtype: torch.dtype) -> Packed:
        """Pack a weight, whose answers are then in `dtype`. A weight without numbers becomes one without numbers."""
        packed = cls._empty(weight, dtype)
        for name, tensor in packed.pack(weight).items():
            packed.register_buffer(name, tensor)
        return packed

    @classmethod
    def _empty(cls, weight: Tensor, dtype: torch.dtype) -> Self:
        packed = cls(weight.shape, dtype, weight.dim() == 4 and weight.is_contiguous(memory_format=torch.channels_last))
        packed.device = weight.device
        return packed

    def held(self) -> Mapping[str, Tensor]:
        """Its tensors, there where it is computed with. Nobody keeps them."""
        return self.brought() if self.brought else dict(self.named_buffers())

    @abstractmethod
    def pack(self, weight: Tensor) -> dict[str, Tensor]:
        """The tensors to be held of a weight."""

    @abstractmethod
    def unpack(self, dtype: torch.dtype) -> Tensor: ...


class WholeWeight(Packed):
    """Not packed at all: for what lies in main memory."""

    kind = "whole"

    def pack(self, weight: Tensor) -> dict[str, Tensor]:
        return {"values": weight.to(self.dtype, copy=True)}

    def unpack(self, dtype: torch.dtype) -> Tensor:
        return self.held()["values"].to(dtype)


class Int8Weight(Packed):
    """A byte for each number, and a scale for each output, which bf16 can hold: fp32 and bf16 multiply it exactly."""

    kind = "int8"

    def pack(self, weight: Tensor) -> dict[str, Tensor]:
        weight = weight.float()
        most = weight.abs().amax(dim=tuple(range(1, weight.dim())), keepdim=True)
        scale = (most * (1 + 2**-8) / 127).bfloat16().float().clamp_min(torch.finfo(torch.bfloat16).tiny)
        return {"values": (weight / scale).round_().to(torch.int8), "scale": scale}

    def unpack(self, dtype: torch.dtype) -> Tensor:
        held = self.held()
        if dtype is torch.float16:  # in which most scales are too small to be exact
            return torch.mul(held["values"], held["scale"], out=torch.empty_like(held["values"], dtype=dtype))
        return held["values"].to(dtype).mul_(held["scale"].to(dtype))


class W8A8Weight(Int8Weight):
    """int8, multiplied as it is with inputs that are rounded to int8 too, each row (a token) with a scale of its own.

    Nothing is unpacked for it. The way back is that of the weight alone, unpacked: an int8 product there would want a
    second, turned copy of the weight.
    """

    kind = "w8a8"

    def multiplies(self, x: Tensor) -> bool:
        """Whether a card's kernels take these sizes; else the weight is unpacked."""
        fits = len(self.shape) == 2 and not any(side % 8 for side in self.shape)
        return fits and math.prod(x.shape[:-1]) > FEWEST_ROWS

    def product(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """What a linear layer answers, in the precision of `x`."""
        held, rows = self.held(), x.reshape(-1, x.shape[-1])
        scale = rows.abs().amax(1, keepdim=True).float().div_(127).clamp_min_(torch.finfo(torch.float32).tiny)
        small = (rows / scale).round_().to(torch.int8)
        sums = torch._int_mm(small, held["values"].t())  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
        out = sums.float().mul_(scale).mul_(held["scale"].view(-1))
        return (out if bias is None else out.add_(bias)).to(x.dtype).view(*x.shape[:-1], -1)


class Nf4Weight(Packed):
    """Four bits for each number (arXiv:2305.14314, section 3), and a scale for each 64 of them."""

    kind = "nf4"

    def pack(self, weight: Tensor) -> dict[str, Tensor]:
        from bitsandbytes.functional import quantize_4bit  # noqa: PLC0415 - takes most of a second

        weight = weight.permute(0, 2, 3, 1) if self.channels_last else weight
        flat = weight.float().contiguous().view(-1)
        values, state = quantize_4bit(flat, blocksize=BLOCK, quant_type="nf4")
        return {"values": values, "scale": state.absmax}

    def unpack(self, dtype: torch.dtype) -> Tensor:
        from bitsandbytes.functional import QuantState, dequantize_4bit  # noqa: PLC0415

        # On a CPU it answers in two dimensions where one was asked for, and a compiler takes it at its word.
        held, size = self.held(), torch.Size([1, self.shape.numel()])
        state = QuantState(held["scale"], shape=size, blocksize=BLOCK, quant_type="nf4", dtype=dtype)
        flat = dequantize_4bit(held["values"], state)
        if not self.channels_last:
            return flat.view(self.shape)
        outputs, inputs, *kernel = self.shape
        return flat.view(outputs, *kernel, inputs).permute(0, 3, 1, 2)


class Fp8Weight(Packed):
    """The 8-bit floating-point numbers of a model's file as they are, and their scale: nothing is rounded again.

    Any other weight is held in int8: e4m3 has three bits where int8 has seven, so that it is as large and less exact.
    """

    kind = "fp8"

    @classmethod
    def of(cls, weight: Tensor, dtype: torch.dtype, scale: Tensor | None = None) -> Packed:
        """`scale`: one number, one for each output, or (O, blocks of a row, 1)."""
        if weight.dtype not in FP8:
            return Int8Weight.of(weight, dtype)
        packed = cls._empty(weight, dtype)
        packed.register_buffer("values", weight)
        if scale is not None:
            scale = scale if scale.dim() == 3 else scale.reshape(-1, *[1] * (weight.dim() - 1))
            packed.register_buffer("scale", scale.to(weight.device, torch.float32))
        return packed

    def pack(self, weight: Tensor) -> dict[str, Tensor]:
        return {"values": weight}

    def unpack(self, dtype: torch.dtype) -> Tensor:
        held = self.held()
        weight, scale = held["values"].to(dtype), held.get("scale")
        if scale is not None:  # multiplied in fp32 and rounded once, as a file is read
            (weight if scale.dim() == weight.dim() else weight.view(*scale.shape[:2], -1)).mul_(scale)
        return weight


KINDS: dict[str, type[Packed]] = {
    kind.kind: kind for kind in (WholeWeight, Int8Weight, W8A8Weight, Fp8Weight, Nf4Weight)
}
