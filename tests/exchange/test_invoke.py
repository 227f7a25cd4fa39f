"""invoke-training's pipelines, against diffusers' schedules written anew."""

import math

import pytest

from modules.exchange.imported import Imported
from modules.exchange.reading import read_text

LORA = """
type: SDXL_LORA
seed: 1
base_output_dir: output/here
optimizer: {optimizer_type: AdamW, learning_rate: 7e-5}
lr_scheduler: constant_with_warmup
lr_warmup_steps: 50
data_loader:
  type: IMAGE_CAPTION_SD_DATA_LOADER
  dataset: {type: IMAGE_CAPTION_JSONL_DATASET, jsonl_path: data/list.jsonl}
  aspect_ratio_buckets: {target_resolution: 1024, start_dim: 512, end_dim: 1536, divisible_by: 128}
  caption_prefix: "a gnome, "
max_train_steps: 500
save_every_n_steps: 50
validate_every_n_epochs: 2
validation_prompts: [A gnome at the beach, A gnome reading]
"""


def imported(*lines: str, base: str = LORA) -> Imported:
    names = tuple(line.partition(":")[0] for line in lines)
    kept = [line for line in base.splitlines() if not line.startswith(names or "\0")]
    return read_text("\n".join((*kept, *lines)), "a file")


@pytest.mark.parametrize("kind", ["constant", "constant_with_warmup", "linear", "cosine", "polynomial"])
def test_each_step_has_the_rate_that_it_has_there(kind: str) -> None:
    preset = imported(f"lr_scheduler: {kind}").preset
    for step in range(0, 500, 7):
        left = 1 - max(0, step - 50) / 450
        fallen = {"linear": left, "cosine": (1 + math.cos(math.pi * (1 - left))) / 2, "polynomial": left}.get(kind, 1.0)
        wanted = (step + 1) / 50 if step < 50 and kind != "constant" else fallen
        assert preset.schedule.factor(step, 500) == pytest.approx(wanted, abs=2e-3), step


def test_a_pipeline_comes_to_what_it_means_there() -> None:
    preset = imported().preset
    method, training = preset.method.model_dump(), preset.training
    assert (preset.model.family, preset.model.source) == ("sdxl", "stabilityai/stable-diffusion-xl-base-1.0")
    assert (method["rank"], method["alpha"], method["conv"], method["conv_rank"]) == (4, 1.0, True, 4)
    assert (training.batch_size, training.steps, training.clip_gradients, training.learning_rate) == (4, 500, 0, 7e-5)
    assert (training.resolution, training.min_side, training.max_side, training.bucket_step) == (1024, 512, 1536, 128)
    assert training.text_encoders[0].train and training.text_encoders[1].train
    assert (preset.objective.weighting, preset.objective.min_snr_gamma) == ("min_snr", 5.0)
    concept = preset.concepts[0]
    assert (concept.path, concept.prefix, concept.caption_ending) == ("data/list.jsonl", "a gnome, ", ".text")
    assert (preset.backup.save_every, preset.sampling.every) == ("50 steps", "2 epochs")
    assert [prompt.prompt for prompt in preset.sampling.prompts] == ["A gnome at the beach", "A gnome reading"]


def test_null_switches_min_snr_off() -> None:
    assert imported("min_snr_gamma: null").preset.objective.weighting == "none"


def test_dreambooth_has_two_captions() -> None:
    loader = (
        "data_loader: {type: DREAMBOOTH_SD_DATA_LOADER, instance_caption: sks dog, class_caption: dog, "
        "instance_dataset: {dataset_dir: /a}, class_dataset: {dataset_dir: /b}, class_data_loss_weight: 0.5}"
    )
    kept = "\n".join(line for line in LORA.splitlines() if not line.startswith(("data_loader", "  ")))
    mine, others = imported(loader, base=kept).preset.concepts
    assert (mine.path, mine.prompt, others.kind, others.prompt) == ("/a", "sks dog", "class", "dog")
    assert others.loss_weight == 0.5


def test_an_embedding_has_its_word() -> None:
    more = "type: SDXL_TEXTUAL_INVERSION", "placeholder_token: gnome1", "initializer_token: gnome", "num_vectors: 2"
    preset = imported(*more).preset
    word = preset.words[0]
    assert (preset.method.kind, word.token, word.vectors, word.start) == ("embedding", "gnome1", 2, "gnome")


def test_flux_has_rates_of_its_own() -> None:
    preset = imported("type: FLUX_LORA").preset
    assert (preset.model.family, preset.training.denoiser.learning_rate) == ("flux1", 4e-4)
    assert (preset.objective.times.kind, preset.objective.times.shift) == ("logit_normal", 3.0)
