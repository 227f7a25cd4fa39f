"""Samples that begin with an image, or with a mask: as diffusers' own pipelines draw them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import StableDiffusionImg2ImgPipeline
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_inpaint import StableDiffusionInpaintPipeline
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_heun_discrete import HeunDiscreteScheduler
from PIL import Image
from torch import Tensor

from modules.diffusion.noise_schedule import RectifiedFlow
from modules.diffusion.solvers import InitLatents, denoise
from modules.errors import UserError
from modules.families import Family, LoadOptions, family_class
from modules.preset.sections.sampling import Prompt
from modules.trainer.sampling.init_image import init_image
from modules.trainer.sampling.sampler import Sampler, starting_noise
from tests.tiny import SMALLEST, tiny_sd

SCHEDULERS: dict[str, Any] = {
    "euler": EulerDiscreteScheduler, "heun": HeunDiscreteScheduler, "dpmpp_2m": DPMSolverMultistepScheduler,
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, an image and a mask whose right half is white."""
    folder = tmp_path_factory.mktemp("place")
    tiny_sd(folder / "model", unet=SMALLEST)
    chance = np.random.default_rng(1)
    Image.fromarray(chance.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(folder / "image.png")
    mask = np.zeros((64, 64), dtype=np.uint8)
    mask[:, 32:] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    return folder


@pytest.fixture
def family(place: Path) -> Family:
    return family_class("sd").load(str(place / "model"), LoadOptions())


@pytest.fixture
def latents_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Family, list[Prompt]], Tensor]:
    def drawn(family: Family, prompts: list[Prompt]) -> Tensor:
        seen: list[Tensor] = []
        look = lambda latents: seen.append(latents) or torch.zeros(len(latents), 3, 8, 8)  # noqa: E731
        monkeypatch.setattr(family, "decode_image", look)
        list(Sampler(family, 64, cache_texts=True).draw(prompts))
        return torch.cat(seen)

    return drawn


def prompt(**settings: Any) -> Prompt:
    held = {"prompt": "a robot", "negative": "fog", "width": 64, "height": 64, "steps": 8, "guidance": 5.0}
    return Prompt.model_validate({**held, "sampler": "euler", **settings})


