"""Of blocks that repeat a few are run, and what is counted is what the whole model takes."""

from __future__ import annotations

from dataclasses import asdict
from math import ceil
from typing import Any

import pytest

from modules.check.memory import step_memory
from modules.check.memory.memory_tracker import for_a_card
from modules.check.memory.repeated import FEW, countable_runs
from modules.check.memory.step_memory import BatchShape, _step_bytes, sample_bytes, step_bytes
from modules.check.plan.ladder import WHOLE
from modules.check.plan.numbers import Choice, Numbers
from modules.families import Family, LoadOptions
from modules.trainer.step import optimizers
from tests.benchmarks.card.random_model import bundled_files, random_family
from tests.benchmarks.plan import OneSize
from tests.card.steps import preset_for

NARROW: dict[str, dict[str, Any]] = {
    "zimage": {
        "n_layers": 5, "n_refiner_layers": 1, "dim": 480, "n_heads": 4, "n_kv_heads": 4, "axes_dims": [32, 40, 48],
    },
    "sdxl": {
        "transformer_layers_per_block": [4], "layers_per_block": 1, "norm_num_groups": 8, "block_out_channels": [64],
        "attention_head_dim": [2], "down_block_types": ["CrossAttnDownBlock2D"],
        "up_block_types": ["UpBlock2D"],
    },
}  # fmt: skip
AS_IT_IS = (
    "model.quantization=off", "model.offload=none", "training.gradients=card", "training.gradient_checkpointing=all",
)  # fmt: skip
SHAPE = BatchShape((128, 128), "a robot", captions=1)


@pytest.fixture(scope="module", params=NARROW)
def family(request: pytest.FixtureRequest) -> Family:
    """A transformer and a U-Net with rows of blocks, none of whose weights are there."""
    files = bundled_files(request.param)
    files.configs["denoiser"] |= NARROW[request.param]
    for name in files.configs.keys() & {"text_encoder_1", "text_encoder_2"}:
        files.configs[name] |= {"num_hidden_layers": 2}
    return random_family(request.param, files, LoadOptions())


BF16 = ("method.kind=full", "training.weights=bf16")
METHODS = {
    "lora": {"zimage": ("method.kind=lora",), "sdxl": ("method.kind=lora",)},
    "full": {"zimage": (*BF16, "optimizer.kind=adamw8bit"), "sdxl": BF16},
}
PASSES = ("passes", "passes_gradients", "flops")


@pytest.mark.parametrize("method", METHODS)
def test_a_few_blocks_tell_what_the_whole_model_takes(
    family: Family, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = preset_for(family.name, "training.batch_size=1", *METHODS[method][family.name], *AS_IT_IS)
    monkeypatch.setattr(optimizers, "CHUNK", 2**18)  # so that chunks are many, and some alike
    with for_a_card():
        runs = countable_runs(family, preset)
        assert runs and all(run.count > FEW for run in runs)
        few = asdict(step_bytes(family, preset, SHAPE, {"denoiser"}))
        monkeypatch.setattr(step_memory, "SeenChunks", lambda *_: None)
        whole = asdict(_step_bytes(family, preset, SHAPE, {"denoiser"}))
    assert few.pop("launches") == pytest.approx(whole.pop("launches"), rel=0.1)  # of norms: one for each weight
    assert few == whole


@pytest.mark.parametrize("method", METHODS)
def test_a_few_blocks_tell_what_passes_keep_without_checkpointing(family: Family, method: str) -> None:
    keeps = "training.gradient_checkpointing=none"
    preset = preset_for(family.name, "training.batch_size=1", *METHODS[method][family.name], *AS_IT_IS, keeps)
    with for_a_card():
        few = step_bytes(family, preset, SHAPE, {"denoiser"}, "passes")
        whole = _step_bytes(family, preset, SHAPE, {"denoiser"}, part="passes")
    assert [getattr(few, name) for name in PASSES] == [getattr(whole, name) for name in PASSES]


def test_a_share_of_checkpointed_blocks_takes_no_more_than_is_thought(family: Family) -> None:
    """And little less, where blocks are equal; of a U-Net, the first ones save more than their share."""
    preset = preset_for(
        family.name, "training.batch_size=1", "method.kind=lora", *AS_IT_IS, "training.gradient_checkpointing=25 %"
    )
    with for_a_card():
        numbers = Numbers(OneSize(family, preset, 128), preset)
        quarter = ceil(0.25 * numbers.blocks - 1e-9)
        thought = numbers._step(Choice(WHOLE, quarter, 1, 0)).passes
        exact = _step_bytes(family, preset, SHAPE, {"denoiser"}, part="passes").passes
    assert exact <= thought <= (1.25 if family.name == "zimage" else 2) * exact


def test_a_few_blocks_tell_what_a_sample_takes(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = preset_for(family.name, "method.kind=lora", *AS_IT_IS, "sampling.prompts.0.prompt=a robot")
    with for_a_card():
        few = sample_bytes(family, preset)
        monkeypatch.setattr(step_memory, "countable_runs", lambda *_: [])
        assert few == sample_bytes(family, preset) and min(few) > 0


def test_rows_in_which_not_all_is_trained_alike_are_run_whole(family: Family) -> None:
    layers = {"zimage": "layers.4", "sdxl": "mid"}[family.name]
    preset = preset_for(family.name, "method.kind=lora", f"method.layers={layers}", *AS_IT_IS)
    runs = countable_runs(family, preset)
    assert {run.blocks for run in runs} <= {"mid_block.attentions.0.transformer_blocks"}
