"""CPU seconds of an image by our sampler and by diffusers' own pipeline, turn by turn, without decoding.

    python -m tests.benchmarks.sampling [--size 256] [--steps 4] [--rounds 7]

A U-Net of SD 1.5's form at half its width with random weights, DDIM, guidance 7, fp32, one thread.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch.overrides import TorchFunctionMode
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from modules.families import LoadOptions
from modules.preset.sections.sampling import Prompt
from modules.system.bundled import ROOT
from modules.tools.opening.models import open_model
from modules.trainer.sampling.sampler import Sampler

UNET, VAE = (160, 320, 640, 640), (32, 32, 32, 32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("size", 256), ("steps", 4), ("rounds", 7)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:  # weights are read from there when they are first needed
        written(Path(folder))
        compare(folder, options.size, options.steps, options.rounds)


def compare(folder: str, size: int, steps: int, rounds: int) -> None:
    sides = {"ours": ours(folder, size, steps), "theirs": theirs(folder, size, steps)}
    for name, draw in sides.items():
        draw()
        with Calls() as calls:
            draw()
        print(f"{name:6} {calls.count / steps:,.0f} calls of PyTorch a step")
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, draw in sides.items():
            begun = time.thread_time()
            draw()
            times[name].append((time.thread_time() - begun) / steps)
    for name, seconds in times.items():
        print(f"{name:6} {statistics.median(seconds):.3f} CPU s a step, at best {min(seconds):.3f}")
    one, other = times["ours"], times["theirs"]
    print(
        f"ours / theirs: {statistics.median(one) / statistics.median(other):.3f}, at best {min(one) / min(other):.3f}"
    )


class Calls(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def written(folder: Path) -> None:
    torch.manual_seed(0)
    text = CLIPTextConfig(hidden_size=768, intermediate_size=1024, num_hidden_layers=2, num_attention_heads=12)
    StableDiffusionPipeline(
        unet=UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8, block_out_channels=UNET),
        vae=AutoencoderKL(
            block_out_channels=VAE, latent_channels=4, down_block_types=("DownEncoderBlock2D",) * len(VAE),
            up_block_types=("UpDecoderBlock2D",) * len(VAE),
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer.from_pretrained(ROOT / "resources" / "models" / "clip"),
        scheduler=DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False),
        safety_checker=None, feature_extractor=None,
    ).save_pretrained(folder)  # fmt: skip


def ours(folder: str, size: int, steps: int) -> Callable[[], object]:
    family: Any = open_model(folder, "sd", LoadOptions())
    family.denoiser.eval()
    family.decode_image = lambda latents: torch.zeros(1, 3, 8, 8)
    sampler = Sampler(family, size, cache_texts=True)
    prompt = Prompt(prompt="a cat", width=size, height=size, steps=steps, guidance=7, seed=3, sampler="ddim")
    return lambda: list(sampler.draw([prompt]))


def theirs(folder: str, size: int, steps: int) -> Callable[[], object]:
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.tokenizer.model_max_length = 77
    options = {
        "height": size,
        "width": size,
        "num_inference_steps": steps,
        "guidance_scale": 7,
        "output_type": "latent",
    }
    return lambda: pipeline("a cat", **options)


if __name__ == "__main__":
    main()
