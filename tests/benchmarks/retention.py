"""What the starter's runs learn and forget, at several learning rates, beside the study's figures; and the cost.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.retention [full] [full-hi] [full-low] [lora-hi] [blue] [blue-prior]
    OMP_NUM_THREADS=1 python -m tests.benchmarks.retention cost

Each run is made by the program itself, with a quarter of its images held out. `cost`: CPU seconds of measuring over
those of training, on Robot LoRA as it is shipped, without samples.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from modules.messages import Channel, Event, Retention, Train
from modules.preset.files import store
from modules.preset.files.set_option import apply_overrides
from modules.preset.rules.rules import validate
from modules.run import run_job
from modules.trainer.retention import examiner, preparing
from modules.trainer.retention.examiner import Examiner
from modules.trainer.retention.schedule import FIRST, Pace

PRESETS = Path("presets/Starter")
QUIET = (
    "sampling.every=never", "sampling.first=false", "sampling.last=false", "backup.every=never",
    "backup.at_end=false", "general.tensorboard=false", "general.device=cpu", "general.threads=1",
)  # fmt: skip
HELD_OUT = ("validation.enabled=true", "validation.share=0.25", "validation.every=never", "validation.keep_best=false")
DENSE = ("examine.points=drawings", "examine.budget=100")
EVERY = Pace(FIRST, extra=100)  # and at every model, whatever that costs


class Run(NamedTuple):
    preset: str
    settings: tuple[str, ...]
    study: str  # forgotten and balance that the study found


RUNS = {
    "full": Run(
        "Robot full", ("training.steps=150", "backup.save_every=15 steps"),
        "15: 0.82, 30: 1.02, 45: 1.07, 60: 1.17, 90: 1.12, 120: 1.13, 150: 1.33; best balance +0.26",
    ),
    "full-hi": Run(
        "Robot full", ("training.steps=90", "training.learning_rate=4e-3", "backup.save_every=15 steps"),
        "15: 1.90, 30: 2.53, 45: 2.94, 60: 2.67, 90: 3.28; best balance -1.06",
    ),
    "full-low": Run(
        "Robot full", ("training.steps=45", "training.learning_rate=1e-4", "backup.save_every=15 steps"),
        "15: 0.08, balance +0.58; 45: 0.40, balance +0.80",
    ),
    "lora-hi": Run(
        "Robot LoRA", ("training.steps=45", "training.learning_rate=5e-3", "backup.save_every=15 steps"),
        "15: 1.31, balance -0.46; 45: 1.82, balance -0.47",
    ),
    "blue": Run(
        "Blueprint style", ("training.steps=100", "backup.save_every=25 steps"),
        "25: 3.8, 50: 3.9, 100: 5.1; best balance -2.5",
    ),
    "blue-prior": Run(
        "Blueprint style with prior images", ("training.steps=200", "backup.save_every=25 steps"),
        "25: 1.17, 50: 0.72, 100: 0.51, 150: 0.22, 200: 0.26; best balance +0.48",
    ),
}  # fmt: skip


def done(preset: str, settings: tuple[str, ...], folder: str) -> list[Event]:
    whole = apply_overrides(store.load(PRESETS / f"{preset}.json").values, [*QUIET, *settings])
    values = {**whole, "general": {**whole["general"], "workspace": folder}}
    channel = Channel.open()
    run_job(Train(validate(values).model_dump(mode="json")), channel)
    return [*channel.events.drain(10**9)]


def compare(name: str, folder: str) -> None:
    run = RUNS[name]
    print(f"{name}: {run.preset}, {', '.join(run.settings)}", flush=True)
    examiner.pace_for = lambda step, last, affordable: EVERY
    for event in done(run.preset, (*HELD_OUT, *DENSE, *run.settings), f"{folder}/{name}"):
        if isinstance(event, Retention):
            learnt = " ".join(f"{value:+.2f}" for value in (event.practised, event.held_out) if value is not None)
            alarm = "  alarm" if event.alarm else ""
            cosine = event.cosine or 0.0
            print(f"  {event.step:4} forgotten {event.forgotten:5.2f}  learnt (practised, held out) {learnt}"
                  f"  balance {event.balance:+.2f}  cosine {cosine:.2f}{alarm}", flush=True)  # fmt: skip
    print(f"  study: {run.study}", flush=True)


def cost(folder: str) -> None:
    """The time of measuring is taken where it is done: around the functions that do it."""
    spent = [0.0]

    def counted(owner: Any, name: str) -> None:
        plain = getattr(owner, name)

        def timed(*given: Any, **named: Any) -> Any:
            began = cpu()
            try:
                return plain(*given, **named)
            finally:
                spent[0] += cpu() - began

        setattr(owner, name, timed)

    counted(Examiner, "measure")
    counted(preparing.Anchors, "read")
    counted(preparing.Anchors, "prepare")
    began = cpu()
    events = done("Robot LoRA", (), f"{folder}/cost")
    whole = cpu() - began
    steps = [event.step for event in events if isinstance(event, Retention)]
    share = spent[0] / (whole - spent[0])
    print(f"cost: {spent[0]:.2f} of {whole:.1f} CPU s, {share:.2%} of the rest; measured at {steps}", flush=True)


def cpu() -> float:
    used = os.times()
    return used.user + used.system


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[1:] or [*RUNS, "cost"]:
            cost(folder) if name == "cost" else compare(name, folder)


if __name__ == "__main__":
    main()
