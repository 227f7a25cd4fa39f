"""How much memory a run will take, by part, and what would lower it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import psutil
import torch

from modules.check.context import CheckContext
from modules.check.memory.phases import Estimate, SizeCache, Work, count_step, count_work, phases_of
from modules.check.memory.step_memory import BatchShape, Part, StepBytes
from modules.data.index import Bucket, Index
from modules.data.text.captions import possible_captions, with_affixes
from modules.families import Family
from modules.messages import Finding, Fix, Severity
from modules.preset.files.set_option import apply_overrides
from modules.preset.preset import Preset
from modules.preset.rules.rules import conflicts
from modules.preset.validate import preset_of
from modules.sentences.problem import Problem, problem
from modules.sentences.render import fix
from modules.system.devices import card_budget
from modules.trainer.memory_fixes import memory_fixes
from modules.trainer.preparation import caches_latents, resident_components

UNCERTAINTY = 0.15  # how far an estimate may be off: at worst 9 % of what was measured (tests/benchmarks/RESULTS.md)
RESERVE = 0.06  # of a card: what lies between tensors
MAX_CAPTIONS_TOKENIZED = 200  # the longest ones, to find out how many chunks a batch can take
MAX_IMAGES_SAMPLED = 2_000  # to find out whether captions can be cached


TINY = 64  # bytes a weight: more than training, its optimizer and its images can take of a small model


def is_tiny(family: Family) -> bool:
    """Whether a model is so small that counting would only cost the time of whoever wants to start."""
    weights = sum(prod(shape) for part in family.component_names for shape in family.weights(part).shapes.values())
    return TINY * weights < 0.1 * psutil.virtual_memory().available


def findings_within(context: CheckContext, estimator: MemoryEstimator, limit: int = 0) -> Iterator[Finding]:
    """The findings for a computer with `limit` bytes; 0: for this one."""
    found = estimator.estimate(context.preset)
    limit = limit or available(found.on_card)
    room = room_within(limit, found.on_card)
    sizes = estimator.fixes(context, found, room, lambda each: estimator.estimate(each, room).peak.total)
    yield from findings_of(found, limit, [] if found.peak.total <= room else [each for each, _ in sizes])


def findings_of(found: Estimate, limit: int, fixes: list[Fix], *, here: bool = True) -> Iterator[Finding]:
    """The findings about a run that takes so much where there are `limit` bytes; `here`: on this computer."""
    yield _finding(found, limit, fixes)
    if found.on_card and here:
        yield from _main_memory(found)


def available(on_card: bool) -> int:
    """Bytes that a run may take: what the card has less the desktop's share, or what the computer has free just now."""
    if on_card:
        return card_budget(torch.device("cuda"))
    return psutil.virtual_memory().available


def uncertainty(on_card: bool) -> float:
    """How far an estimate may be off. An allocator of a card leaves smaller gaps than one of main memory."""
    return RESERVE if on_card else UNCERTAINTY


def room_within(limit: int, on_card: bool) -> int:
    """What an estimate may come to where a run may take `limit` bytes: the rest is for gaps between its tensors.

    Whoever plans or judges goes by this; the run itself may take the whole limit (modules/system/devices.py).
    """
    return round((1 - uncertainty(on_card)) * limit)


class MemoryEstimator:
    """Estimates for one family and its images, of a preset and of what it would be with some settings changed."""

    def __init__(self, family: Family, preset: Preset, index: Index) -> None:
        cache = Path(preset.general.cache) if preset.general.cache else None
        self.family, self.counts = family, SizeCache(family, cache)
        self.size, self.resolution = largest_bucket(index), preset.resolution
        self.caption, self.captions = longest_caption(family, index)
        self.encodes_text = has_uncacheable_captions(index)

    def estimate(self, preset: Preset, room: int = 0) -> Estimate:
        """What a run of this preset takes. `room`: bytes of a card; 0: of this computer's."""
        return phases_of(self.family, preset, self.work(preset), self.held(preset), room)

    def work(self, preset: Preset) -> Work:
        """What a run of this preset does, counted."""
        return count_work(self.family, preset, self._batch_shape(preset), self.held(preset), self.counts)

    def step(self, preset: Preset, part: Part = "all") -> StepBytes:
        """The same of its steps alone, or a part of them."""
        return count_step(self.family, preset, self._batch_shape(preset), self.held(preset), self.counts, part)

    def held(self, preset: Preset) -> set[str]:
        """The parts that stay loaded while it trains."""
        return resident_components(preset, self.family, encodes_text=self.encodes_text)

    def _batch_shape(self, preset: Preset) -> BatchShape:
        return BatchShape(
            self._size(preset), self.caption, caches_latents=caches_latents(preset, self.family),
            caches_text=preset.caches_texts, captions=self.captions,
        )  # fmt: skip

    def _size(self, preset: Preset) -> Bucket:
        share = preset.resolution / self.resolution
        height, width = (max(64, round(side * share / 64) * 64) if share != 1 else side for side in self.size)
        return height, width

    def fixes(
        self, context: CheckContext, found: Estimate, enough: int, size_of: Callable[[Preset], int]
    ) -> Iterator[tuple[Fix, int]]:
        """What lowers the peak, by itself and then all together until it fits; each with what it comes to.

        What is enough by itself comes first. `enough`: bytes that are; `size_of`: what a preset comes to.
        """
        steps = [*memory_fixes(context.preset, on_card=found.on_card), *_smaller_samples(context.preset)]
        now = found.peak.total
        together, changes = context.preset, dict[str, Any]()
        reached, alone = now, list[tuple[Fix, int]]()
        for number, step in enumerate(steps):
            context.progress("stage.fitting-memory", number, len(steps))
            changed = with_changes(context.preset, step.changes)
            if changed is not None and (size := size_of(changed)) < 0.98 * now:
                code = "fix.memory:fits" if size <= enough else "fix.memory"
                what = problem(step.code, **step.values)
                alone.append((fix(code, step.changes, what=what, after=size, before=now), size))
            if reached > enough and (more := with_changes(together, step.changes)) is not None:
                size = size_of(more)
                if size < 0.98 * reached:
                    together, reached, changes = more, size, {**changes, **step.changes}
        one_is_enough = any(size <= enough for _, size in alone)
        if len(changes) > 1 and not one_is_enough and alone:
            yield fix("fix.memory-all", changes, after=reached, before=now), reached
        yield from sorted(alone, key=lambda each: each[1] > enough)


