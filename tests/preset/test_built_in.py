"""The presets that ship: each loads, contradicts nothing, and is what its name says."""

import json
import re
from pathlib import Path

import pytest

from modules.preset.files.store import read, shareable_values
from modules.preset.preset import Preset
from modules.preset.rules.rules import conflicts, missing_settings
from modules.system.bundled import ROOT

FILES = sorted((ROOT / "presets").rglob("*.json"))
# Learning rates that a practitioner would not call a mistake, by method.
RATES = {"lora": (5e-5, 5e-4), "full": (1e-6, 3e-5), "embedding": (5e-4, 1e-2)}
OLD_FOLDERS = {"SD 1.5": "sd", "Starter": "sd"}
# The starter model is a thousand times smaller and bears more.
STARTER_RATES = {"lora": (2e-4, 2e-3), "full": (1e-4, 1e-3), "embedding": (1e-3, 5e-2)}
PARAMETERS = {"sd": 0.86, "sdxl": 2.57}  # of the U-Net, in thousand millions
TEXT_ENCODERS = {"sd": 0.12, "sdxl": 0.82}
OPTIMIZER_BYTES = {"adamw": 8, "adamw8bit": 2, "adafactor": 0.1}
RESERVE = 2.0  # GB for activations under checkpointing, CUDA itself and a desktop


@pytest.fixture(params=FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_the_families_and_methods_are_all_there() -> None:
    named = {(path.parent.name, path.stem.split()[0]) for path in FILES}
    assert {(family, method) for family in ("SD 1.5", "SDXL") for method in ("LoRA", "Full", "Embedding")} <= named
    starter = {"Robot LoRA", "Robot full", "Robot embedding", "Blueprint style", "Blueprint style with prior images"}
    assert {path.stem for path in FILES if path.parent.name == "Starter"} == starter


def test_a_preset_is_whole_and_says_what_it_is_for(path: Path) -> None:
    preset = read(path)
    assert conflicts(preset) == []
    assert preset.title
    assert 100 < len(preset.note) < 1500
    assert preset.sampling.prompts


def test_a_preset_holds_only_what_differs(path: Path) -> None:
    assert json.loads(path.read_text(encoding="utf-8")) == shareable_values(read(path))


def test_a_starter_preset_runs_as_it_is(path: Path) -> None:
    preset = read(path)
    assert (missing_settings(preset) == []) == (path.parent.name == "Starter")
    assert missing_settings(preset.model_copy(update={"concepts": ()}))[0].path == "concepts"


def test_the_learning_rate_is_usual_for_the_method(path: Path) -> None:
    preset = read(path)
    low, high = (STARTER_RATES if path.parent.name == "Starter" else RATES)[preset.method.kind]
    assert low <= preset.training.learning_rate <= high


def test_the_name_agrees_with_the_contents(path: Path) -> None:
    preset = read(path)
    assert path.stem.startswith("Blueprint style") or preset.method.kind in path.stem.lower()
    assert preset.model.family == OLD_FOLDERS.get(path.parent.name, preset.model.family)
    assert path.parent.name in {preset.card.short_title, *OLD_FOLDERS}


def test_a_preset_of_a_flow_is_drawn_as_its_model_usually_is(path: Path) -> None:
    preset = read(path)
    usual = preset.card.usual_sampling(preset.model.source)
    if usual.names or preset.card.components[0].kind == "dit":
        assert {(prompt.steps, prompt.guidance) for prompt in preset.sampling.prompts} == {
            (usual.steps, usual.guidance)
        }


def gigabytes(preset: Preset) -> float:
    """What weights, gradients and optimizer take at least; activations are in the reserve."""
    size = {"fp32": 4, "bf16": 2, "fp16": 2}
    billions = PARAMETERS[preset.model.family]
    if preset.method.kind == "full":
        held = size[preset.training.weights]
        return billions * (2 * held + OPTIMIZER_BYTES[preset.optimizer.kind])
    reads = preset.method.kind == "embedding" or preset.training.text_encoder_1.train
    return (billions + TEXT_ENCODERS[preset.model.family] * reads) * size[preset.model.dtype]


def test_the_memory_in_the_name_can_hold_the_model(path: Path) -> None:
    match = re.search(r"(\d+) GB$", path.stem)
    if match is None:
        assert path.parent.name not in ("SD 1.5", "SDXL")
        return
    preset = read(path)
    assert gigabytes(preset) + RESERVE < int(match[1])
    assert preset.title.endswith(f"{match[1]} GB")
    assert preset.training.gradient_checkpointing == "auto"
