"""A few real steps before a run, to know how long it will take: loads the model, keeps nothing but the times."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from modules.check.context import CheckContext
from modules.check.example_batch import example_batch
from modules.data.batches import Batch
from modules.data.index import Index, Item
from modules.messages import Stage, note
from modules.methods import attach
from modules.system.devices import card_module, is_card
from modules.system.runtime import gc_paused
from modules.trainer.preparation import caches_latents, compiled, open_family
from modules.trainer.run_folder.throughput import Speed, load_speed, save_speed, shape_of
from modules.trainer.step.learner import Learner
from modules.trainer.step.out_of_memory import use_gradient_checkpointing

WARM_UP_STEPS, MEASURED_STEPS = 3, 5  # steps
STAGE = "stage.measuring-steps"


def measure(context: CheckContext, denoiser: int) -> Speed | None:
    """Seconds of a step with the largest bucket; remembered as a run would. None where there are no images.

    Raises:
        UserError: the model cannot be loaded, or memory runs out.
        Interrupted: the user wants no more of it.
    """
    preset, index = context.preset, context.index
    if index is None or not len(index):
        return None
    context.tell(Stage(STAGE, 0, WARM_UP_STEPS + MEASURED_STEPS))
    # A family of its own: what a method attaches to it must not be there for the other rooms.
    family = open_family(preset, lambda event: None)
    items = _items(index, preset.training.batch_size)
    cached = caches_latents(preset, family)
    batch = example_batch(family, items, caches_latents=cached, caches_text=preset.caches_texts)
    method = attach(family, preset)
    held = method.modified_components | {"denoiser"} | (set() if cached else {"vae"})
    family.unload(*(set(family.component_names) - held - (set(family.text_encoders) if batch.text is None else set())))
    use_gradient_checkpointing(family, method.modified_components | {"denoiser"}, preset.training.checkpointed)
    if preset.general.compiles:  # within the steps that warm up: all of them have one size
        context.tell(note(compiled(family)))
    with gc_paused():  # the first optimizer imports much of torch
        learner = Learner(preset, family, method, WARM_UP_STEPS + MEASURED_STEPS)
    seconds = _seconds(context, learner, [batch] * preset.training.accumulation)
    cache, shape = Path(preset.general.cache), shape_of(preset, denoiser)
    known = load_speed(cache, shape)
    speed = Speed(seconds, known.drawing if known else 0.0, known.watts if known else 0.0, time.time())
    save_speed(cache, shape, speed)
    return speed


def _seconds(context: CheckContext, learner: Learner, batches: list[Batch]) -> float:
    began = 0.0
    for number in range(WARM_UP_STEPS + MEASURED_STEPS):
        if number == WARM_UP_STEPS:
            began = _now(learner.device)
        learner.learn(batches)
        learner.clock.step += 1
        context.progress(STAGE, number + 1, WARM_UP_STEPS + MEASURED_STEPS)
    return (_now(learner.device) - began) / MEASURED_STEPS


def _now(device: torch.device) -> float:
    """The time at which the device has done what was asked of it."""
    if is_card(device):
        card_module(device).synchronize(device)
    return time.monotonic()


def _items(index: Index, count: int) -> list[Item]:
    """Images of the largest bucket that has some."""
    sizes = {bucket: rows for bucket, rows in index.bucket_rows().items() if len(rows)}
    _, rows = max(sizes.items(), key=lambda pair: pair[0][0] * pair[0][1])
    return [index[int(rows[number % len(rows)])] for number in range(count)]
