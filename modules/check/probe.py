"""A few real steps before a run, to know how long it will take: loads the model, keeps nothing but the times."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from modules.check.subject import Subject
from modules.data.batches import Batch
from modules.data.index import Index
from modules.families import Family
from modules.messages import Phase
from modules.methods import attach
from modules.preset.preset import Preset
from modules.system.collecting import no_collections
from modules.trainer.encoders import FamilyEncoders
from modules.trainer.learner import Learner
from modules.trainer.memory import compute_twice
from modules.trainer.preparation import open_family
from modules.trainer.speeds import Speed, recall, remember, shape_of

WARM, MEASURED = 3, 5  # steps
TITLE = "Measuring a few steps"


def measure(subject: Subject, denoiser: int) -> Speed | None:
    """Seconds of a step with the largest bucket; remembered as a run would. None where there are no images.

    Raises:
        UserError: the model cannot be loaded, or memory runs out.
        Interrupted: the user wants no more of it.
    """
    preset, index = subject.preset, subject.index
    if index is None or not len(index):
        return None
    subject.tell(Phase(TITLE, 0, WARM + MEASURED))
    # A family of its own: what a method attaches to it must not be there for the other rooms.
    family = open_family(preset, lambda event: None)
    batch = _batch(family, preset, index)
    method = attach(family, preset)
    held = method.touched_parts | {"denoiser"} | ({"vae"} if family.inpaints else set())
    family.let_go(*(set(family.part_names) - held - (set(family.text_encoders) if batch.text is None else set())))
    if preset.training.gradient_checkpointing:
        compute_twice(family, method.touched_parts | {"denoiser"})
    with no_collections():  # the first optimizer imports much of torch
        learner = Learner(preset, family, method, WARM + MEASURED)
    seconds = _seconds(subject, learner, [batch] * preset.training.accumulation)
    cache, shape = Path(preset.general.cache), shape_of(preset, denoiser)
    known = recall(cache, shape)
    speed = Speed(seconds, known.drawing if known else 0.0, known.watts if known else 0.0, time.time())
    try:
        remember(cache, shape, speed)
    except OSError:
        return speed  # said by paths.py
    return speed


def _seconds(subject: Subject, learner: Learner, batches: list[Batch]) -> float:
    began = 0.0
    for number in range(WARM + MEASURED):
        if number == WARM:
            began = _now(learner.device)
        learner.learn(batches)
        learner.clock.step += 1
        subject.progress(TITLE, number + 1, WARM + MEASURED)
    return (_now(learner.device) - began) / MEASURED


def _now(device: torch.device) -> float:
    """The time at which the device has done what was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.monotonic()


def _batch(family: Family, preset: Preset, index: Index) -> Batch:
    """Noise for latents, of the largest bucket that has images, with real captions."""
    sizes = {bucket: rows for bucket, rows in index.bucket_rows().items() if len(rows)}
    (height, width), rows = max(sizes.items(), key=lambda pair: pair[0][0] * pair[0][1])
    count, caches = preset.training.batch_size, not family.inpaints
    items = tuple(index[int(rows[i % len(rows)])] for i in range(count))
    captions = tuple(item.captions[0] for item in items)
    chance = torch.Generator().manual_seed(0)
    small = (count, family.channels, height // family.downscale, width // family.downscale)
    return Batch(
        items=items,
        turns=(0,) * count,
        captions=captions,
        latents_BChw=torch.randn(small, generator=chance) if caches else None,
        pixels_B3HW=None if caches else torch.rand(count, 3, height, width, generator=chance) * 2 - 1,
        text=None if preset.trains_text else FamilyEncoders(family).encode_text(captions),
        sizes_B6=torch.tensor([[height, width, 0, 0, height, width]] * count),
        loss_weights_B=torch.ones(count),
    )
