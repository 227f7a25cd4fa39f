"""A few real steps before a run, to know how long it will take: loads the model, keeps nothing but the times."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from modules.check.context import CheckContext
from modules.data.batches import Batch
from modules.data.index import Index
from modules.families import Family
from modules.messages import Phase
from modules.methods import attach
from modules.preset.preset import Preset
from modules.system.collecting import gc_paused
from modules.trainer.preparation import open_family
from modules.trainer.run_folder.throughput import Speed, load_speed, save_speed, shape_of
from modules.trainer.step.encoders import FamilyEncoders
from modules.trainer.step.learner import Learner
from modules.trainer.step.out_of_memory import use_gradient_checkpointing

WARM_UP_STEPS, MEASURED_STEPS = 3, 5  # steps
TITLE = "Measuring a few steps"


def measure(context: CheckContext, denoiser: int) -> Speed | None:
    """Seconds of a step with the largest bucket; remembered as a run would. None where there are no images.

    Raises:
        UserError: the model cannot be loaded, or memory runs out.
        Interrupted: the user wants no more of it.
    """
    preset, index = context.preset, context.index
    if index is None or not len(index):
        return None
    context.tell(Phase(TITLE, 0, WARM_UP_STEPS + MEASURED_STEPS))
    # A family of its own: what a method attaches to it must not be there for the other rooms.
    family = open_family(preset, lambda event: None)
    batch = _batch(family, preset, index)
    method = attach(family, preset)
    held = method.modified_components | {"denoiser"} | ({"vae"} if family.inpaints else set())
    family.unload(*(set(family.component_names) - held - (set(family.text_encoders) if batch.text is None else set())))
    if preset.training.gradient_checkpointing:
        use_gradient_checkpointing(family, method.modified_components | {"denoiser"})
    with gc_paused():  # the first optimizer imports much of torch
        learner = Learner(preset, family, method, WARM_UP_STEPS + MEASURED_STEPS)
    seconds = _seconds(context, learner, [batch] * preset.training.accumulation)
    cache, shape = Path(preset.general.cache), shape_of(preset, denoiser)
    known = load_speed(cache, shape)
    speed = Speed(seconds, known.drawing if known else 0.0, known.watts if known else 0.0, time.time())
    try:
        save_speed(cache, shape, speed)
    except OSError:
        return speed  # said by paths.py
    return speed


def _seconds(context: CheckContext, learner: Learner, batches: list[Batch]) -> float:
    began = 0.0
    for number in range(WARM_UP_STEPS + MEASURED_STEPS):
        if number == WARM_UP_STEPS:
            began = _now(learner.device)
        learner.learn(batches)
        learner.clock.step += 1
        context.progress(TITLE, number + 1, WARM_UP_STEPS + MEASURED_STEPS)
    return (_now(learner.device) - began) / MEASURED_STEPS


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
        repeats=(0,) * count,
        captions=captions,
        latents_BChw=torch.randn(small, generator=chance) if caches else None,
        pixels_B3HW=None if caches else torch.rand(count, 3, height, width, generator=chance) * 2 - 1,
        text=None if preset.trains_text else FamilyEncoders(family).encode_text(captions),
        sizes_B6=torch.tensor([[height, width, 0, 0, height, width]] * count),
        loss_weights_B=torch.ones(count),
    )
