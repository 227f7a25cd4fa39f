"""The starter that ships: the right bytes, whole concepts, and a model that draws."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from safetensors import safe_open

from modules.system.files import sha256_of
from tests.starter.fixed_loss import concept_loss
from tests.starter.nearest import concept_share

STARTER = Path(__file__).resolve().parents[2] / "resources/starter"
MODEL = STARTER / "model"
# The learning tests count on this very model: a half-trained one already draws something like a robot by chance.
WEIGHTS = {
    "text_encoder/model.safetensors": "223f45a5fc053e10a5e6f429bcbf0ed6eacfd5be7f286b007b2bb1b7e2e7f1eb",
    "unet/diffusion_pytorch_model.safetensors": "c7c789198ed9f438fda0da3e13ed3830bd6f6c926e97c6cfd78ed5cb488612b3",
    "vae/diffusion_pytorch_model.safetensors": "e7f42abaac972eacc16d6af67a9af77d969cade830bd7101bc130da4849fbec9",
}
ROBOT_PROMPTS = [
    "blip robot",
    "blip robot with a red hat",
    "happy blip robot",
    "blip robot on a blue background",
    "blip robot on a green background",
    "sleepy blip robot",
    "red blip robot",
    "blip robot with a yellow flower",
]


@pytest.fixture(scope="module")
def pipeline() -> StableDiffusionPipeline:
    loaded = StableDiffusionPipeline.from_pretrained(MODEL, dtype=torch.float32, local_files_only=True)
    loaded.set_progress_bar_config(disable=True)
    return loaded


@pytest.fixture(scope="module")
def robots(pipeline: StableDiffusionPipeline) -> list[Image.Image]:
    return drawn(pipeline, ROBOT_PROMPTS)


def drawn(
    pipeline: StableDiffusionPipeline, prompts: list[str], first_seed: int = 0, steps: int = 10
) -> list[Image.Image]:
    chances = [torch.Generator().manual_seed(first_seed + i) for i in range(len(prompts))]
    return pipeline(
        prompts, num_inference_steps=steps, guidance_scale=3.0, height=128, width=128, generator=chances
    ).images


@pytest.mark.parametrize("file", WEIGHTS)
def test_the_weights_are_the_ones_the_licence_page_names(file: str) -> None:
    assert sha256_of(MODEL / file) == WEIGHTS[file]
    assert WEIGHTS[file] in (STARTER / "README.md").read_text(encoding="utf-8")


def test_the_model_is_small_and_stands_in_half_precision() -> None:
    assert sum((MODEL / file).stat().st_size for file in WEIGHTS) < 16e6
    for file in WEIGHTS:
        with safe_open(MODEL / file, "pt") as weights:
            assert {weights.get_slice(name).get_dtype() for name in weights.keys()} == {"F16"}  # noqa: SIM118


def test_every_name_in_the_text_encoder_has_its_prefix_once() -> None:
    with safe_open(MODEL / "text_encoder/model.safetensors", "pt") as weights:
        names = list(weights.keys())
    assert names and all(re.match(r"text_model\.(?!text_model\.)", name) for name in names)


@pytest.mark.parametrize(
    ("folder", "count", "word"), [("concepts/robot", 16, "robot"), ("concepts/blueprint", 20, "blueprint style")]
)
def test_every_picture_of_a_concept_has_a_caption_that_names_it(folder: str, count: int, word: str) -> None:
    captions = captions_in(STARTER / folder)
    assert len(captions) == count and all(word in caption for caption in captions)


def test_every_prior_picture_has_a_caption_and_none_is_of_a_concept() -> None:
    captions = captions_in(STARTER / "prior")
    assert len(captions) == 64 == len(set(captions))
    assert not any("robot" in caption or "blueprint" in caption for caption in captions)


def captions_in(folder: Path) -> list[str]:
    pictures = sorted(folder.glob("*.png"))
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.size == (128, 128)
    assert sorted(folder.glob("*.txt")) == [path.with_suffix(".txt") for path in pictures]
    captions = [path.with_suffix(".txt").read_text(encoding="utf-8").strip() for path in pictures]
    assert all(captions)
    return captions


def test_the_model_draws_what_it_is_asked_for(pipeline: StableDiffusionPipeline) -> None:
    [apple] = drawn(pipeline, ["red apple"], steps=8)
    assert apple.size == (128, 128)
    pixels = np.asarray(apple, np.float32) / 255
    assert pixels[:6].mean() > 0.8  # paper above it
    red, green, blue = pixels[60:100, 40:90].mean((0, 1))
    assert red > 0.7 and max(green, blue) < 0.4


def test_the_model_does_not_know_the_robot_yet(robots: list[Image.Image]) -> None:
    assert concept_share(robots, STARTER / "concepts/robot") <= 0.1


def test_the_model_knows_its_own_drawings_and_not_the_concepts(pipeline: StableDiffusionPipeline) -> None:
    assert concept_loss(pipeline, STARTER / "prior", draws=1) < 0.2
    assert concept_loss(pipeline, STARTER / "concepts/robot") == pytest.approx(1.027, abs=0.01)  # as the study measured
    assert concept_loss(pipeline, STARTER / "concepts/blueprint", draws=1) > 1.5


def test_the_latents_have_the_scale_that_the_config_claims(pipeline: StableDiffusionPipeline) -> None:
    paths = sorted((STARTER / "prior").glob("*.png"))
    pictures = np.stack([np.asarray(Image.open(path).convert("RGB"), np.float32) for path in paths])
    with torch.no_grad():
        batch = torch.from_numpy(pictures).permute(0, 3, 1, 2) / 127.5 - 1
        latents = pipeline.vae.encode(batch).latent_dist.mode() * pipeline.vae.config.scaling_factor
    assert latents.shape == (64, 4, 16, 16)
    # True over all training pictures; these 64 lack the coloured ones. Unscaled, the spread would be 5.5.
    assert latents.mean((0, 2, 3)).abs().max() < 0.4
    assert (latents.std((0, 2, 3)) - 1).abs().max() < 0.4


def test_both_licences_stand_beside_the_model() -> None:
    text = (STARTER / "LICENSES").read_text(encoding="utf-8")
    assert "Copyright (c) Microsoft Corporation" in text
    assert "Permission is hereby granted, free of charge" in text and "Apache-2.0" in text
