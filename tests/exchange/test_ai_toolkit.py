"""ai-toolkit's jobs, against PyTorch's schedules written anew."""

import json
import math
from typing import Any

import pytest

from modules.exchange.imported import Imported
from modules.exchange.reading import read_text

JOB = """
job: extension
config:
  name: my_lora
  process:
    - type: sd_trainer
      trigger_word: p3r5on
      network: {type: lora, linear: 32, linear_alpha: 16}
      save: {dtype: float16, save_every: 250}
      datasets:
        - folder_path: /images/[name]
          caption_ext: txt
          resolution: [512, 768]
          num_repeats: 2
          flip_x: true
      train: {batch_size: 1, steps: 2000, lr: 1e-4, optimizer: adamw8bit, dtype: bf16}
      model: {name_or_path: black-forest-labs/FLUX.1-dev, is_flux: true, quantize: true}
      sample:
        prompts: ["[trigger] holding a sign"]
        width: 1024
        seed: 42
        guidance_scale: 4
"""


def imported(model: dict[str, Any] | None = None, network: Any = None, **train: Any) -> Imported:
    process = {"type": "sd_trainer", "train": {"steps": 1000, "lr": 2e-4, **train}}
    process["model"] = {"name_or_path": "a/b", "is_xl": True, **(model or {})}
    if network != {}:
        process["network"] = network or {"type": "lora", "linear": 8}
    return read_text(json.dumps({"job": "extension", "config": {"name": "x", "process": [process]}}), "a file")


def torch_rate(kind: str, step: int, total: int, low: float) -> float:
    curves = {
        "constant": 1.0,
        "cosine": low + (1 - low) * (1 + math.cos(math.pi * step / total)) / 2,
        "cosine_with_restarts": (1 + math.cos(math.pi * step / total)) / 2,
        "linear": 1 / 3 + 2 / 3 * step / total,
        "constant_with_warmup": min(1.0, step / 100),
    }
    return curves[kind]


@pytest.mark.parametrize(
    ("kind", "more", "low"),
    [("constant", {}, 0.0), ("cosine", {}, 0.0), ("cosine", {"eta_min": 2e-5}, 0.1), ("cosine_with_restarts", {}, 0.0),
     ("linear", {}, 0.0), ("constant_with_warmup", {"num_warmup_steps": 100}, 0.0)],
)  # fmt: skip
def test_each_step_has_the_rate_that_it_has_there(kind: str, more: dict[str, Any], low: float) -> None:
    preset = imported(lr_scheduler=kind, lr_scheduler_params=more).preset
    assert preset.training.steps == 1000
    for step in range(0, 1000, 37):
        mine = preset.schedule.factor(step, 1000)
        assert mine == pytest.approx(torch_rate(kind, step, 1000, low), abs=0.011), step


def test_a_job_comes_to_what_it_means_there() -> None:
    preset = read_text(JOB, "a file").preset
    method, concept = preset.method.model_dump(), preset.concepts[0]
    assert (preset.model.family, preset.model.quantization, preset.model.dtype) == ("flux1", "int8", "bf16")
    assert (method["rank"], method["alpha"], method["layers"]) == (32, 16.0, "blocks")
    assert (concept.path, concept.repeats, concept.flip, concept.trigger) == ("/images/my_lora", 2, True, "p3r5on")
    assert (preset.training.resolutions, preset.training.learning_rate) == ("512, 768", 1e-4)
    assert (preset.objective.times.kind, preset.optimizer.model_dump()["eps"]) == ("logit_normal", 1e-6)
    prompt = preset.sampling.prompts[0]
    assert (prompt.prompt, prompt.distilled_guidance, prompt.guidance) == ("p3r5on holding a sign", 4, 1)


def test_the_older_accumulation_counts_batches_and_the_newer_updates() -> None:
    older = imported(gradient_accumulation_steps=4).preset.training
    newer = imported(gradient_accumulation=4).preset.training
    assert (older.steps, older.accumulation) == (250, 4)
    assert (newer.steps, newer.accumulation) == (1000, 4)


def test_what_a_job_leaves_out_means_what_it_means_there() -> None:
    preset = imported(network={"type": "lora"}).preset
    method = preset.method.model_dump()
    assert (method["rank"], method["alpha"]) == (4, 1.0)
    assert not preset.training.text_encoders[0].train
    assert imported(network={}).preset.method.kind == "full"
    lokr = imported(network={"type": "lokr", "lokr_factor": 8}).preset.method.model_dump()
    assert (lokr["kind"], lokr["full_matrix"], lokr["factor"]) == ("lokr", True, 8)


def test_prodigy_gets_a_rate_of_one_and_adafactor_is_not_clipped() -> None:
    assert imported(optimizer="prodigy", lr=1e-4).preset.training.learning_rate == 1.0
    assert imported(optimizer="adafactor").preset.training.clip_gradients == 0.0


def test_timesteps_are_counted_from_the_noisiest() -> None:
    times = imported(min_denoising_steps=200, max_denoising_steps=799).preset.objective.times
    assert (times.lower, times.upper) == pytest.approx((0.2, 0.8))


def test_only_the_named_layers_are_adapted() -> None:
    kwargs = {"only_if_contains": ["transformer.single_transformer_blocks.7.proj_out"]}
    network = {"type": "lora", "linear": 8, "network_kwargs": kwargs}
    flux = {"is_xl": False, "is_flux": True}
    layers = imported(flux, network).preset.method.model_dump()["layers"]
    assert layers == r"single_transformer_blocks\.7\.proj_out"


def test_a_family_that_is_not_here_is_named() -> None:
    found = imported({"is_xl": False, "arch": "wan21"})
    assert "import.no-family" in [row.problem.code for row in found.rows]
    assert imported({"is_xl": False, "arch": "zimage:turbo"}).preset.model.family == "zimage"
