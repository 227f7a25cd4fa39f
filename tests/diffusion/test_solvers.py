"""The samplers draw what diffusers' own pipelines draw with the same weights, noise and settings."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import mpmath  # comes with torch, by way of sympy
import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import StableDiffusionXLPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_dpmsolver_singlestep import DPMSolverSinglestepScheduler
from diffusers.schedulers.scheduling_euler_ancestral_discrete import EulerAncestralDiscreteScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_heun_discrete import HeunDiscreteScheduler
from diffusers.schedulers.scheduling_k_dpm_2_ancestral_discrete import KDPM2AncestralDiscreteScheduler
from diffusers.schedulers.scheduling_k_dpm_2_discrete import KDPM2DiscreteScheduler
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from diffusers.schedulers.scheduling_pndm import PNDMScheduler
from diffusers.schedulers.scheduling_tcd import TCDScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from torch import Tensor

from modules.diffusion.noise_schedule import EpsilonPrediction, VPrediction
from modules.diffusion.solvers import SOLVERS, denoise, scheduler_for
from modules.diffusion.spacings import SPACINGS, _beta_sums, beta, exponential, karras
from modules.errors import UserError
from modules.families import Family, LoadOptions, family_class
from modules.preset.rules.training import FIRST_ORDER
from modules.preset.sections import sampling
from modules.preset.sections.sampling import Prompt
from modules.system.seeds import seed_of
from modules.trainer.sampling.sampler import Sampler, starting_noise
from tests.tiny import SMALLEST, tiny_sd, tiny_sdxl

# Written down once more, on purpose: a slip in SOLVERS shall not be repeated here.
TRAILING = {"timestep_spacing": "trailing"}
SDE = {"algorithm_type": "sde-dpmsolver++"}
THEIRS: dict[str, tuple[Any, dict[str, Any]]] = {
    "ddim": (DDIMScheduler, {"set_alpha_to_one": True, "clip_sample": False}),
    "pndm": (PNDMScheduler, {"set_alpha_to_one": True, "skip_prk_steps": True}),
    "euler": (EulerDiscreteScheduler, {}),
    "euler_a": (EulerAncestralDiscreteScheduler, {}),
    "heun": (HeunDiscreteScheduler, {}),
    "dpm2": (KDPM2DiscreteScheduler, {}),
    "dpm2_a": (KDPM2AncestralDiscreteScheduler, {}),
    "dpmpp_2m": (DPMSolverMultistepScheduler, {}),
    "dpmpp_2m_sde": (DPMSolverMultistepScheduler, SDE),
    "dpmpp_3m_sde": (DPMSolverMultistepScheduler, {**SDE, "solver_order": 3}),
    "dpmpp_sde": (DPMSolverSinglestepScheduler, {**SDE, "final_sigmas_type": "zero", "lower_order_final": True}),
    "unipc": (UniPCMultistepScheduler, {}),
    "lcm": (LCMScheduler, {"set_alpha_to_one": True, "clip_sample": False}),
    "tcd": (TCDScheduler, {"set_alpha_to_one": True, "clip_sample": False}),
}
ALIKE = sorted(THEIRS)  # theirs needs scipy for LMS: that one is tested below, by its formula
OBJECTIVES: dict[str, dict[str, Any]] = {
    "eps": {"prediction_type": "epsilon"},
    "v": {"prediction_type": "v_prediction"},
    "v, zero terminal SNR": {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True},
}
STEPS = 4
NEED_NOISE = {"heun", "dpm2", "dpm2_a", "dpmpp_sde", "pndm", "lms"}  # which cannot begin at pure noise


@pytest.fixture(scope="module", params=OBJECTIVES.values(), ids=OBJECTIVES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Family, Any]:
    """A family and diffusers' pipeline of the same files."""
    folder = tiny_sd(tmp_path_factory.mktemp("model"), unet=SMALLEST, **request.param)
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
        list(Sampler(family, 64, cache_texts=False).draw(prompts))
        return torch.cat(seen)

    return drawn


