"""Everything that can be known of a run before it is started, without loading its weights."""

from __future__ import annotations

from collections import Counter

from modules.data.index import Index
from modules.data.order import epoch_length
from modules.families import Family
from modules.messages import Answer
from modules.methods import check_layers
from modules.preset.preset import Preset
from modules.trainer.control import Control
from modules.trainer.outputs import Outputs
from modules.trainer.preparation import (
    Tell,
    check_samplers,
    check_words,
    note_long_captions,
    open_family,
    scan_images,
    with_resolution,
)


def check(preset: Preset, tell: Tell, control: Control) -> Answer:
    """Open the model's configs, look at every image and caption, and count: a summary in words.

    Raises:
        UserError: whatever would keep the run from starting.
    """
    Outputs(preset).check_free()
    family = open_family(preset, tell)
    preset = with_resolution(preset, family)
    check_samplers(preset, family)
    index = scan_images(preset, tell, control)
    check_words(preset, index)
    check_layers(family, preset)
    note_long_captions(index, family, tell)
    return Answer("check", "\n".join(_summary(preset, family, index)))


def _summary(preset: Preset, family: Family, index: Index) -> list[str]:
    batches = epoch_length(index, preset.training.batch_size)
    per_epoch = -(-batches // preset.training.accumulation)
    steps = preset.training.steps or per_epoch * preset.training.epochs
    buckets = Counter(item.bucket for item in index)
    plural = "" if len(buckets) == 1 else "s"
    shapes = ", ".join(f"{width}x{height}: {count}" for (height, width), count in buckets.most_common(12))
    parts = ", ".join(preset.trained_parts()) or "new words only"
    return [
        f"The preset can start: {preset.card.title}, {type(preset.method).__doc__}, {family.resolution} pixels model.",
        f"{len(index)} images in {len(buckets)} bucket{plural} ({shapes}{', ...' if len(buckets) > 12 else ''}).",
        f"{per_epoch} steps an epoch, {steps} steps in all; a step learns from "
        f"{preset.training.batch_size * preset.training.accumulation} images.",
        f"Trained: {parts}.",
    ]
