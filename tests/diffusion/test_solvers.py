"""The samplers draw what diffusers' own pipelines draw with the same weights, noise and settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import StableDiffusionXLPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_ancestral_discrete import EulerAncestralDiscreteScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_heun_discrete import HeunDiscreteScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from torch import Tensor

from modules.diffusion.noising import Eps, V
from modules.diffusion.solvers import SOLVERS, denoise, scheduler_for
from modules.errors import UserError
from modules.families import Family, LoadOptions, family_class
from modules.preset.sampling import Prompt
from modules.system.seeds import seed_of
from modules.trainer.sampler import Sampler, starting_noise
from tests.tiny import tiny_sd, tiny_sdxl

# Written down once more, on purpose: a slip in SOLVERS shall not be repeated here.
THEIRS: dict[str, tuple[Any, dict[str, Any]]] = {
    "ddim": (DDIMScheduler, {"set_alpha_to_one": True, "clip_sample": False}),
    "euler": (EulerDiscreteScheduler, {}),
    "euler_a": (EulerAncestralDiscreteScheduler, {}),
    "heun": (HeunDiscreteScheduler, {}),
    "dpmpp_2m": (DPMSolverMultistepScheduler, {}),
    "dpmpp_2m_karras": (DPMSolverMultistepScheduler, {"use_karras_sigmas": True}),
    "dpmpp_2m_sde_karras": (
        DPMSolverMultistepScheduler,
        {"use_karras_sigmas": True, "algorithm_type": "sde-dpmsolver++"},
    ),
    "unipc": (UniPCMultistepScheduler, {}),
}
OBJECTIVES: dict[str, dict[str, Any]] = {
    "eps": {"prediction_type": "epsilon"},
    "v": {"prediction_type": "v_prediction"},
    "v, zero terminal SNR": {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True},
}
STEPS = 4


@pytest.fixture(scope="module", params=OBJECTIVES.values(), ids=OBJECTIVES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Family, Any]:
    """A family and diffusers' pipeline of the same files."""
    folder = tiny_sd(tmp_path_factory.mktemp("model"), **request.param)
    pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    return family_class("sd").load(str(folder), LoadOptions()), pipe


@pytest.fixture
def latents_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Family, list[Prompt]], Tensor]:
    """What a sampler hands to the VAE."""

    def drawn(family: Family, prompts: list[Prompt]) -> Tensor:
        seen: list[Tensor] = []

        def look(latents: Tensor) -> Tensor:
            seen.append(latents)
            return torch.zeros(len(latents), 3, 8, 8)

        monkeypatch.setattr(family, "decode_image", look)
        list(Sampler(family, 64, keep_texts=False).draw(prompts))
        return torch.cat(seen)

    return drawn


def prompt(sampler: str, **settings: Any) -> Prompt:
    held = {"prompt": "a robot", "negative": "fog", "width": 64, "height": 64, "steps": STEPS, "guidance": 5.0}
    return Prompt.model_validate({**held, "sampler": sampler, **settings})


def theirs(pipe: Any, name: str, wanted: Prompt, size: tuple[int, int] = (8, 8)) -> Tensor:
    kind, settings = THEIRS[name]
    config = kind.load_config(pipe.name_or_path, subfolder="scheduler")  # fresh: the last sampler's own would stay
    pipe.scheduler = kind.from_config(config, timestep_spacing="trailing", **settings)
    return pipe(
        wanted.prompt,
        negative_prompt=wanted.negative,
        num_inference_steps=wanted.steps,
        guidance_scale=wanted.guidance,
        width=wanted.width,
        height=wanted.height,
        latents=starting_noise(wanted.seed, 4, size),
        generator=torch.Generator().manual_seed(seed_of(wanted.seed, "on the way")),
        output_type="latent",
    ).images


@pytest.mark.parametrize("name", SOLVERS)
def test_a_sampler_draws_what_diffusers_draws(name: str, model: tuple[Family, Any], latents_of) -> None:
    family, pipe = model
    if name == "heun" and family.noising.zero_terminal_snr:
        with pytest.raises(UserError, match="Heun cannot draw with this model"):
            scheduler_for(name, family.noising)
        return
    wanted = prompt(name)
    expected, found = theirs(pipe, name, wanted), latents_of(family, [wanted])
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_sdxl_and_oblong_pictures_are_drawn_alike_too(tmp_path: Path, latents_of) -> None:
    folder = tiny_sdxl(tmp_path)
    pipe = StableDiffusionXLPipeline.from_pretrained(folder, local_files_only=True, add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)
    wanted = prompt("euler", width=72, height=104)
    found = latents_of(family_class("sdxl").load(str(folder), LoadOptions()), [wanted])
    torch.testing.assert_close(found, theirs(pipe, "euler", wanted, (13, 9)), rtol=1e-3, atol=1e-3)


def test_without_guidance_the_negative_prompt_is_not_heard(model: tuple[Family, Any], latents_of) -> None:
    family, pipe = model
    one = latents_of(family, [prompt("ddim", guidance=1.0)])
    other = latents_of(family, [prompt("ddim", guidance=1.0, negative="rain")])
    assert torch.equal(one, other)
    torch.testing.assert_close(one, theirs(pipe, "ddim", prompt("ddim", guidance=1.0)), rtol=1e-3, atol=1e-3)
    assert not torch.equal(latents_of(family, [prompt("ddim")]), latents_of(family, [prompt("ddim", negative="rain")]))


@pytest.mark.parametrize("name", SOLVERS)
def test_an_image_does_not_depend_on_its_neighbours(name: str, tmp_path: Path, latents_of) -> None:
    family = family_class("sd").load(str(tiny_sd(tmp_path)), LoadOptions())
    both = [prompt(name, seed=1), prompt(name, seed=2, prompt="a long caption about a small boat on the wide sea")]
    together = latents_of(family, both)
    alone = torch.cat([latents_of(family, [each]) for each in both])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=0.1)


@pytest.mark.parametrize("noising", [Eps(), V(), V(zero_terminal_snr=True)], ids=["eps", "v", "zero terminal SNR"])
@pytest.mark.parametrize("name", [name for name in SOLVERS if name != "heun"])
def test_who_knows_the_image_is_led_straight_to_it(name: str, noising: Eps) -> None:
    """A denoiser that answers truthfully for one clean image ends there, whatever the path."""
    clean = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))

    def truth(noisy: Tensor, time_B: Tensor) -> Tensor:
        alpha, sigma = noising.levels(time_B.long())
        noise = (noisy - alpha * clean) / sigma
        return noising.target(clean, noise, time_B.long())

    chance = [torch.Generator().manual_seed(1)]
    found = denoise(truth, noising, starting_noise(5, 4, (8, 8)), solver=name, steps=20, generators=chance)
    torch.testing.assert_close(found, clean, rtol=0, atol=0.06)


def test_every_step_is_told() -> None:
    told: list[int] = []
    noise, chance = torch.zeros(1, 4, 8, 8), [torch.Generator()]
    denoise(lambda x, t: x, Eps(), noise, solver="euler", steps=3, generators=chance, step_done=told.append)
    assert told == [1, 2, 3]


def test_the_schema_offers_every_sampler_that_there_is() -> None:
    from typing import get_args

    from modules.preset.sampling import SamplerName

    assert set(get_args(SamplerName)) == set(SOLVERS)
