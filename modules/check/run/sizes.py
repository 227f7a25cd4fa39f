"""How large the files of a run will be: its backups, its models, its samples, and what it keeps in the cache.

Shapes and types come from the run's own code on tensors without numbers (ledger.py), so that a new method or optimizer
needs nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from math import ceil
from typing import Any, cast

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from modules.check.captions.texts import Captions
from modules.check.memory.memory_tracker import counted
from modules.check.memory.phases import SizeCache
from modules.data.cache.shards import HEADER, RECORD_PLACE
from modules.data.image.variants import variant_count
from modules.data.index import Index
from modules.data.text.captions import possible_captions
from modules.families import Family
from modules.methods import attach
from modules.placement.holding import AS_THEY_ARE
from modules.preset.preset import Preset
from modules.system.devices import DTYPES
from modules.trainer.preparation import load_options
from modules.trainer.retention.schedule import extent_for
from modules.trainer.step.encoders import FamilyEncoders
from modules.trainer.step.learner import Learner

# Measured on files of tiny models (tests/check/run/test_costs.py); of real ones next to nothing.
BACKUP_TENSOR = 300  # bytes around each tensor in a backup: torch.save writes it as a file in an archive
BACKUP_FILE = 1_500
MODEL_TENSOR = 130  # bytes around each tensor in a model: its name, shape and place
MODEL_FILE = 8_000
IMAGE_NOTES = 700  # bytes that the cache remembers of each image: its size, hash, fingerprint
CACHE_FILES = 14_000  # bytes of the files that remember, before there is anything in them
PNG_SHARE = 0.6  # of a picture's bytes that are left in a PNG
STEP_NOTES = 700  # bytes of TensorBoard's records and of events.jsonl for each step
MOST_CAPTIONS = 3_000  # that are counted one by one
SECTIONS = ("training", "optimizer", "schedule", "method", "words", "objective", "prior", "output")  # that change sizes


@dataclass(frozen=True)
class Sizes:
    """Bytes of one file of each kind."""

    backup: int
    model: int
    denoiser: int  # numbers in the denoiser, trained or not: tells a tiny model from a real one
    text: int  # of one chunk of a caption in the cache
    text_record: int  # around it


def sizes_of(family: Family, preset: Preset) -> Sizes:
    """Counted once for all presets that differ in other settings, such as how many backups are kept."""
    return SizeCache(family).get("files", preset, SECTIONS, lambda: _counted(family, preset))


def _counted(family: Family, preset: Preset) -> Sizes:
    """Count on a hollow twin; reads no weights."""
    import_module(preset.optimizer.source.partition(":")[0])  # imports, which must not meet hollow tensors
    options = replace(load_options(preset), holding=AS_THEY_ARE)
    with counted(options.device):
        twin = family.meta_copy(options, family.component_names)
        row = FamilyEncoders(twin).encode_text([""])[0]
        whole = {name: list(twin.component(name).parameters()) for name in twin.component_names}
        parts = {name: (sum(p.numel() for p in tensors), len(tensors)) for name, tensors in whole.items()}
        method = attach(twin, preset)
        learner = Learner(preset, twin, method, steps=1000)
        learner.judges_steps = False
        for parameter in method.parameters().values():
            parameter.grad = torch.empty_like(parameter)
        learner.optimizer.step(0)
        kept = [thing.state_dict() for thing in learner.state.values()]
        backup = sum(_saved(state) for state in kept) + BACKUP_FILE * len(kept)
    return Sizes(
        backup=backup,
        model=_model_bytes(preset, parts, [p.numel() for p in method.parameters().values()]),
        denoiser=parts["denoiser"][0],
        text=sum(tensor.numel() * tensor.itemsize for tensor in row.values()),
        text_record=_around({name: tuple(tensor.shape) for name, tensor in row.items()}),
    )


def _saved(state: Any) -> int:
    """Bytes that torch.save makes of a state: each storage once."""
    # Tensors without numbers have no address
    storages = {t.untyped_storage()._cdata: t for t in _tensors(state)}  # pyright: ignore[reportPrivateUsage]
    return sum(tensor.untyped_storage().nbytes() + BACKUP_TENSOR for tensor in storages.values())


def _tensors(state: Any) -> Iterator[Tensor]:
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, dict):
        for value in cast("dict[Any, Any]", state).values():
            yield from _tensors(value)
    elif isinstance(state, list | tuple):
        for value in cast("list[Any]", state):
            yield from _tensors(value)


def _model_bytes(preset: Preset, parts: dict[str, tuple[int, int]], trained: list[int]) -> int:
    """A model that is saved: what was trained, or all of a model that was fine-tuned."""
    size = DTYPES[preset.output.dtype].itemsize
    if preset.method.kind != "full" or preset.output.parts == "trained":
        return sum(numbers * size + MODEL_TENSOR for numbers in trained) + MODEL_FILE
    return sum(numbers * size + tensors * MODEL_TENSOR for numbers, tensors in parts.values()) + MODEL_FILE


# The cache ------------------------------------------------------------------------------------------------------------


def cache_bytes(family: Family, preset: Preset, index: Index, sizes: Sizes, steps: int) -> int:
    """What is encoded of these images and captions, and answered by the base, if nothing of it was there before."""
    latents = 0 if family.inpaints else latents_bytes(family, index)
    texts = 0 if not preset.caches_texts else _texts(family, index, sizes)
    return latents + texts + _answers(family, preset, sizes, steps) + IMAGE_NOTES * len(index) + CACHE_FILES


def _answers(family: Family, preset: Preset, sizes: Sizes, steps: int) -> int:
    """What is kept of the base to measure what a run of so many steps forgets: latents in fp16, and its prompts."""
    extent = extent_for(preset, steps) if preset.examine.enabled else None
    if extent is None:
        return 0
    prompts, side = len(preset.known_prompts), preset.resolution // family.downscale
    latents = extent.cached(prompts) * family.channels * side**2 * 2
    return latents + (prompts + 1) * (sizes.text + sizes.text_record)


def latents_bytes(family: Family, index: Index) -> int:
    """Latents are kept in fp32: (C, h, w) for each way an image may be seen."""
    sides = np.array(index.buckets, dtype=np.int64) // family.downscale
    looks = np.array([variant_count(concept) for concept in index.concepts], dtype=np.int64)
    rows, counts = np.unique(index.bucket_numbers, return_counts=True)
    common = sides[rows[counts.argmax()]]
    each = family.channels * sides.prod(axis=1) * 4 + _around({"latents": (family.channels, *map(int, common))})
    return int((each[index.bucket_numbers] * looks[index.concept_numbers]).sum())


def _texts(family: Family, index: Index, sizes: Sizes) -> int:
    pairs = list(Captions(index).times)
    step = max(1, len(pairs) // MOST_CAPTIONS)
    captions: set[str] = set()
    for number, text in pairs[::step]:
        captions.update(possible_captions(((text,),), index.concepts[number]) or ())
    chunks = sum(_chunks(family, caption) for caption in list(captions)[:MOST_CAPTIONS])
    scale = len(captions) / max(1, min(len(captions), MOST_CAPTIONS)) * len(pairs) / max(1, len(pairs[::step]))
    return int(chunks * scale) * sizes.text + int(len(captions) * len(pairs) / len(pairs[::step])) * sizes.text_record


def _chunks(family: Family, caption: str) -> int:
    counts = family.token_counts(caption)
    needed = max(ceil(tokens / family.chunk_size(name)) for name, tokens in counts.items())
    return min(max(1, needed), family.max_chunks)


def _around(shapes: dict[str, tuple[int, ...]]) -> int:
    """What the cache writes around the numbers of a record."""
    tensors = {name: torch.zeros(shape, dtype=torch.uint8, device="cpu") for name, shape in shapes.items()}
    payload = sum(tensor.numel() for tensor in tensors.values())
    return len(safetensors.torch.save(tensors)) - payload + HEADER.size + RECORD_PLACE.itemsize
