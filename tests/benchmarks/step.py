"""CPU seconds a step, peak memory and start of a LoRA, each run in a fresh process.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.step --model DIR [--steps 12]    full-size SD 1.5 shapes
    OMP_NUM_THREADS=1 python -m tests.benchmarks.step --starter                   the starter, 64 images to cache

The full-size model (4.3 GB in fp32, random weights) is written to DIR once. Its latents are cached by a first run that
is not counted. The work is what kohya and invoke-training were measured with: rank 8, alpha 4, on 192 U-Net and 72 text
encoder modules, 128 px, batch 1, fp32, one thread. "start" is the CPU time until the first step begins;
its share in the kernel is nearly all the first touch of memory, dear on a virtual machine whose host is short of it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from modules.system.runtime import python_command, python_environment


def write_model(folder: Path) -> None:
    """SD 1.5 with random weights of usual sizes, as a diffusers folder."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    bundled = Path(__file__).parents[2] / "resources" / "models"
    torch.manual_seed(0)
    pipeline = StableDiffusionPipeline(
        unet=UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8, sample_size=64),
        vae=AutoencoderKL(
            block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        ),
        text_encoder=CLIPTextModel(
            CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
        ),
        tokenizer=CLIPTokenizer.from_pretrained(bundled / "clip"),
        scheduler=DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"),
        safety_checker=None, feature_extractor=None,
    )  # fmt: skip
    pipeline.save_pretrained(folder)


def one_run(model: Path | None, work: Path, steps: int) -> dict[str, float]:
    """In this process: seconds of CPU until the first step begins, a step's median after it, and the peak of memory."""
    from modules.messages import Channel, Failed, Progress, Started, Train
    from modules.preset.rules.rules import validate
    from modules.session import Session
    from modules.trainer.step import meter

    meter.Meter.TELL_EVERY = 0.0  # every step is told at once, so that its end can be timed
    preset = validate(
        {
            "model": {"source": str(model or "starter:model")},
            "concepts": [{"path": "starter:prior" if model is None else "starter:robot"}],
            "general": {"workspace": str(work), "tensorboard": False, "device": "cpu"},
            "training": {"steps": steps, "batch_size": 1, "resolution": 128, "text_encoder_1": {"train": True}},
            "method": {"kind": "lora", "rank": 8, "alpha": 4},
            "sampling": {"every": "never", "first": False, "last": False},
            "backup": {"every": "never", "at_end": False},
        }
    )
    channel, times = Channel.open(), {}

    def listen(event: object) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        if isinstance(event, Started):
            times["start"] = usage.ru_utime + usage.ru_stime
            times["kernel"] = usage.ru_stime
        if isinstance(event, Progress):
            times[f"step {event.step}"] = usage.ru_utime + usage.ru_stime
        if isinstance(event, Failed):
            print(event.message, event.details, file=sys.stderr)

    channel.events.put = listen  # type: ignore[method-assign]
    session = Session(Train(preset.model_dump(mode="json")), channel)
    session.start()
    session.wait()
    ends = [times[f"step {n}"] for n in range(1, steps + 1)]
    each = sorted(later - earlier for earlier, later in pairwise(ends))
    return {
        "start": times["start"],
        "of it in the kernel": times["kernel"],
        "step": each[len(each) // 2],
        "fastest": each[0],
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--model", type=Path)
    which.add_argument("--starter", action="store_true")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(one_run(options.model, options.inside, options.steps)))
        return
    if options.model and not (options.model / "model_index.json").exists():
        write_model(options.model)
    chosen = ["--starter"] if options.starter else ["--model", str(options.model)]
    with tempfile.TemporaryDirectory() as work:
        for number in range(options.runs + 1):
            inside = Path(work) / str(number) if options.starter else work  # the starter's cache is filled each time
            command = python_command("-m", "tests.benchmarks.step", *chosen, "--inside", str(inside))
            steps = 2 if number == 0 else options.steps + 1
            done = subprocess.run(
                [*command, "--steps", str(steps)], capture_output=True, text=True, check=True, env=python_environment()
            )
            if number:
                figures = json.loads(done.stdout.splitlines()[-1])
                print("  ".join(f"{name} {value:.2f}" for name, value in figures.items()), flush=True)


if __name__ == "__main__":
    main()
