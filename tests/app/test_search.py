"""The search of the window and the command line: by our names, and by those of other programs."""

import csv
import re

import pytest

from app.search.not_settings import NOTES
from app.search.search import find, search
from app.search.words import stem, words_of
from modules.preset.validate import all_settings
from modules.system.bundled import ROOT

with (ROOT / "tests/app/names_elsewhere.tsv").open(encoding="utf-8", newline="") as file:
    ELSEWHERE = [tuple(row.values()) for row in csv.DictReader(file, delimiter="\t")]

# What people type, and what they mean; the names in the list of other programs are not repeated here.
MEANT = {
    "gradient accumulation": "training.accumulation",
    "gradient clipping": "training.clip_gradients",
    "clip gradients": "training.clip_gradients",
    "clipping": "training.clip_gradients",
    "learning rates": "training.learning_rate",
    "network dim": "method.rank",
    "network alpha": "method.alpha",
    "lr scheduler": "schedule.kind",
    "warmup ratio": "schedule.warmup",
    "textual inversion": "words",
    "token length": "model.max_chunks",
    "VRAM": "training.gradient_checkpointing",
    "unet": "training.denoiser.train",
    "cache latents": "concepts.0.variants",
    "mixed precision": "model.dtype",
    "bf16": "model.dtype",
    "NaN": "training.guards.enabled",
    "flip aug": "concepts.0.flip",
    "timestep": "objective.times.kind",
    "timestep bias": "objective.times.kind",
    "sigmoid": "objective.times.kind",
    "prior preservation": "prior.weight",
    "class images": "prior.made.count",
    "regularization images": "concepts.0.kind",
    "regularisation": "concepts.0.kind",
    "save every n epochs": "backup.save_every",
    "resume": "backup.every",
    "bucket": "training.buckets",
    "multires noise": "objective.noise.pyramid_levels",
    "huber loss": "objective.loss.huber",
    "DoRA": "method.dora",
    "LoCon": "method.conv",
    "block lr": "method.groups",
    "stop text encoder": "training.text_encoder_1.stop_after",
    "TE learning rate": "training.text_encoder_1.learning_rate",
    "text encoder": "training.text_encoder_1.train",
    "sample every n steps": "sampling.every",
    "CFG": "sampling.prompts.0.guidance",
    "img2img strength": "sampling.prompts.0.strength",
    "prodigy": "optimizer.kind",
    "adamw 8bit": "optimizer.kind",
    "min snr": "objective.weighting",
    "v prediction": "objective.prediction",
    "lokr": "method.kind",
    "rectified flow": "objective.prediction",
    "euler a": "sampling.prompts.0.sampler",
    "karras": "sampling.prompts.0.spacing",
    "overfitting": "validation.enabled",
    "early stopping": "validation.patience",
    "how many steps": "training.steps",
    "number of epochs": "training.epochs",
    "gpu": "general.device",
    "colour jitter": "concepts.0.brightness",
    "dreambooth": "method.kind",
    "learningRate": "training.learning_rate",
    "--gradient_accumulation_steps": "training.accumulation",
    "gradientAccumulationSteps": "training.accumulation",
    "minsnrgamma": "objective.min_snr_gamma",
    "training.ema_decay": "training.ema_decay",
}
FIRST = {
    "learning rate": "training.learning_rate",
    "seed": "general.seed",
    "Batch": "training.batch_size",
    "rank": "method.rank",
    "steps": "training.steps",
    "resolution": "training.resolution",
    "scheduler": "schedule.kind",
    "weight decay": "optimizer.weight_decay",
    "clip skip": "model.clip_skip",
    "prefix": "concepts.0.prefix",
}


def paths(query: str, at_most: int = 3) -> list[str]:
    return [hit.setting.path for hit in find(query).hits[:at_most]]


def test_what_another_program_calls_it_finds_it() -> None:
    missed = [(program, name, path) for program, name, path in ELSEWHERE if path not in paths(name)]
    assert missed == []


@pytest.mark.parametrize(("query", "path"), MEANT.items())
def test_what_people_type_finds_what_they_mean(query: str, path: str) -> None:
    assert path in paths(query)


@pytest.mark.parametrize(("query", "path"), FIRST.items())
def test_what_is_meant_first_comes_first(query: str, path: str) -> None:
    assert paths(query)[0] == path


@pytest.mark.parametrize(
    "query", ["xformers", "deepspeed", "activation_offloading", "svdquant", "wandb", "Hires fix", "LoRA-FA"]
)
def test_what_there_is_no_setting_for_is_said_plainly(query: str) -> None:
    found = find(query)
    assert found.hits == []
    assert found.note


def test_what_is_done_elsewhere_is_said_with_the_setting_that_is_near() -> None:
    found = find("resume_from_checkpoint")
    assert "--resume" in found.note
    assert found.hits[0].setting.path == "backup.every"
    assert "general.seed" not in paths("resume", 40), "that its help holds the word helps nobody"


def test_a_name_without_a_setting_is_no_name_of_one() -> None:
    """As soon as there is a setting for it, the note is wrong."""
    ours = {words for setting in all_settings() for words in map(str, map(words_of, (setting.label, *setting.aliases)))}
    shared = {name for names in NOTES for name in names.split(", ") if str(words_of(name)) in ours}
    assert shared <= {"resume", "resume_from_checkpoint", "continue_last_backup"}, "these have both"


def test_notes_name_settings_that_exist() -> None:
    known = {setting.path for setting in all_settings()}
    sections = {path.partition(".")[0] for path in known}
    named = [path for note in NOTES.values() for path in re.findall(r"\b[a-z]+\.[a-z_.]*[a-z_]", note)]
    assert {path for path in named if path.partition(".")[0] in sections} - known == set()


def test_junk_finds_nothing() -> None:
    assert paths("learning bananas") == []
    assert paths("bananas") == []
    assert find("  ").hits == []
    assert find("...").hits == []


def test_words_of_the_help_are_found_last() -> None:
    found = [hit.setting.path for hit in search("snr")]
    assert found.index("objective.min_snr_gamma") < found.index("sampling.prompts.0.guidance_rescale")


def test_every_setting_is_found_by_its_label_and_none_twice() -> None:
    for setting in all_settings():
        found = [hit.setting.path for hit in search(setting.label, at_most=500)]
        assert setting.path in found, setting.path
        assert len(found) == len(set(found))


def test_every_alias_finds_its_setting_among_the_first() -> None:
    """Several settings may share one, as the settings of colours share "color jitter"."""
    for setting in all_settings():
        for alias in setting.aliases:
            assert setting.path in [hit.setting.path for hit in search(alias)[:6]], (setting.path, alias)


@pytest.mark.parametrize(
    ("one", "other"),
    [("clip", "clipping"), ("rate", "rates"), ("batch", "batches"), ("train", "training"), ("normalise", "normalize"),
     ("colour", "colors"), ("accumulate", "accumulates"), ("probability", "probabilities"), ("sample", "sampling")],
)  # fmt: skip
def test_words_that_differ_by_their_ending_are_one(one: str, other: str) -> None:
    assert stem(one) == stem(other)
