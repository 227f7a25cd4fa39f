"""What extracting, merging and comparing cost, and how exact an extraction of a real fine-tune is.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.merging starter DIR     # Robot full, 30 of its 150 steps
    OMP_NUM_THREADS=1 python -m tests.benchmarks.merging sd|sdxl DIR     # files with the shapes of a U-Net, fp16, noise

`starter`: relative errors of all matrices together, for a fixed rank and by kept change, beside the full SVD's.
`sd`, `sdxl`: CPU seconds, and the highest resident memory (VmHWM) less what is resident before; a process each.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from modules.families import LoadOptions
from modules.families.parts.adapter_origin import usual_model
from modules.families.parts.building import saved_tensors
from modules.families.parts.unet.single_file import file_links
from modules.merging.extraction import Extraction, extract
from modules.merging.low_rank import Wanted
from modules.merging.models import Model, opened
from modules.messages import Finished, RunTool, Train
from modules.preset.files.set_option import apply_overrides
from modules.preset.files.store import load
from modules.system.runtime import python_command
from modules.system.weights import PlannedTensor, write_safetensors
from modules.tools.run_steps import place_of
from tests.test_run import do
from tests.trainer.runs import folder_of

RANK = 16
KINDS = {"sd": "sd15", "sdxl": "sdxl"}


def main(what: str, folder: Path) -> None:
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    if what == "starter":
        starter(folder)
        return
    if what in KINDS:
        files = [shaped(what, folder / f"{seed}.safetensors", seed) for seed in (1, 2)]
        for tool in ("merge", "slerp", "extract", "weight-shift"):
            subprocess.run(python_command("-m", "tests.benchmarks.merging", tool, str(folder)), check=True)
        print(f"{what}: {sum(file.stat().st_size for file in files) / 2e9:.2f} GB a file")
        return
    one, other = (str(folder / f"{seed}.safetensors") for seed in (1, 2))
    out = {"out": str(folder / "out.safetensors"), "overwrite": True}
    jobs: dict[str, tuple[str, dict[str, Any]]] = {
        "merge": ("merge", {"models": [one, other], "ratio": "0.5", **out}),
        "slerp": ("merge", {"models": [one, other], "ratio": "0.5", "method": "slerp", **out}),
        "extract": ("extract", {"base": one, "tuned": other, "size_by": "rank", "rank": 32, **out}),
        "weight-shift": ("weight-shift", {"base": one, "tuned": other, "out": str(folder), "overwrite": True}),
    }
    opened([place_of(one), place_of(other)], LoadOptions())  # imports
    before, seconds = resident("VmRSS"), sum(os.times()[:2])
    name, settings = jobs[what]
    assert isinstance(do(RunTool(name, settings))[-1], Finished)
    seconds = sum(os.times()[:2]) - seconds
    print(f"{what}: {seconds:.1f} CPU s, {(resident('VmHWM') - before) / 2**20:.2f} GiB above the start")


def resident(line: str) -> int:
    """KiB."""
    held = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(held.split(f"{line}:")[1].split()[0])


def shaped(family: str, path: Path, seed: int) -> Path:
    """A file with a U-Net of this family's usual shapes."""
    model = usual_model(family, KINDS[family])
    shapes = {name: tuple(tensor.shape) for name, tensor in saved_tensors(model.empty("denoiser")).items()}
    links = file_links(KINDS[family], "denoiser", [*shapes], model.source.configs["denoiser"])
    chance = torch.Generator().manual_seed(seed)

    def noise(shape: tuple[int, ...]) -> Tensor:
        return 0.02 * torch.randn(shape, generator=chance)

    planned = {
        links[name].theirs: PlannedTensor(shape, torch.float16, lambda shape=shape: noise(shape))
        for name, shape in shapes.items()
    }
    write_safetensors(path, planned, {})
    return path


def starter(folder: Path) -> None:
    """Robot full at step 30 against the starter."""
    held = load(Path("presets/Starter/Robot full.json")).values
    settings = ["training.steps=30", "sampling.every=never", "sampling.last=false", "output.dtype=fp32"]
    run = folder_of(do(Train(apply_overrides(held, [*settings, f"general.workspace={folder}"]))))
    base, tuned = opened([place_of("starter:model"), place_of(str(run))], LoadOptions())
    best = full_svd(base, tuned)
    print(f"rank {RANK}, full SVD: error {best:.4f}")
    for said, wanted in ((f"rank {RANK}", Wanted(RANK)), ("kept change 90 %", Wanted(128, 0.9))):
        updates, kept = extract(base, tuned, ["denoiser"], Extraction(wanted=wanted), lambda done, total: None)
        layers = kept["denoiser"].layers.values()
        error = (1 - sum(squares * share for squares, share in layers) / sum(squares for squares, _ in layers)) ** 0.5
        numbers = sum(tensor.numel() for update in updates.values() for tensor in update.values.values())
        print(f"{said}: error {error:.4f}, {numbers / 1e6:.3f} M numbers")


def full_svd(base: Model, tuned: Model) -> float:
    """The least error of the layers that an extraction changes."""
    assert base.family is not None
    paths = {name.partition("|")[2] for name in base.family.lora_names() if name.startswith("denoiser|")}
    rest = whole = 0.0
    for path in sorted(paths):
        one, other = (model.weights["denoiser"].read(f"{path}.weight").float() for model in (base, tuned))
        squares = torch.linalg.svdvals((other - one).flatten(1)).double().square()
        rest, whole = rest + float(squares[RANK:].sum()), whole + float(squares.sum())
    return (rest / whole) ** 0.5


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