def prompt(sampler: str, **settings: Any) -> Prompt:
    held = {"prompt": "a robot", "negative": "fog", "width": 64, "height": 64, "steps": STEPS, "guidance": 5.0}
    return Prompt.model_validate({**held, "sampler": sampler, **settings})


def theirs(
    pipe: Any,
    name: str,
    wanted: Prompt,
    size: tuple[int, int] = (8, 8),
    settings: dict[str, Any] = TRAILING,
    **more: Any,
) -> Tensor:
    kind, own = THEIRS[name]
    config = kind.load_config(pipe.name_or_path, subfolder="scheduler")  # fresh: the last sampler's own would stay
    pipe.scheduler = kind.from_config(config, **settings, **own)
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
        **more,
    ).images


@pytest.mark.parametrize("name", ALIKE)
def test_a_sampler_draws_what_diffusers_draws(name: str, model: tuple[Family, Any], latents_of) -> None:
    family, pipe = model
    if name in NEED_NOISE and family.noise_schedule.zero_terminal_snr:
        with pytest.raises(UserError, match="does not work with this model"):
            scheduler_for(name, family.noise_schedule)
        return
    wanted = prompt(name)
    more = {"eta": 0.3} if name == "tcd" else {}  # of the paper; the pipeline says 0 to all
    expected, found = theirs(pipe, name, wanted, **more), latents_of(family, [wanted])
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


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    return family_class("sd").load(str(tiny_sd(tmp_path_factory.mktemp("model"), unet=SMALLEST)), LoadOptions())


@pytest.mark.parametrize("name", SOLVERS)
def test_an_image_does_not_depend_on_its_neighbours(name: str, family: Family, latents_of) -> None:
    both = [prompt(name, seed=1), prompt(name, seed=2, prompt="a long caption about a small boat on the wide sea")]
    together = latents_of(family, both)
    alone = torch.cat([latents_of(family, [each]) for each in both])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=0.1)


@pytest.mark.parametrize(
    "noise_schedule",
    [EpsilonPrediction(), VPrediction(), VPrediction(zero_terminal_snr=True)],
    ids=["eps", "v", "zero terminal SNR"],
)
@pytest.mark.parametrize("name", SOLVERS)
def test_who_knows_the_image_is_led_straight_to_it(name: str, noise_schedule: EpsilonPrediction) -> None:
    """A denoiser that answers truthfully for one clean image ends there, whatever the path."""
    clean = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))

    def truth(noisy: Tensor, time_B: Tensor) -> Tensor:
        alpha, sigma = noise_schedule.alpha_sigma(time_B.long())
        noise = (noisy - alpha * clean) / sigma
        return noise_schedule.target(clean, noise, time_B.long())

    if name in NEED_NOISE and noise_schedule.zero_terminal_snr:
        return
    chance = [torch.Generator().manual_seed(1)]
    found = denoise(truth, noise_schedule, starting_noise(5, 4, (8, 8)), solver=name, steps=20, generators=chance)
    torch.testing.assert_close(found, clean, rtol=0, atol=0.1 if name == "tcd" else 0.06)


def test_every_step_is_told() -> None:
    told: list[int] = []
    noise, chance = torch.zeros(1, 4, 8, 8), [torch.Generator()]
    denoise(
        lambda x, t: x, EpsilonPrediction(), noise, solver="euler", steps=3, generators=chance, step_done=told.append
    )
    assert told == [1, 2, 3]


@pytest.mark.parametrize("spacing", ["karras", "uniform", "leading", "exponential"])
@pytest.mark.parametrize("name", ["dpmpp_2m", "unipc"])
def test_a_spacing_draws_what_diffusers_draws(name: str, spacing: str, model: tuple[Family, Any], latents_of) -> None:
    family, pipe = model
    told = {"karras": {"use_karras_sigmas": True}, "exponential": {"use_exponential_sigmas": True}}
    even = {"uniform": "linspace"}.get(spacing, "leading")
    wanted = prompt(name, spacing=spacing)
    settings = told.get(spacing) or {"timestep_spacing": even, "steps_offset": 1}
    found = latents_of(family, [wanted])
    if spacing == "exponential":  # theirs does not round the times it asks for; ours does, as with Karras
        assert not torch.allclose(found, latents_of(family, [prompt(name)]), atol=0.05)
        return
    torch.testing.assert_close(found, theirs(pipe, name, wanted, settings=settings), rtol=1e-3, atol=1e-3)


