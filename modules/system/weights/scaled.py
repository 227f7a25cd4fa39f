"""Weights of 8 bits with scales beside them, as ComfyUI and musubi-tuner write them, seen as plain tensors.

    plain          x.weight in fp8                 nothing beside it
    old            x.weight in fp8                 x.scale_weight, x.scale_input; scaled_fp8 marks the file
    new            x.weight in fp8 or int8         x.weight_scale, x.input_scale; x.comfy_quant is JSON that names the
                                                   format, or the file's metadata does ("_quantization_metadata")

A scale is one number, one for each row, or one for each block of a row. Scales of inputs are for 8-bit kernels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from modules.errors import UserError
from modules.system.weights.protocol import Shape, Weights, brief, bytes_of, empty_tensor

UNPACKED = torch.bfloat16  # holds every number of both kinds of fp8
FP8 = (torch.float8_e4m3fn, torch.float8_e5m2)
SCALES = (".scale_weight", ".weight_scale")
BESIDE = (".scale_input", ".input_scale", ".comfy_quant")
FILE_MARK = "scaled_fp8"
KNOWN_FORMATS = ("float8_e4m3fn", "float8_e5m2", "int8_tensorwise", "int8")
MOST_JSON_BYTES = 10_000
AT_ONCE = 2**24  # numbers that are in fp32 at a time

# How the names of tensors end that only files of other formats have.
OTHER_FORMATS = {
    ".quant_state.bitsandbytes__nf4": "nf4 (bitsandbytes)",
    ".quant_state.bitsandbytes__fp4": "fp4 (bitsandbytes)",
    ".weight_format": "int8 (bitsandbytes)",
    ".SCB": "int8 (bitsandbytes)",
    ".weight_scale_2": "nvfp4",
    ".weight_codebook": "4-bit codes (W4A8)",
    ".weight_scale_inv": "fp8 in blocks",
    ".qweight": "int4 (SVDQuant, AWQ or GPTQ)",
}


def unscaled(weights: Weights, path: Path) -> Weights:
    """The file as one of plain tensors; itself where it is one.

    Raises:
        UserError: it is quantized in a way that cannot be undone here, or a scale does not fit its weight.
    """
    for name in weights.shapes:
        if kind := next((kind for end, kind in OTHER_FORMATS.items() if name.endswith(end)), ""):
            raise _refused(path, kind)
    scales = {_weight_of(name, end): name for end in SCALES for name in weights.shapes if name.endswith(end)}
    scales = {name: scale for name, scale in scales.items() if name in weights.shapes and _is_short(weights, name)}
    packed = {name for name in weights.shapes if weights.dtype(name) in FP8} | scales.keys()
    if not packed:
        return weights
    for config in _configs(weights, path):
        _check_format(config, path)
    for name, scale in scales.items():
        _check_scale(weights, name, scale, path)
    beside = {name for end in BESIDE for name in weights.shapes if _weight_of(name, end) in scales}
    marks = {name for name in weights.shapes if name == FILE_MARK or name.endswith(f".{FILE_MARK}")}
    return Scaled(weights, dict.fromkeys(packed) | scales, beside | marks | {*scales.values()})


class Scaled(Weights):
    """A file without its scales: each is applied when its weight is read."""

    def __init__(self, weights: Weights, packed: Mapping[str, str | None], hidden: set[str]) -> None:
        """`packed`: the weights of 8 bits with the names of their scales; `hidden`: what is no tensor of the model."""
        self._weights, self._packed = weights, packed
        self.metadata = weights.metadata
        self.shapes = {name: shape for name, shape in weights.shapes.items() if name not in hidden}

    def read(self, name: str, scratch: Tensor | None = None) -> Tensor:
        if name not in self._packed:
            return self._weights.read(name, scratch)
        held, scale = self._weights.read(name), self._packed[name]
        target = empty_tensor(self.shapes[name], UNPACKED, scratch)
        return _multiply(held, None if scale is None else self._weights.read(scale), target)

    def rows(self, name: str, first: int, end: int) -> Tensor:
        held = self._weights.rows(name, first, end)
        if name not in self._packed:
            return held
        scale = None if (beside := self._packed[name]) is None else self._weights.read(beside)
        if scale is not None and scale.numel() > 1:
            scale = scale[first:end]
        return _multiply(held, scale, torch.empty(held.shape, dtype=UNPACKED))

    def dtype(self, name: str) -> torch.dtype:
        return UNPACKED if name in self._packed else self._weights.dtype(name)

    def fp8(self, name: str, rows: tuple[int, int] | None = None) -> tuple[Tensor, Tensor | None] | None:
        if name not in self._packed or self._weights.dtype(name) not in FP8:
            return None
        held = self._weights.read(name) if rows is None else self._weights.rows(name, *rows)
        scale = None if (beside := self._packed[name]) is None else self._weights.read(beside).float()
        return held, scale[slice(*rows)] if rows and scale is not None and scale.numel() > 1 else scale

    def packed(self, name: str) -> Tensor | None:
        if name not in self._packed:
            return self._weights.packed(name)
        scale = self._packed[name]
        held = [self._weights.read(each).contiguous() for each in (name, scale) if each is not None]
        return torch.cat([tensor.reshape(-1).view(torch.uint8) for tensor in held])

    @property
    def files(self) -> tuple[Path, ...]:
        return self._weights.files


def _multiply(held: Tensor, scale: Tensor | None, target: Tensor) -> Tensor:
    """In fp32, some rows at a time."""
    if scale is None:
        return target.copy_(held)
    scale = scale.float()
    rows = held.shape[0] if held.dim() else 1
    blocks = scale.shape[1] if scale.dim() == 3 else 1
    scale = (scale if scale.numel() > 1 else scale.reshape(1).expand(rows)).reshape(rows, blocks, 1)
    whole, result = held.reshape(rows, blocks, -1), target.view(rows, blocks, -1)
    step = max(1, AT_ONCE // max(1, whole[0].numel()))
    for start in range(0, rows, step):
        some = slice(start, start + step)
        result[some] = whole[some].float() * scale[some]
    return target


def _weight_of(name: str, end: str) -> str:
    return f"{name.removesuffix(end)}.weight" if name.endswith(end) else ""


def _is_short(weights: Weights, name: str) -> bool:
    return weights.dtype(name) in (*FP8, torch.int8, torch.uint8)


def _check_scale(weights: Weights, name: str, scale: str, path: Path) -> None:
    """Raises a UserError where the numbers do not belong together."""
    if weights.dtype(name) == torch.uint8 or not weights.dtype(scale).is_floating_point:
        raise _refused(path, "mxfp8 or fp4")
    if not _fits(weights.shapes[scale], weights.shapes[name]):
        raise UserError("weights.scale", file=path, tensor=brief(name), scale=weights.shapes[scale])


def _fits(scale: Shape, weight: Shape) -> bool:
    if prod(scale) == 1:
        return prod(weight) > 0
    if not weight or not prod(weight) or scale[:1] != weight[:1]:
        return False
    blocks = scale[1] if len(scale) == 3 else 1
    return prod(scale) == weight[0] * blocks and prod(weight[1:]) % blocks == 0


def _configs(weights: Weights, path: Path) -> Iterator[Mapping[str, Any]]:
    """What a file says of how its layers are quantized."""
    try:
        layers = json.loads(weights.metadata.get("_quantization_metadata", "{}")).get("layers", {})
        yield from (dict(config) for config in layers.values())
        for name, shape in weights.shapes.items():
            if name.endswith(".comfy_quant"):
                if weights.dtype(name) != torch.uint8 or prod(shape) > MOST_JSON_BYTES:
                    raise ValueError(name)
                yield dict(json.loads(bytes(bytes_of(weights.read(name)))))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UserError("weights.metadata", file=path) from error


def _check_format(config: Mapping[str, Any], path: Path) -> None:
    kind = str(config.get("format", ""))
    if config.get("convrot"):
        raise _refused(path, f"{kind} with rotation (ConvRot)")
    if kind not in KNOWN_FORMATS:
        raise _refused(path, kind)


def _refused(path: Path, kind: str) -> UserError:
    return UserError("weights.quantized", file=path, format=brief(kind))
