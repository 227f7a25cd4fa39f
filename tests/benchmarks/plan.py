"""What the memory plan chooses: each family on a card of each size, over full-size shapes without weights.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.plan [--step] [sd] [sdxl] [zimage] [flux1] [qwen_image] ...

The first card of a family pays for the counts that all of them share. `--step`: two real steps of a LoRA on the
pretended card as the plan of a 12 GB card says, beside what it says.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest
import torch

from modules.catalog.gpus import GPUS
from modules.check.memory.findings import MemoryEstimator
from modules.check.memory.memory_tracker import for_a_card
from modules.check.memory.phases import SizeCache
from modules.check.plan.numbers import Numbers
from modules.check.plan.plan import Place, Planner
from modules.families import Family, LoadOptions
from modules.messages import MemoryPlan
from modules.plan_text import held
from modules.preset.preset import Preset
from modules.system.devices import CARD_CONTEXT
from modules.trainer import preparation
from modules.trainer.preparation import with_planned, without_plan
from tests.benchmarks.card import cases
from tests.benchmarks.card.random_model import bundled_files, random_family
from tests.benchmarks.card.report import GIB
from tests.card.pretended import ready, register
from tests.card.steps import learned, preset_for

CARDS = ("RTX 4050 Laptop", "RTX 4060", "RTX 3060", "RTX 4060 Ti 16 GB", "RTX 3090", "RTX A6000")
FULL = ("method.kind=full", "training.weights=bf16")
ADAFACTOR = ("optimizer.kind=adafactor", "optimizer.kernels_as_matrices=true")
METHODS = {"LoRA": ("method.kind=lora",), "full": FULL, "full, Adafactor": (*FULL, *ADAFACTOR)}
WHOLE = ("sd", "sdxl", "anima", "flux2_klein")  # whose full fine-tunes are planned, too
MORE = {"sd3": "SD 3.5 medium", "chroma": "Chroma", "qwen_image": "Qwen-Image", "krea2": "Krea 2", "anima": "Anima"}
TITLES = {**cases.TITLES, **MORE}
SIZES = {**cases.SIZES, **dict.fromkeys(MORE, 1024)}


class OneSize(MemoryEstimator):
    """For one image of one size, which nobody need scan."""

    def __init__(self, family: Family, preset: Preset, side: int) -> None:
        self.family, self.counts = family, SizeCache(family)
        self.size, self.resolution = (side, side), preset.resolution
        self.caption, self.captions, self.encodes_text = "a robot", 1, False


def planner_for(family: Family, preset: Preset, side: int) -> Planner:
    return Planner(Numbers(OneSize(family, preset, side), preset), preset)


def preset_of(name: str, *settings: str) -> Preset:
    return preset_for(name, "training.batch_size=1", f"training.resolutions={SIZES[name]}", *settings)


def rows(name: str, method: str) -> Iterator[str]:
    preset = preset_of(name, *METHODS[method])
    planner = planner_for(random_family(name, bundled_files(name), LoadOptions()), preset, SIZES[name])
    for card in CARDS:
        began = time.process_time()
        with for_a_card():
            plan = planner.plan(Place.of(GPUS[card]))
        spent = time.process_time() - began
        yield f"| {TITLES[name]}, {method} | {GPUS[card].memory / GIB:.0f} GB ({card}) | {cells(plan)} | {spent:.1f} |"


def stepped(name: str) -> str:
    preset, card = preset_of(name, *METHODS["LoRA"]), Place.of(GPUS["RTX 3060"])
    family = random_family(name, bundled_files(name), LoadOptions())
    planner = planner_for(family, preset, SIZES[name])
    with for_a_card():
        plan = planner.plan(card)
        phases = {phase.code: phase.total for phase in planner.estimate(plan, card).phases}
    said = max(phases["phase.training"], phases["phase.updating"]) - CARD_CONTEXT
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparation, "device_named", lambda _: register())
        run = without_plan(with_planned(preset, plan.rungs[plan.chosen].settings))
        seen = learned(family, run, size=SIZES[name], steps=2).peak
    how = cells(plan).partition(" | ")[0]
    return f"| {TITLES[name]} | {how} | {said / GIB:.2f} | {seen / GIB:.2f} | {said / seen - 1:+.1%} |"


def cells(plan: MemoryPlan) -> str:
    rung = plan.rungs[plan.chosen]
    how = [held(plan, str(rung.settings["model.quantization"]))]
    how += [f"{rung.offloaded} of {rung.blocks} blocks in main memory"] if rung.offloaded else []
    how += [f"{rung.checkpointed} of {rung.blocks} checkpointed"] if rung.checkpointed else []
    how += ["gradients in main memory"] if rung.settings["training.gradients"] == "main_memory" else []
    fits = "" if rung.fits else " (too small)"
    return f"{', '.join(how)}{fits} | {rung.peak / GIB:.2f} of {plan.usable / GIB:.2f} | {rung.seconds:.2f}"


def main(names: list[str]) -> None:
    if "--step" in names:
        ready()  # before the counts, which compute backwards, too
        print("| | chosen | the plan said, GiB | a step, GiB | error |", f"|{'---|' * 5}", sep="\n")
        for name in names[names.index("--step") + 1 :]:
            print(stepped(name), flush=True)
        return
    print("| | card | chosen | peak of usable, GiB | s a step | CPU s |", f"|{'---|' * 6}", sep="\n")
    for name in names or TITLES:
        for method in METHODS if name in WHOLE else ("LoRA",):
            for row in rows(name, method):
                print(row, flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
