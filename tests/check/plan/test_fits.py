"""A rung of the plan fits: the real step on the pretended card takes what was said, and a little less.

The model has Z-Image's true widths and few of its blocks, so that a twentieth of it is more than what lies between
tensors; none of its weights are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from modules.catalog.gpus import GB
from modules.check.memory import step_memory
from modules.check.memory.memory_tracker import for_a_card
from modules.check.plan.numbers import Numbers
from modules.check.plan.plan import Place, Planner
from modules.families import Family, LoadOptions
from modules.messages import Rung
from modules.preset.preset import Preset
from modules.system.devices import CARD_CONTEXT
from modules.trainer import preparation
from modules.trainer.preparation import with_planned, without_plan
from tests.benchmarks.card.random_model import bundled_files, random_family
from tests.benchmarks.plan import OneSize
from tests.card.pretended import register
from tests.card.steps import learned, preset_for

SIDE = 256
SMALL = 64 * 2**20  # what is unpacked weighs more beside few blocks than beside all


@cache
def few_blocks() -> Family:
    files: Any = bundled_files("zimage")
    files.configs["denoiser"] |= {"n_layers": 2, "n_refiner_layers": 1}
    files.configs["text_encoder_1"] |= {"num_hidden_layers": 2}
    return random_family("zimage", files, LoadOptions())


@pytest.fixture(autouse=True)
def _of_a_card() -> Iterator[None]:
    with for_a_card():
        yield


def asked(*settings: str) -> Preset:
    return preset_for("zimage", "training.batch_size=1", f"training.resolution={SIDE}", *settings)


def numbers_of(preset: Preset) -> Numbers:
    return Numbers(OneSize(few_blocks(), preset, SIDE), preset)


def planned(preset: Preset, room: float) -> tuple[Rung, int, Place]:
    """The rung that is chosen where so many GB are usable, and what its training takes beside PyTorch's context."""
    planner, place = Planner(numbers_of(preset), preset), Place("", round(room * GB), round(room * GB), None)
    plan = planner.plan(place)
    taken = {phase.code: phase.total for phase in planner.estimate(plan, place).phases}
    return plan.rungs[plan.chosen], max(taken["phase.training"], taken["phase.updating"]) - CARD_CONTEXT, place


def seen_on_the_card(monkeypatch: pytest.MonkeyPatch, preset: Preset, rung: Rung) -> int:
    """The highest bytes of two real steps with a rung's settings."""
    for module in (step_memory, preparation):
        monkeypatch.setattr(module, "device_named", lambda _: register())
    run = without_plan(with_planned(preset, rung.settings))
    return learned(few_blocks(), run, size=SIDE, steps=2).peak


HALF = ("model.offload=50 %", "training.gradient_checkpointing=50 %")
ADAFACTOR = ("training.weights=bf16", "optimizer.kind=adafactor")
RUNGS = [
    ("int8", ("method.kind=lora", "model.quantization=int8", *HALF)),
    ("off", ("method.kind=full", *ADAFACTOR, "training.gradients=main_memory")),
]


@pytest.mark.parametrize(("quantization", "settings"), RUNGS)
def test_the_chosen_rung_takes_what_was_said_and_fits(
    quantization: str, settings: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = asked(*settings)
    rung, said, place = planned(preset, 4.0)
    assert rung.fits and rung.peak <= place.room < place.usable and rung.settings["model.quantization"] == quantization
    seen = seen_on_the_card(monkeypatch, preset, rung)
    assert seen <= said <= 1.1 * seen + SMALL
