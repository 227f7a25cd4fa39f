"""Real learning on the starter: fifty steps, and the model draws the robot."""

from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from modules.messages import RunTool, SampleReady
from modules.session import Session
from modules.system.bundled import resolve
from tests.starter.fixed_loss import concept_loss
from tests.starter.nearest import concept_share
from tests.starter.test_files import ROBOT_PROMPTS
from tests.trainer.runs import ROBOT, STARTER, model_of, run, values

ROBOT_FOLDER = resolve("starter:robot")
RECIPE = {
    **ROBOT,
    "model": {"source": "starter:model"},
    "concepts": [{"path": "starter:robot", "flip": True, "caption_dropout": 0.1}],
    "training": {"steps": 50, "batch_size": 4, "resolution": 128, "learning_rate": 4e-3},
    "optimizer": {"kind": "adamw", "beta2": 0.99},
    "schedule": {"warmup": "10 steps"},
    "method": {
        "kind": "lora", "rank": 16, "alpha": 16, "conv": True,
        "layers": r"to_q, to_k, to_v, to_out\.0, ff\.net\.0\.proj, ff\.net\.2, conv1, conv2",
    },
}  # fmt: skip


def drawn(workspace: Path, *loras: Path) -> list[Image.Image]:
    """An image of each prompt. Without a LoRA none of them shows the robot: tests/starter/test_files.py."""
    prompts = [
        {"prompt": text, "seed": seed, "width": 128, "height": 128, "sampler": "ddim", "steps": 20, "guidance": 3.0}
        for seed, text in enumerate(ROBOT_PROMPTS)
    ]
    folder = workspace / "drawn"
    settings = {"preset": values(workspace, STARTER), "prompts": prompts, "loras": [str(path) for path in loras]}
    session = Session(RunTool("sample", {**settings, "out": str(folder)}))
    session.start()
    session.wait()
    images: list[Image.Image] = []
    for event in session.channel.events.drain(10_000):
        if isinstance(event, SampleReady):
            with Image.open(event.path) as image:
                images.append(image.convert("RGB"))
    return images


@pytest.mark.slow
def test_fifty_steps_teach_the_starter_the_robot(tmp_path) -> None:
    lora = model_of(run(values(tmp_path, base=RECIPE)))
    after = drawn(tmp_path, lora)
    assert len(after) == 8
    assert concept_share(after, ROBOT_FOLDER) >= 0.8

    pipeline = StableDiffusionPipeline.from_pretrained(resolve("starter:model"), dtype=torch.float32)
    loss = concept_loss(pipeline, ROBOT_FOLDER)
    pipeline.load_lora_weights(lora)  # what other programs make of the file is what counts
    assert concept_loss(pipeline, ROBOT_FOLDER) < 0.5 * loss
