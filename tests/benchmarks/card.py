"""Images a second and memory of SDXL and SD 1.5 shapes with random weights on a CUDA card, beside the card's own peak.

    python -m tests.benchmarks.card [--family sdxl] [--size 1024] [--batch 1 4] [--methods lora full]

Nothing is read from disk: the modules are made on the card. The peak is measured with large bf16 matrix products, and
the work of a step is counted by torch's own FLOP counter, forward and backward.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from modules.catalog import FAMILIES
from modules.diffusion.noise_schedule import EpsilonPrediction
from modules.families import Condition, LoadOptions, family_class
from modules.families.parts.building import emptied
from modules.families.parts.model_files import ModelFiles
from modules.families.parts.pipeline import DiffusersFamily
from modules.families.parts.unet import single_file
from modules.methods import attach
from modules.preset.validate import preset_of
from modules.trainer.step.optimizers import MixedPrecisionOptimizer
from modules.trainer.step.out_of_memory import use_gradient_checkpointing


def peak_flops() -> float:
    """Floating point operations a second of bf16 matrix products, as measured."""
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    seconds = timed(lambda: a @ a, 20)
    return 2 * 8192**3 / seconds


def timed(work: Callable[[], object], repeats: int) -> float:
    """Seconds of one call, after three to warm up."""
    for _ in range(3):
        work()
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(repeats):
        work()
    torch.cuda.synchronize()
    return (time.perf_counter() - began) / repeats


def random_part(family: DiffusersFamily, name: str) -> torch.nn.Module:
    """A part of full size with random weights, on the card."""
    module = emptied(family.empty(name)).to_empty(device="cuda")
    for parameter in module.parameters():
        parameter.data = torch.empty(parameter.shape, device="cuda", dtype=torch.bfloat16).normal_(std=0.02)
    return module.requires_grad_(False).eval()


def bare_family(name: str) -> DiffusersFamily:
    """A family with its bundled configs and no weights."""
    kind = {"sd": "sd15", "sdxl": "sdxl"}[name]
    parts = ("denoiser", "vae", *FAMILIES[name].text_encoders)
    configs, tokenizers = single_file.bundled(kind, parts)
    source = ModelFiles(Path("random"), configs, tokenizers, {}, kind)
    options = LoadOptions(device=torch.device("cuda"), dtype=torch.bfloat16)
    return family_class(name)(source, options, EpsilonPrediction())  # type: ignore[call-arg, return-value]


def measure(name: str, size: int, batch: int, method: str, peak: float, *, checkpointing: bool) -> str:
    """One line of figures."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    family = bare_family(name)
    family._components["denoiser"] = random_part(family, "denoiser")
    weights = "bf16" if method == "full" else "fp32"
    preset = preset_of(
        {"model": {"family": name, "dtype": "bf16"}, "method": {"kind": method}, "training": {"weights": weights}}
    )
    attached = attach(family, preset)
    if checkpointing:
        use_gradient_checkpointing(family, ["denoiser"])
    optimizer = MixedPrecisionOptimizer(preset.optimizer, attached.groups(), 1)
    width = 2048 if name == "sdxl" else 768
    noisy = torch.randn(batch, 4, size // 8, size // 8, device="cuda")
    condition = Condition(
        torch.randn(batch, 77, width, device="cuda"),
        pooled_BD=torch.randn(batch, 1280, device="cuda") if name == "sdxl" else None,
        sizes_B6=torch.full((batch, 6), size, device="cuda"),
    )
    times = torch.randint(0, 1000, (batch,), device="cuda")
    count = 0

    def step() -> None:
        nonlocal count
        with torch.autocast("cuda", torch.bfloat16):
            said = family.predict(noisy, times, condition)
        said.float().square().mean().backward()
        optimizer.step(count)
        optimizer.zero_grad()
        count += 1

    with FlopCounterMode(display=False) as counter:
        step()
    seconds = timed(step, 10)
    share = counter.get_total_flops() / seconds / peak
    memory = torch.cuda.max_memory_allocated() / 2**30
    figures = f"{batch / seconds:7.2f} images/s, {share:5.1%} of peak, {memory:5.1f} GiB"
    return f"{name:5} {method:5} {size} px batch {batch:2}: {figures}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--family", default="sdxl", choices=["sd", "sdxl"])
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--methods", nargs="+", default=["lora", "full"])
    parser.add_argument("--checkpointing", action="store_true")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("This needs a CUDA card.")
    peak = peak_flops()
    print(f"{torch.cuda.get_device_name()}: {peak / 1e12:.0f} TFLOP/s in bf16 matrix products", flush=True)
    for method in options.methods:
        for batch in options.batch:
            line = measure(options.family, options.size, batch, method, peak, checkpointing=options.checkpointing)
            print(line, flush=True)


if __name__ == "__main__":
    main()
