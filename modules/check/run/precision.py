"""What the precision of weights and optimizer loses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from modules.check.context import CheckContext
from modules.check.memory.step_memory import trained_sizes
from modules.check.wording import component_name
from modules.families import Family
from modules.messages import Finding
from modules.preset.layer_selection import select_layers
from modules.preset.preset import Preset
from modules.sentences.problem import Problem
from modules.sentences.render import fix
from modules.system.devices import card_module, device_named, is_card

MAX_TENSORS = 32  # of a part that are looked at, the larger the likelier
MAX_NUMBERS = 20_000  # of each
MOST_NUMBERS = 2**24  # of a tensor that is worth reading for a sample
SIGNIFICAND_BITS = {"fp32": 24, "fp16": 11, "bf16": 8}  # of a number's significand, with the one that is not written
SMALL_TENSOR = 4096  # numbers; bitsandbytes keeps the state of smaller tensors in 32 bits
HALF_LOST = 0.5  # share of weights that plain rounding would leave where they are


def findings(context: CheckContext) -> Iterator[Finding]:
    """Yield what rounding does to this run, and what the device makes of the precision."""
    yield from _device(context.preset)
    yield from _vae(context.preset)
    if context.family is not None:
        yield from _rounding(context, context.family)
        yield from _small_tensors(context.preset, context.family)


# Rounding -------------------------------------------------------------------------------------------------------------


def _rounding(context: CheckContext, family: Family) -> Iterator[Finding]:
    preset = context.preset
    if preset.training.weights != "bf16" or preset.optimizer.is_learning_rate_free or preset.method.kind != "full":
        return
    for component in preset.trained_parts():
        context.progress("stage.reading-weights", 0, 0)
        rate = preset.training.component(component).learning_rate or preset.training.learning_rate
        sizes = sampled_magnitudes(family, preset, component)
        if not len(sizes):
            continue
        moved, usual = share_moved(sizes, rate, "bf16"), float(sizes.median())
        yield Finding(
            "precision.rounding",
            "info",
            "training.weights",
            {
                "component": component_name(component),
                "rate": rate,
                "moved": moved,
                "usual": usual,
                "often": max(1, round(ulp(usual, "bf16") / rate)),
            },
            [fix("fix.weights-fp32", {"training.weights": "fp32"})] if moved < HALF_LOST else [],
            bars=[(Problem("bar.rounded"), moved), (Problem("bar.left"), 1 - moved)],
            unit="share",
        )


def sampled_magnitudes(family: Family, preset: Preset, component: str) -> Tensor:
    """The sizes |w| of some thousand weights of a part that are trained, without noughts; read from the file."""
    weights = family.weights(component)
    names = [name for name, shape in weights.shapes.items() if 0 < math.prod(shape) <= MOST_NUMBERS]
    if component == "denoiser" and preset.method.kind == "full":
        names = select_layers(names, preset.method.layers, family.layer_groups)
    found: list[Tensor] = []
    for name in _spread(names, [math.prod(weights.shapes[name]) for name in names]):
        numbers = weights.read(name).reshape(-1)
        first_names = numbers[:: max(1, len(numbers) // MAX_NUMBERS)].float().abs()
        found.append(first_names[(first_names > 0) & first_names.isfinite()])
    return torch.cat(found) if found else torch.empty(0)


def _spread(names: Sequence[str], sizes: Sequence[int]) -> list[str]:
    """Some of the names, spread evenly over all their numbers, so that a tensor counts as much as it holds."""
    total, found, passed = sum(sizes), dict[str, None](), 0
    for name, size in zip(names, sizes, strict=True):
        if passed * MAX_TENSORS // total != (passed + size) * MAX_TENSORS // total:
            found[name] = None
        passed += size
    return list(found)


def ulp(size: float, dtype: str) -> float:
    """The step from a number to the next one that a format can hold."""
    return 2.0 ** (math.floor(math.log2(size)) + 1 - SIGNIFICAND_BITS[dtype])


def share_moved(sizes: Tensor, rate: float, dtype: str) -> float:
    """The share of weights that an update of `rate` changes when it is rounded to the nearest.

    Adam's update is about the learning rate for every weight, whatever its gradient; to count, it must be at least half
    the step to the next number of the format.
    """
    _, exponents = torch.frexp(sizes)  # size = mantissa * 2**exponent with a mantissa from 0.5: floor(log2) + 1
    half_steps = torch.ldexp(torch.ones_like(sizes), exponents - SIGNIFICAND_BITS[dtype] - 1)
    return float((half_steps <= rate).float().mean())


# The device -----------------------------------------------------------------------------------------------------------


def _device(preset: Preset) -> Iterator[Finding]:
    device = device_named(preset.general.device)
    dtype = preset.model.dtype
    if is_card(device):
        major, minor = card_module(device).get_device_capability(device)
        yield from card_findings(preset, (major, minor))
    elif dtype == "fp16":
        fp32 = fix("fix.compute-fp32", {"model.dtype": "fp32"})
        yield Finding("precision.cpu_fp16", "warning", "model.dtype", fixes=[fp32])


def card_findings(preset: Preset, capability: tuple[int, int]) -> Iterator[Finding]:
    """What a card of this compute capability makes of the precision. bf16 needs 8.0: Ampere, the RTX 30 series."""
    dtype, can, path = preset.model.dtype, capability >= (8, 0), "model.dtype"
    values = {"version": f"{capability[0]}.{capability[1]}"}
    bf16 = fix("fix.compute-bf16", {path: "bf16"})
    if dtype == "bf16" and not can:
        fp16 = fix("fix.compute-fp16", {path: "fp16", "training.weights": "fp32"})
        yield Finding("precision.old_card", "warning", path, values, [fp16])
    if dtype == "fp16" and can:
        yield Finding("precision.fp16", "info", path, values, [bf16])
    if dtype == "fp32" and can:
        yield Finding("precision.slow", "info", path, values, [bf16])


def _vae(preset: Preset) -> Iterator[Finding]:
    model, path = preset.model, "model.vae_dtype"
    fp32 = fix("fix.vae-fp32", {path: "fp32"})
    if model.vae_dtype == "fp16" and not preset.card.fp16_vae and not model.vae:
        yield Finding("precision.vae:fp16", "warning", path, {"family": preset.card.short_title}, [fp32])
    elif model.vae_dtype == "bf16":
        yield Finding("precision.vae:bf16", "info", path, fixes=[fp32])


# The optimizer --------------------------------------------------------------------------------------------------------


def _small_tensors(preset: Preset, family: Family) -> Iterator[Finding]:
    """What an 8-bit optimizer does not hold in 8 bits."""
    if not preset.optimizer.eight_bit:
        return
    sizes = trained_sizes(family, preset)
    small = [size for size in sizes if size < SMALL_TENSOR]
    if not small:
        return
    share = sum(small) / sum(sizes)
    rest = Problem("small-tensors.saves-nothing" if share > HALF_LOST else "small-tensors.saves")
    plain = fix("fix.plain-optimizer", {"optimizer.kind": preset.optimizer.eight_bit})
    yield Finding(
        "precision.small_tensors",
        "info",
        "optimizer.kind",
        {"small": len(small), "count": len(sizes), "limit": SMALL_TENSOR, "share": share, "rest": rest},
        [plain] if share > HALF_LOST else [],
        bars=[(Problem("bar.8-bit"), float(sum(sizes) - sum(small))), (Problem("bar.32-bit"), float(sum(small)))],
        unit="parameters",
    )
