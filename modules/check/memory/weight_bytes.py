"""What weights take, before there are any: sums over the shapes of an empty model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import replace
from math import prod
from typing import Any

from modules.check.memory.memory_tracker import bytes_in, counted
from modules.families import Family, LoadOptions
from modules.families.parts.block_streaming import block_path
from modules.families.parts.building import dtype_of, saved_tensors
from modules.placement.holding import AS_THEY_ARE
from modules.preset.preset import Preset
from modules.trainer.preparation import load_options


def sizes_held(family: Any, name: str, options: LoadOptions) -> dict[str, int]:
    """Bytes of each tensor of a part, by its name in the module, where nothing of it is packed."""
    module = family.empty(name)
    dtype = options.vae_dtype if family.card.component(name).kind == "vae" else options.dtype
    return {
        path: x.numel() * (dtype_of(module, path, dtype) if x.is_floating_point() else x.dtype).itemsize
        for path, x in saved_tensors(module).items()
    }


def part_bytes(
    family: Family, preset: Preset, parts: Iterable[str], text_memory: int | None = None
) -> dict[str, int]:  # fmt: skip
    """The weights of parts as they are loaded: of one that is read block by block, its largest block and the rest.

    `text_memory`: bytes that a text encoder may take. None: as much as this computer has for it.
    """
    twin, options = copy(family), replace(load_options(preset), text_memory=text_memory)
    twin.options = options
    if options.holding == AS_THEY_ARE:
        return {name: _loaded(sizes_held(twin, name, options), twin.is_streamed(name)) for name in parts}
    with counted(options.device):
        twin = twin.meta_copy(options, parts)
        return {name: _loaded(_sizes_on_device(twin, name), twin.is_streamed(name)) for name in parts}


def _sizes_on_device(family: Family, name: str) -> dict[str, int]:
    tensors, device = saved_tensors(family.component(name)), family.options.device
    return {path: x.untyped_storage().nbytes() for path, x in tensors.items() if x.device.type == device.type}


def _loaded(sizes: Mapping[str, int], streamed: bool) -> int:
    """Of what is read block by block, the largest block and the rest."""
    blocks = Counter[str]()
    for path, size in sizes.items():
        blocks[block_path(path) if streamed else ""] += size
    return blocks.pop("", 0) + max(blocks.values(), default=0)


def offloaded_bytes(family: Family, preset: Preset) -> int:
    """What of the denoiser lies in main memory beside a card."""
    options = load_options(preset)
    with counted(options.device):
        held = saved_tensors(family.meta_copy(options, ["denoiser"]).denoiser).values()
        return bytes_in(x for x in held if x.device.type != options.device.type)


def largest_tensor(family: Family) -> int:
    """Bytes of the largest single weight in fp32: weights are read one by one."""
    shapes = (shape for name in family.component_names for shape in family.weights(name).shapes.values())
    return max(4 * prod(shape) for shape in shapes)
