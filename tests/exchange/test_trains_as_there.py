"""The starter, trained by settings of other programs: as many steps as there, and the rate of each.

What the other program would do is reckoned here from its own arithmetic, for 16 images.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modules.exchange.reading import read_text
from modules.messages import Finished, Progress
from modules.preset.paths import get
from tests.trainer.runs import ROBOT, run, values

IMAGES = 16
AI_TOOLKIT = """
job: extension
config:
  name: x
  process:
    - network: {type: lora, linear: 4}
      train: {steps: 8, batch_size: 2, gradient_accumulation_steps: 2, lr: 1e-3, lr_scheduler: cosine, optimizer: adamw}
      model: {name_or_path: a/b}
      datasets: [{folder_path: /x}]
"""
INVOKE = """
type: SD_LORA
optimizer: {learning_rate: 1e-3}
lr_scheduler: linear
lr_warmup_steps: 2
train_text_encoder: false
train_batch_size: 4
gradient_accumulation_steps: 2
max_train_epochs: 3
data_loader: {type: IMAGE_CAPTION_SD_DATA_LOADER, dataset: {dataset_dir: /x}}
"""
SIMPLETUNER = """{"model_family": "sd1x", "model_type": "lora", "max_train_steps": 6, "learning_rate": "1e-3",
"train_batch_size": 2, "lr_scheduler": "polynomial", "lr_warmup_steps": 2, "lora_dropout": 0, "lora_rank": 4}"""
DIFFUSION_PIPE = """
epochs = 2
micro_batch_size_per_gpu = 4
gradient_accumulation_steps = 2
lr_scheduler = "linear"
[model]
type = "sd"
[adapter]
type = "lora"
rank = 4
[optimizer]
type = "adamw"
lr = 1e-3
"""
MUSUBI = """zimage_train_network.py --dit a --network_module networks.lora --network_dim 4 --learning_rate 1e-3
--max_train_steps 5 --lr_scheduler cosine --lr_warmup_steps 2"""


def after(warm: int, step: int, total: int, curve: Callable[[float], float]) -> float:
    return (step + 1) / warm if step < warm else curve((step - warm) / (total - warm))


def cosine(done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * done))


@pytest.mark.parametrize(
    ("text", "steps", "rate"),
    [
        (AI_TOOLKIT, 8 // 2, lambda n: cosine(2 * n / 8)),
        (INVOKE, 3 * math.ceil(IMAGES / 4 / 2), lambda n: after(2, n, 6, lambda done: 1 - done)),
        (SIMPLETUNER, 6, lambda n: after(2, n, 6, lambda done: 4e-4 + (1 - 4e-4) * (1 - done) ** 0.8)),
        (DIFFUSION_PIPE, 2 * (IMAGES // 4 // 2), lambda n: 1 - n / 4),
        (MUSUBI, 5, lambda n: after(2, n, 5, cosine)),
    ],
    ids=["ai-toolkit", "invoke-training", "SimpleTuner", "diffusion-pipe", "musubi-tuner"],
)  # fmt: skip
def test_it_takes_as_many_steps_as_there_at_the_same_rates(
    tmp_path: Path, text: str, steps: int, rate: Callable[[int], float]
) -> None:
    theirs = read_text(text, "a file").values
    taken = ("steps", "epochs", "batch_size", "accumulation", "learning_rate")
    training: dict[str, Any] = {name: get(theirs, f"training.{name}") for name in taken}
    training = {
        **ROBOT["training"],
        "steps": 0,
        **{name: value for name, value in training.items() if value is not None},
    }
    base = {**ROBOT, "training": training, "schedule": theirs["schedule"]}
    progress = [event for event in run(values(tmp_path, base=base)) if isinstance(event, Progress | Finished)]
    found = {event.step: next(iter(event.rates.values())) for event in progress
             if isinstance(event, Progress) and event.rates}  # fmt: skip
    assert isinstance(progress[-1], Finished) and max(found) == steps
    for step, mine in found.items():
        assert mine == pytest.approx(1e-3 * rate(step - 1), rel=1e-4), step
