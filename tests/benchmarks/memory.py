"""What the check says a step will take, beside what it takes: full-size SD 1.5 and SDXL shapes on the CPU.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.memory [--only sdxl] [--most 11]

Each case is a process of its own: the real learner, two steps, random weights, latents given. Measured is the highest
resident memory (VmHWM) less that of a process that only imports the same. Cases that need more than `--most` GB are
left out, and a case waits until that much is free.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from modules.system.runtime import python_command, python_environment

LORA = ("method.kind=lora",)
FULL = ("method.kind=full",)
MID = ("method.kind=full", "method.layers=mid, up_blocks[.]3")
TEXT = ("training.text_encoder_1.train=true",)
BF16 = ("model.dtype=bf16",)
HALF = (*BF16, "training.weights=bf16")
TWICE = ("training.gradient_checkpointing=all",)
# family, pixels, batch, settings
CASES: list[tuple[str, int, int, tuple[str, ...]]] = [
    ("sd", 256, 1, LORA),
    ("sd", 256, 4, LORA),
    ("sdxl", 256, 1, (*LORA, *BF16)),
    ("sd", 256, 1, (*FULL, *HALF, "optimizer.kind=adamw8bit")),
    ("sdxl", 256, 1, (*FULL, *HALF, "method.layers=attention", "optimizer.kind=adafactor")),
    ("sd", 512, 1, (*LORA, *BF16)),
    ("sd", 256, 2, ("method.kind=embedding", "words.0.token=<new>")),
    ("sd", 256, 2, (*LORA, *TEXT, "method.conv=true", "optimizer.kind=prodigy", "training.learning_rate=1")),
    ("sdxl", 512, 1, (*LORA, *BF16, *TWICE, "optimizer.kind=adamw8bit")),
    ("sd", 512, 2, (*LORA, *TWICE, *BF16)),
    ("sd", 256, 2, (*MID, "training.ema=true")),
    ("sdxl", 384, 1, (*MID, *HALF)),
    ("sd", 256, 1, (*FULL, "optimizer.kind=adafactor")),
    ("sd", 256, 2, (*FULL, *HALF)),
    ("sd", 256, 2, (*LORA, "method.dora=true", "optimizer.kind=lion")),
    ("sd", 256, 2, (*MID, "optimizer.kind=schedule_free_adamw")),
    ("sdxl", 512, 1, (*LORA, *BF16, "method.conv=true")),
    ("sdxl", 256, 1, ("method.kind=embedding", "words.0.token=<new>", *BF16)),
    ("sd", 384, 2, ("method.kind=embedding", "words.0.token=<new>", *TWICE, *BF16, "optimizer.kind=lion")),
]


def preset_for(family: str, batch: int, settings: tuple[str, ...]) -> Any:
    from modules.preset.files.set_option import apply_overrides
    from modules.preset.rules.rules import conflicts
    from modules.preset.validate import preset_of

    held = {"version": 6, "model": {"family": family}, "general": {"device": "cpu", "threads": 1}}
    preset = preset_of(apply_overrides({**held, "training": {"batch_size": batch}}, list(settings)))
    assert not conflicts(preset), conflicts(preset)
    return preset


def bare_family(name: str, preset: Any) -> Any:
    """A family with its bundled configs and no weights."""
    from modules.catalog import FAMILIES
    from modules.diffusion.noise_schedule import EpsilonPrediction
    from modules.families import family_class
    from modules.families.parts.model_files import ModelFiles
    from modules.families.parts.unet import single_file
    from modules.trainer.preparation import load_options

    kind = {"sd": "sd15", "sdxl": "sdxl"}[name]
    configs, tokenizers = single_file.bundled(kind, ("denoiser", "vae", *FAMILIES[name].text_encoders))
    return family_class(name)(
        ModelFiles(Path("random"), configs, tokenizers, {}, kind), load_options(preset), EpsilonPrediction()
    )  # type: ignore[call-arg]


def held_in(family: Any, preset: Any) -> set[str]:
    texts = family.text_encoders if preset.trains_text else ()
    return {"denoiser", *texts}


def estimate(name: str, size: int, batch: int, settings: tuple[str, ...]) -> dict[str, float]:
    """In this process: what the check counts, in bytes, and how long that took."""
    from modules.check.memory.phases import FRAGMENTATION, KERNELS
    from modules.check.memory.step_memory import BatchShape, step_bytes

    preset = preset_for(name, batch, settings)
    family = bare_family(name, preset)
    began = time.process_time()
    found = step_bytes(
        family, preset, BatchShape((size, size), "a robot", caches_text=not preset.trains_text), held_in(family, preset)
    )
    return {
        "bytes": KERNELS + (1 + FRAGMENTATION) * (found.held + max(found.passes, found.update)),
        "held": found.held, "passes": found.passes,
        "update": found.update, "seconds": time.process_time() - began,
    }  # fmt: skip


def measure(name: str, size: int, batch: int, settings: tuple[str, ...], steps: int) -> dict[str, float]:
    """In this process: the highest resident memory after `steps` steps; 0 steps: of imports alone."""
    from modules.system.runtime import enable_huge_pages, without_huge_pages

    enable_huge_pages()
    import torch

    from modules.check.memory.step_memory import BatchShape, _batch
    from modules.methods import attach
    from modules.trainer.step.learner import Learner
    from modules.trainer.step.out_of_memory import use_gradient_checkpointing

    preset = preset_for(name, batch, settings)
    family = bare_family(name, preset)
    held = held_in(family, preset)
    __import__(preset.optimizer.source.partition(":")[0])
    for component in family.component_names:
        family.parameter_names(component)
    torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])
    if not steps:
        return {"bytes": peak()}
    with without_huge_pages():
        family = family.meta_copy(family.options, held)  # real memory, outside of FakeTensorMode
        for component in held:
            fill(family.component(component))
    batch_shape = BatchShape((size, size), "a robot", caches_text=not preset.trains_text)
    given = _batch_of(family, preset, batch_shape, _batch)
    method = attach(family, preset)
    use_gradient_checkpointing(family, method.modified_components | {"denoiser"}, preset.training.checkpointed)
    learner = Learner(preset, family, method, steps=1000)
    seconds = []
    for _ in range(steps):
        began = time.process_time()
        learner.learn([given])
        learner.clock.tick(1000)
        seconds.append(time.process_time() - began)
    return {"bytes": peak(), "seconds": seconds[-1]}


def _batch_of(family: Any, preset: Any, batch_shape: Any, make: Any) -> Any:
    """A batch of zeros; its texts have the shapes that the encoders would give, which need not be there for that."""
    import torch

    from modules.check.memory.memory_tracker import counted

    with counted(torch.device("cpu")):
        batch = make(family.meta_copy(family.options, family.component_names), preset, batch_shape)
    if batch.text is not None:
        rows = [{k: torch.zeros(v.shape, dtype=v.dtype) for k, v in row.items()} for row in batch.text]
        vars(batch)["text"] = rows
    vars(batch)["latents_BChw"] = torch.zeros(batch.latents_BChw.shape)
    vars(batch)["sizes_B6"] = torch.zeros(batch.sizes_B6.shape, dtype=torch.int64)
    vars(batch)["loss_weights_B"] = torch.ones(batch.loss_weights_B.shape)
    return batch


def fill(module: Any) -> None:
    """Random weights of usual size, quickly: the same million numbers again and again."""
    import torch

    some = 0.02 * torch.randn(2**20)
    for parameter in module.parameters():
        flat = torch.as_strided(parameter.data, (parameter.numel(),), (1,))
        for start in range(0, len(flat), len(some)):
            flat[start : start + len(some)] = some[: len(flat) - start]


def peak() -> int:
    """The highest resident memory of this process so far, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def wait_for(gigabytes: float) -> None:
    """Until that much memory is free: others may be at work here."""
    import psutil

    while psutil.virtual_memory().available < gigabytes * 1e9 + 2e9:
        time.sleep(5)