def _smaller_samples(preset: Preset) -> Iterator[Fix]:
    change: dict[str, Any] = {}
    for number, prompt in enumerate(preset.sampling.prompts):
        for side in ("width", "height"):
            if prompt.enabled and (getattr(prompt, side) or preset.resolution) > 512:
                change[f"sampling.prompts.{number}.{side}"] = 512
    if change:
        yield fix("fix.smaller-samples", change)


def with_changes(preset: Preset, changes: Mapping[str, Any]) -> Preset | None:
    """The preset with a fix's changes; None where they conflict with another setting."""
    settings = [f"{path}={value if isinstance(value, str) else json.dumps(value)}" for path, value in changes.items()]
    changed = preset_of(apply_overrides(preset.model_dump(mode="json"), settings))
    return None if conflicts(changed) else changed


def largest_bucket(index: Index) -> Bucket:
    """Height and width of the bucket with most pixels that holds an image."""
    return max(index.bucket_rows(), key=lambda size: size[0] * size[1])


def longest_caption(family: Family, index: Index) -> tuple[str, int]:
    """The caption that takes most room, and of how many; only the longest in letters are read by the tokenizers."""
    images: list[list[list[str]]] = index.table.column("lines").to_pylist()
    captions = {text for files in images for lines in files for text in lines}
    captions |= {text for row in _one_of_each(index) for text in index[row].captions}
    if any(concept.several == "join" for concept in index.concepts):
        captions |= {" ".join(max(lines, key=len) for lines in files if lines) for files in images}
    longest = sorted(captions, key=len, reverse=True)[:MAX_CAPTIONS_TOKENIZED]
    around = max((with_affixes("", concept) for concept in index.concepts), key=len)
    most = max(longest, key=lambda text: max(family.token_counts(text).values()), default="")
    return f"{most}{around}", max(1, len(captions))


def has_uncacheable_captions(index: Index) -> bool:
    """Whether some captions are too many to be cached, so that text encoders stay; of very many images, some tell."""
    step = max(1, len(index) // MAX_IMAGES_SAMPLED)
    items = (index[row] for row in range(0, len(index), step))
    return any(possible_captions(item.caption_texts, index.concepts[item.concept]) is None for item in items)


def _one_of_each(index: Index) -> list[int]:
    """The first row of each concept."""
    seen: dict[int, int] = {}
    for row, concept in enumerate(index.concept_numbers.tolist()):
        seen.setdefault(concept, row)
    return list(seen.values())


# Findings -------------------------------------------------------------------------------------------------------------


def _finding(found: Estimate, limit: int, fixes: list[Fix]) -> Finding:
    peak = found.peak
    return Finding(
        "memory.peak:card" if found.on_card else "memory.peak:cpu",
        severity(peak.total, limit, uncertainty(found.on_card)),
        "training.batch_size",
        {"needed": peak.total, "limit": limit, "stage": Problem(peak.code)},
        fixes,
        bars=peak.bars,
        unit="bytes",
    )


def severity(needed: int, limit: int, off: float = UNCERTAINTY) -> Severity:
    """How bad it is to need so much where there is so much; an estimate may be `off` either way."""
    if needed > (1 + off) * limit:
        return "error"
    return "warning" if needed > (1 - off) * limit else "info"


def _main_memory(found: Estimate) -> Iterator[Finding]:
    """On a card, what the computer's own memory must hold meanwhile."""
    free, peak = psutil.virtual_memory().available, found.main_peak
    if peak.total > (1 - UNCERTAINTY) * free:
        yield Finding(
            "memory.main",
            "warning",
            "output.dtype",
            {"stage": Problem(peak.code), "needed": peak.total, "limit": free},
            bars=peak.bars,
            unit="bytes",
        )
