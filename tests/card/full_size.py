"""A step of a LoRA in full size on the pretended card, beside what the check says: weights that are not there.

    OMP_NUM_THREADS=1 python -m tests.card.full_size [sd] [sdxl] [zimage] [flux1] [flux2_klein]

SDXL's step is the dearest: 56,000 operations, of which PyTorch's fake tensors take about a millisecond each, forward,
again for the checkpoints, and backward; the check counts the same once more. It is the first step of a run, which also
brings tables to the card that stay there.
"""

from __future__ import annotations

import sys
import time

import pytest
import torch

from modules.families import LoadOptions
from tests.benchmarks.card.cases import SIZES, TITLES
from tests.benchmarks.card.random_model import bundled_files, random_family
from tests.benchmarks.card.report import GIB
from tests.card.steps import learned, preset_for, said_on_the_card


def row(name: str) -> str:
    settings = ("training.batch_size=1", "training.gradient_checkpointing=all", "model.quantization=off")
    preset = preset_for(name, "method.kind=lora", *settings)
    family, size = random_family(name, bundled_files(name), LoadOptions()), SIZES[name]
    began = time.process_time()
    seen = learned(family, preset, size=size)
    seconds = time.process_time() - began
    with pytest.MonkeyPatch.context() as patch:
        counted = said_on_the_card(patch, family, preset, size)
    said = counted.held + max(counted.passes, counted.update)
    figures = f"{seen.peak / GIB:.2f} | {said / GIB:.2f} | {said / seen.peak - 1:+.1%}"
    waits, late = (", ".join(said) or "none" for said in (seen.waits, seen.late))
    return f"| {TITLES[name]}, {size} px | {figures} | {waits} | {late} | {seconds:.0f} |"


def main(names: list[str]) -> None:
    print("| | peak GiB | the check said | error | waits | copies that wait | CPU s |", f"|{'---|' * 7}", sep="\n")  # noqa: T201
    for name in names or SIZES:
        print(row(name), flush=True)  # noqa: T201


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