def test_the_curves_are_those_of_the_papers() -> None:
    sigmas_N = np.geomspace(14.6, 0.03, 1000)
    steps = 11
    ramp = [i / (steps - 1) for i in range(steps)]
    theirs = [(14.6 ** (1 / 7) + r * (0.03 ** (1 / 7) - 14.6 ** (1 / 7))) ** 7 for r in ramp]
    np.testing.assert_allclose(karras(sigmas_N, steps), theirs, rtol=1e-6)
    np.testing.assert_allclose(exponential(sigmas_N, steps), [14.6 * (0.03 / 14.6) ** r for r in ramp], rtol=1e-6)
    shares, places = _beta_sums(0.6)
    for share in (0.05, 0.25, 0.5, 0.9):
        place = float(np.interp(share, shares, places))
        assert float(mpmath.betainc(0.6, 0.6, 0, place, regularized=True)) == pytest.approx(share, abs=1e-6)
    assert beta(sigmas_N, 4)[0] == pytest.approx(14.6)
    assert beta(sigmas_N, 4)[2] == pytest.approx(sigmas_N[999 - round(999 * 0.5)])


def test_every_spacing_ends_in_the_picture_or_is_refused() -> None:
    noise_schedule, clean = EpsilonPrediction(), torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))

    def truth(noisy: Tensor, time_B: Tensor) -> Tensor:
        alpha, sigma = noise_schedule.alpha_sigma(time_B.round().long())
        return (noisy - alpha * clean) / sigma

    refused: set[tuple[str, str]] = set()
    for name, spacing in product(SOLVERS, SPACINGS):
        chance, noise = [torch.Generator().manual_seed(1)], starting_noise(5, 4, (8, 8))
        try:
            found = denoise(truth, noise_schedule, noise, solver=name, spacing=spacing, steps=12, generators=chance)
        except UserError as error:
            assert "Set the spacing to default" in str(error)
            refused.add((name, spacing))
            continue
        torch.testing.assert_close(found, clean, rtol=0, atol=0.3 if name in ("pndm", "tcd") else 0.06)
    assert {"lcm", "tcd"} <= {name for name, _ in refused}
    assert ("euler_a", "karras") in refused
    assert not {"euler", "heun", "dpm2", "lms", "dpmpp_2m", "unipc"} & {name for name, _ in refused}


def test_lms_weighs_its_answers_as_the_integral_says() -> None:
    scheduler = scheduler_for("lms", EpsilonPrediction())
    scheduler.set_timesteps(8)
    sigmas = scheduler.sigmas.double()
    points = torch.linspace(0, 1, 200_001, dtype=torch.float64)
    tau = sigmas[4] + (sigmas[5] - sigmas[4]) * points
    for current in range(4):
        product_of = torch.ones_like(tau)
        for k in (k for k in range(4) if k != current):
            product_of *= (tau - sigmas[4 - k]) / (sigmas[4 - current] - sigmas[4 - k])
        area = torch.trapezoid(product_of, tau)
        assert scheduler.get_lms_coefficient(4, 4, current) == pytest.approx(float(area), rel=1e-6)


def test_more_steps_than_a_distilled_model_was_taught_are_drawn_all_the_same() -> None:
    noise, chance = torch.zeros(1, 4, 8, 8), [torch.Generator()]
    assert (
        denoise(lambda x, t: x, EpsilonPrediction(), noise, solver="lcm", steps=60, generators=chance).isfinite().all()
    )


def test_the_schema_offers_every_sampler_and_spacing_that_there_is() -> None:
    assert {name: solver.title for name, solver in SOLVERS.items()} == sampling.SAMPLERS
    assert {name: spacing.title for name, spacing in SPACINGS.items()} == sampling.SPACINGS
    assert {name for name, solver in SOLVERS.items() if solver.first_order} == set(FIRST_ORDER)
