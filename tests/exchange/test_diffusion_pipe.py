"""diffusion-pipe's configurations, against PyTorch's schedules written anew."""

import math
from pathlib import Path

import pytest

from modules.exchange.imported import Imported
from modules.exchange.reading import read, read_text

MAIN = """
output_dir = "/out"
dataset = "dataset.toml"
epochs = 10
micro_batch_size_per_gpu = 2
gradient_accumulation_steps = 4
warmup_steps = 0
save_every_n_epochs = 2
checkpoint_every_n_minutes = 120
activation_checkpointing = true
save_dtype = "bfloat16"
[model]
type = "qwen_image"
diffusers_path = "/models/Qwen-Image"
dtype = "bfloat16"
transformer_dtype = "float8"
timestep_sample_method = "logit_normal"
shift = 3
[adapter]
type = "lora"
rank = 32
[optimizer]
type = "adamw_optimi"
lr = 2e-5
betas = [0.9, 0.99]
"""
DATASET = """
resolutions = [512, 1024]
enable_ar_bucket = true
[[directory]]
path = "/images/mine"
num_repeats = 5
mask_path = "/images/masks"
[[directory]]
path = "/images/others"
"""


def imported(text: str, old: str, new: str) -> Imported:
    assert old in text
    return read_text(text.replace(old, new), "a file")


def test_a_configuration_comes_to_what_it_means_there(tmp_path: Path) -> None:
    (tmp_path / "dataset.toml").write_text(DATASET, encoding="utf-8")
    file = tmp_path / "run.toml"
    file.write_text(MAIN, encoding="utf-8")
    preset = read(file).preset
    method = preset.method.model_dump()
    assert (preset.model.family, preset.model.quantization) == ("qwen_image", "int8")
    assert (method["rank"], method["alpha"], method["layers"]) == (32, 32.0, "blocks")
    assert (preset.training.batch_size, preset.training.accumulation, preset.training.resolutions) == (
        2,
        4,
        "512, 1024",
    )
    assert preset.optimizer.model_dump()["beta2"] == 0.99
    assert (preset.objective.times.kind, preset.objective.times.shift) == ("logit_normal", 3)
    assert [(concept.path, concept.repeats) for concept in preset.concepts] == [
        ("/images/mine", 5),
        ("/images/others", 1),
    ]
    assert preset.concepts[0].masks == "file"


def test_an_epoch_at_two_resolutions_is_two_of_ours(tmp_path: Path) -> None:
    (tmp_path / "dataset.toml").write_text(DATASET, encoding="utf-8")
    preset = read_text(MAIN, "a file", tmp_path).preset
    assert (preset.training.epochs, preset.backup.save_every, preset.backup.every) == (20, "4 epochs", "120 minutes")
    assert read_text(MAIN, "a file").preset.training.epochs == 10


@pytest.mark.parametrize("kind", ["constant", "linear", "cosine"])
@pytest.mark.parametrize("warm", [0, 20])
def test_each_step_has_the_rate_that_it_has_there(kind: str, warm: int) -> None:
    text = MAIN.replace("warmup_steps = 0", f'warmup_steps = {warm}\nlr_scheduler = "{kind}"')
    schedule = read_text(text, "a file").preset.schedule
    low = 1e-6 / 2e-5
    for step in range(0, 1000, 7):
        done = max(0, step - warm) / 1000  # the curve begins after the warm-up, and is as long as the run
        curve = {"linear": 1 - done, "cosine": low + (1 - low) * (1 + math.cos(math.pi * done)) / 2}.get(kind, 1.0)
        wanted = (1 + step * (warm - 1) / warm) / warm if step < warm else curve
        assert schedule.factor(step, 1000) == pytest.approx(wanted, abs=0.05 if warm else 1e-6), step


def test_a_list_of_folders_alone_becomes_concepts() -> None:
    found = read_text(DATASET, "a file")
    assert [concept.repeats for concept in found.preset.concepts] == [5, 1]
    assert "model" not in found.values and "method" not in found.values


def test_without_an_adapter_it_is_a_full_fine_tune() -> None:
    text = MAIN.replace('[adapter]\ntype = "lora"\nrank = 32\n', "")
    assert read_text(text, "a file").preset.method.kind == "full"


def test_sdxl_has_a_rate_for_each_part() -> None:
    model = 'type = "sdxl"\nunet_lr = 4e-5\ntext_encoder_1_lr = 2e-5\ntext_encoder_2_lr = 0\nmin_snr_gamma = 5'
    preset = imported(MAIN, 'type = "qwen_image"', model).preset
    assert preset.training.denoiser.learning_rate == 4e-5
    assert [part.train for part in preset.training.text_encoders[:2]] == [True, False]
    assert preset.objective.min_snr_gamma == 5