def ask(what: str, case: tuple[Any, ...]) -> dict[str, float]:
    command = python_command("-m", "tests.benchmarks.memory", "--inside", what, "--case", json.dumps(case))
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=python_environment())
    if done.returncode:
        return {"bytes": -1.0, "seconds": 0.0, "rc": done.returncode, "error": done.stderr[-1500:]}  # type: ignore[dict-item]
    return json.loads(done.stdout.splitlines()[-1])


def inside(what: str, case: list[Any]) -> None:
    name, size, batch, settings = case
    if what == "estimate":
        print(json.dumps(estimate(name, size, batch, tuple(settings))))
    else:
        # In a thread, as the engine does: its heap is another than the first thread's.
        with ThreadPoolExecutor(1) as pool:
            steps = 0 if what == "imports" else 2
            print(json.dumps(pool.submit(measure, name, size, batch, tuple(settings), steps).result()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="cases whose line holds this")
    parser.add_argument("--most", type=float, default=11.0, help="GB that a case may take")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        inside(options.inside, json.loads(options.case))
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    imports: dict[tuple[str, str], float] = {}
    for case in CASES:
        name, size, batch, settings = case
        label = f"{name} {size} px, batch {batch}, {' '.join(s.partition('.')[2] for s in settings)}"
        if options.only not in label:
            continue
        said = ask("estimate", case)
        if said["bytes"] < 0 or said["bytes"] > options.most * 1e9:
            print(f"{label}: left out, {said}", flush=True)
            continue
        wait_for(said["bytes"] / 1e9 + 1)
        library = next((s for s in settings if s.startswith("optimizer.kind")), "")
        imports[name, library] = imports.get((name, library)) or ask("imports", case)["bytes"]
        found = ask("measure", case)
        if found["bytes"] < 0:
            print(f"{label}: FAILED {found}", flush=True)
            continue
        real = found["bytes"] - imports[name, library]
        print(
            f"| {label} | {said['bytes'] / 1e9:.2f} | {real / 1e9:.2f} | {said['bytes'] / real - 1:+.1%} |"
            f" held {said['held'] / 1e9:.2f} passes {said['passes'] / 1e9:.2f} update {said['update'] / 1e9:.2f}"
            f" said in {said['seconds']:.1f} s, step {found['seconds']:.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