def pipe_of(kind: Any, place: Path, sampler: str) -> Any:
    loaded = StableDiffusionImg2ImgPipeline.from_pretrained(place / "model", safety_checker=None, local_files_only=True)
    pipe = kind(**loaded.components, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    config = SCHEDULERS[sampler].load_config(place / "model", subfolder="scheduler")
    pipe.scheduler = SCHEDULERS[sampler].from_config(config, timestep_spacing="trailing")
    with torch.no_grad():  # they draw from the VAE, we take its mean: without a spread both are the same
        pipe.vae.quant_conv.weight[4:] = 0
        pipe.vae.quant_conv.bias[4:] = -60
    return pipe


def theirs(pipe: Any, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Tensor:
    """With the noise that ours begins with."""
    module = type(pipe).__module__
    monkeypatch.setattr(f"{module}.randn_tensor", lambda *_, **__: starting_noise(42, 4, (8, 8)))
    asked = {"negative_prompt": "fog", "num_inference_steps": 8, "guidance_scale": 5.0}
    return pipe("a robot", output_type="latent", generator=torch.Generator(), **asked, **more).images


@pytest.mark.parametrize("sampler", SCHEDULERS)
@pytest.mark.parametrize("strength", [0.3, 0.75, 1.0])
def test_an_image_is_drawn_anew_as_diffusers_does(
    sampler: str, strength: float, place: Path, family: Family, latents_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = pipe_of(StableDiffusionImg2ImgPipeline, place, sampler)
    with Image.open(place / "image.png") as image:
        expected = theirs(pipe, monkeypatch, image=image.copy(), strength=strength)
    found = latents_of(family, [prompt(sampler=sampler, image=str(place / "image.png"), strength=strength)])
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("strength", [0.75, 1.0])
def test_a_plain_model_fills_a_mask_as_diffusers_does(
    strength: float, place: Path, family: Family, latents_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = pipe_of(StableDiffusionInpaintPipeline, place, "euler")
    with Image.open(place / "image.png") as image, Image.open(place / "mask.png") as mask:
        given_to_it = {"image": image.copy(), "mask_image": mask.copy(), "height": 64, "width": 64}
        expected = theirs(pipe, monkeypatch, strength=strength, **given_to_it)
    files = {"image": str(place / "image.png"), "mask": str(place / "mask.png")}
    found = latents_of(family, [prompt(strength=strength, **files)])
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=2e-3)
    clean = family.encode_image(init_image(prompt(**files)).pixels_13HW)
    assert torch.equal(found[..., :4], clean[..., :4]), "what is black in the mask stays as it is"
    assert not torch.allclose(found[..., 4:], clean[..., 4:], atol=0.1)


def test_an_inpainting_model_is_shown_mask_and_image(
    place: Path, tmp_path: Path, latents_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = family_class("sd").load(str(tiny_sd(tmp_path, unet={**SMALLEST, "in_channels": 9})), LoadOptions())
    shown: list[Tensor] = []
    predict = family.predict
    monkeypatch.setattr(family, "predict", lambda x, t, c: shown.append(c.inpaint_BChw) or predict(x, t, c))
    files = {"image": str(place / "image.png"), "mask": str(place / "mask.png")}
    latents_of(family, [prompt(strength=1.0, **files), prompt(strength=1.0, seed=1, **files)])
    assert shown[0].shape == (4, 5, 8, 8)
    assert torch.equal(shown[0][0], shown[0][2]), "the same for prompt and negative prompt"
    held = init_image(prompt(**files))
    assert torch.equal(shown[0][0, 0, :, :4], torch.zeros(8, 4)) and bool((shown[0][0, 0, :, 4:] == 1).all())
    masked = family.encode_image(held.pixels_13HW * (1 - held.mask_11HW))[0]
    torch.testing.assert_close(shown[0][0, 1:], masked, rtol=1e-4, atol=1e-4)
    shown.clear()
    latents_of(family, [prompt()])
    assert bool((shown[0][:, 0] == 1).all()), "nothing is given: all of it is to be painted"


def test_a_flow_begins_with_an_image_too() -> None:
    clean, other = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8)
    noise, chance = starting_noise(1, 4, (8, 8)), [torch.Generator()]
    seen: list[float] = []

    def towards(noisy: Tensor, time_B: Tensor) -> Tensor:
        seen.append(float(time_B[0]))
        return (noisy - other) / (time_B.reshape(-1, 1, 1, 1) / 1000)

    for solver in ("euler", "heun", "dpmpp_2m"):
        seen.clear()
        found = denoise(
            towards,
            RectifiedFlow(),
            noise,
            solver=solver,
            steps=10,
            generators=chance,
            init_latents=InitLatents(clean, 0.5),
        )
        torch.testing.assert_close(found, other, rtol=0, atol=0.05)
        assert 400 < seen[0] < 600


def test_an_image_of_another_shape_is_cut_to_the_sample(tmp_path: Path) -> None:
    Image.new("RGB", (200, 50), "red").save(tmp_path / "wide.png")
    held = init_image(prompt(image=str(tmp_path / "wide.png"), width=64, height=96))
    assert held.pixels_13HW.shape == (1, 3, 96, 64)
    assert held.mask_11HW is None
    assert init_image(prompt()) is None


def test_what_comes_with_seachange_can_be_the_image() -> None:
    held = init_image(prompt(image="starter:robot/" + next(iter(_robots()))))
    assert held is not None
    with pytest.raises(UserError, match="not among the things"):
        init_image(prompt(image="starter:robot/../../../LICENSE"))


def _robots() -> list[str]:
    from modules.system.bundled import resolve

    return sorted(path.name for path in resolve("starter:robot").iterdir() if path.suffix in (".png", ".jpg", ".webp"))


def test_one_image_that_is_missing_is_said_and_the_others_are_drawn(place: Path, family: Family) -> None:
    wanted = [prompt(steps=1), prompt(steps=1, image=str(place / "gone.png")), prompt(steps=1, seed=2)]
    said: list[str] = []
    made = list(Sampler(family, 64, cache_texts=True).draw(wanted, failed=lambda p, e: said.append(str(e))))
    assert [sample.number for sample in made] == [1, 3]
    assert len(said) == 1 and "gone.png does not exist" in said[0]
    with pytest.raises(UserError, match="does not exist"):
        list(Sampler(family, 64, cache_texts=True).draw(wanted))


def test_neighbours_change_nothing_whatever_they_begin_with(place: Path, family: Family, latents_of) -> None:
    Image.new("RGB", (64, 64), "blue").save(place / "blue.png")
    files = {"mask": str(place / "mask.png"), "strength": 0.8, "guidance_rescale": 0.5, "perturbation": "pag"}
    both = [
        prompt(image=str(place / "image.png"), **files),
        prompt(
            image=str(place / "blue.png"), seed=9, prompt="a (long caption:1.4) about a small boat on the sea", **files
        ),
    ]
    together = latents_of(family, both)
    alone = torch.cat([latents_of(family, [each]) for each in both])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)
