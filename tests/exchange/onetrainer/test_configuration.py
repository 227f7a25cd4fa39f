"""OneTrainer's configurations, against its own arithmetic written anew."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from modules.exchange.imported import Imported
from modules.exchange.reading import read_text
from modules.preset.paths import get
from modules.preset.rules import rules

LORA: dict[str, Any] = {
    "model_type": "STABLE_DIFFUSION_15", "training_method": "LORA", "base_model_name": "someone/model",
    "learning_rate": 3e-4, "batch_size": 4, "output_model_format": "KOHYA_LORA", "resolution": "512",
}  # fmt: skip


def imported(**values: Any) -> Imported:
    return read_text(json.dumps({**LORA, **values}), "a file")


def test_what_a_file_leaves_out_means_what_it_means_there() -> None:
    preset = imported().preset
    assert get(preset.model_dump(), "method.alpha") / get(preset.model_dump(), "method.rank") == 1 / 16
    assert preset.schedule.warmup == "200 steps" and preset.training.epochs == 100
    assert preset.training.text_encoders[0].train and preset.training.text_encoders[0].stop_after == "30 epochs"
    assert "lora_alpha" in [row.theirs for row in imported().of("default")]


def test_a_default_that_becomes_another_value_is_not_said_to_be_the_same() -> None:
    for accumulation, code in ((1, "import.default"), (2, "import.default-other")):
        found = imported(gradient_accumulation_steps=accumulation)
        (row,) = [row for row in found.rows if row.theirs == "learning_rate_warmup_steps"]
        assert row.problem.code == code and found.preset.schedule.warmup == f"{200 // accumulation} steps"


def one_trainer_rate(values: dict[str, Any], step: int, total: int) -> float:
    """Its factor for an update: linear warm-up, then the curve over the rest."""
    accumulation = values.get("gradient_accumulation_steps", 1)
    warm = values.get("learning_rate_warmup_steps", 200)
    warm = int(warm / accumulation) if warm > 1 else int(warm * total)
    if step < warm:
        return (step + 1) / warm
    done, least = (step - warm) / (total - warm), values.get("learning_rate_min_factor", 0.0)
    cycles = values.get("learning_rate_cycles", 1.0)
    curves: dict[str, Callable[[float], float]] = {
        "CONSTANT": lambda _: 1.0, "LINEAR": lambda p: 1 - p, "COSINE": lambda p: 0.5 + 0.5 * math.cos(math.pi * p),
        "COSINE_WITH_RESTARTS": lambda p: 0.5 + 0.5 * math.cos(2 * math.pi * cycles * p),
        "COSINE_WITH_HARD_RESTARTS": lambda p: 0.5 + 0.5 * math.cos(math.pi * (p * cycles % 1)),
    }  # fmt: skip
    curve = curves[values["learning_rate_scheduler"]]
    return least + (1 - least) * curve(done)


@pytest.mark.parametrize(
    "values",
    [
        {"learning_rate_scheduler": "CONSTANT", "learning_rate_warmup_steps": 0.1},
        {"learning_rate_scheduler": "LINEAR", "learning_rate_warmup_steps": 40, "gradient_accumulation_steps": 4},
        {"learning_rate_scheduler": "COSINE", "learning_rate_min_factor": 0.2, "learning_rate_warmup_steps": 0},
        {"learning_rate_scheduler": "COSINE_WITH_RESTARTS", "learning_rate_cycles": 2,
         "learning_rate_warmup_steps": 20},
        {"learning_rate_scheduler": "COSINE_WITH_HARD_RESTARTS", "learning_rate_cycles": 3.0,
         "learning_rate_warmup_steps": 30},
    ],
)  # fmt: skip
def test_each_update_has_the_rate_that_it_has_there(values: dict[str, Any]) -> None:
    preset = imported(**values).preset
    images, epochs = 400, 10
    batches = images // 4 * epochs
    updates = batches // values.get("gradient_accumulation_steps", 1)
    assert images * preset.training.epochs // 100 // preset.training.batch_size * 10 == batches
    assert images // (preset.training.batch_size * preset.training.accumulation) * epochs == updates
    for step in range(0, updates, 7):
        mine = preset.training.learning_rate * preset.schedule.factor(step, updates)
        assert mine == pytest.approx(3e-4 * one_trainer_rate(values, step, updates), abs=3e-4 * 0.005), step


def test_rates_are_scaled_by_the_root_of_the_batch() -> None:
    preset = imported(learning_rate_scaler="BOTH", gradient_accumulation_steps=4).preset
    assert preset.training.rate_scale == pytest.approx(math.sqrt(4 * 4))


def test_its_steps_are_batches_and_ours_updates() -> None:
    found = imported(gradient_accumulation_steps=4, save_every=100, save_every_unit="STEP", backup_after=2,
                     backup_after_unit="HOUR").preset  # fmt: skip
    assert (found.backup.save_every, found.backup.every) == ("25 steps", "2 hours")


def test_distributions_of_timesteps_have_the_same_density() -> None:
    parabola = imported(timestep_distribution="INVERTED_PARABOLA", noising_weight=7.7, noising_bias=-0.1).preset
    times = parabola.objective.times
    draws = [times.share((n + 0.5) / 4000) for n in range(4000)]
    cells = [sum(1 for t in draws if n / 20 <= t < (n + 1) / 20) / 4000 * 20 for n in range(20)]
    weights = [max(0.0, 2 - 7.7 * ((n + 0.5) / 20 - 0.4) ** 2) for n in range(20)]
    assert cells == pytest.approx([20 * weight / sum(weights) for weight in weights], abs=0.1)
    normal = imported(timestep_distribution="LOGIT_NORMAL", noising_weight=0.5, noising_bias=0.2).preset
    assert (normal.objective.times.mean, normal.objective.times.spread) == (0.2, 1.5)
    beta = imported(timestep_distribution="BETA", noising_weight=0.8, noising_bias=1.0).preset.objective.times
    assert [beta.share(u) for u in (0.1, 0.5, 0.9)] == pytest.approx(
        [u ** (1 / 0.8) for u in (0.1, 0.5, 0.9)], abs=0.01
    )


@pytest.mark.parametrize(
    ("old", "path", "value"),
    [
        ({"optimizer": "ADAFACTOR", "optimizer_clip_threshold": 2.0}, "optimizer.clip_threshold", 2.0),
        ({"train_unet": False}, "training.denoiser.train", False),
        ({"text_encoder_learning_rate": 1e-5}, "training.text_encoder_1.learning_rate", 1e-5),
        ({"train_text_encoder_epochs": 7}, "training.text_encoder_1.stop_after", "7 epochs"),
        ({"min_snr_gamma": 3}, "objective.min_snr_gamma", 3.0),
        ({"noising_weight": 9, "noising_bias": 0.6}, "objective.times.centre", 0.6),
        ({"save_after": 2, "save_after_unit": "EPOCH"}, "backup.save_every", "2 epochs"),
        ({"lora_layers": "attn2", "lora_layer_preset": "custom"}, "method.layers", "attn2"),
    ],
)
def test_files_of_its_older_versions_mean_the_same(old: dict[str, Any], path: str, value: Any) -> None:
    assert get(imported(**old).preset.model_dump(), path) == value


def test_concepts_and_samples_come_along() -> None:
    concept = {
        "name": "me", "path": "/pictures/me", "balancing": 2.5, "balancing_strategy": "REPEATS", "loss_weight": 0.5,
        "text": {"prompt_source": "sample", "enable_tag_shuffling": True, "keep_tags_count": 2},
        "image": {"enable_crop_jitter": False, "enable_random_flip": True},
    }  # fmt: skip
    sample = {"prompt": "a cat", "random_seed": True, "cfg_scale": 5.0, "noise_scheduler": "EULER_KARRAS"}
    found = imported(concepts=[concept], samples=[sample], masked_training=True)
    mine, prompt = found.preset.concepts[0], found.preset.sampling.prompts[0]
    assert (mine.path, mine.repeats, mine.loss_weight, mine.keep_tags) == ("/pictures/me", 2.5, 0.5, 2)
    assert mine.flip and mine.shuffle_tags and not mine.random_crop and mine.masks == "file"
    assert (prompt.seed, prompt.guidance, prompt.sampler, prompt.spacing) == (-1, 5.0, "euler", "karras")
    assert found.is_project and not imported().is_project


@pytest.mark.parametrize("name", ["FLUX_DEV_1", "CHROMA_1", "QWEN", "Z_IMAGE", "STABLE_DIFFUSION_35", "SANA"])
@pytest.mark.parametrize("method", ["LORA", "FINE_TUNE"])
def test_every_family_gives_settings_that_can_be_used(name: str, method: str) -> None:
    found = imported(
        model_type=name, training_method=method, transformer={"weight_dtype": "INT_W8A8", "train": True},
        layer_filter_preset="blocks", quantization={"layer_filter_preset": "blocks"},
        timestep_distribution="LOGIT_NORMAL",
        optimizer={"optimizer": "ADAFACTOR"}, optimizer_defaults={"ADAFACTOR": {"fused_back_pass": True}},
    )  # fmt: skip
    assert not rules.conflicts(found.preset)
    assert (name == "SANA") == ("import.no-family" in [row.problem.code for row in found.rows])
