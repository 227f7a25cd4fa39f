"""Rectified flow on Stable Diffusion's U-Nets: the line, its loss, its samplers, and the files that say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

from modules.diffusion.noise_schedule import EpsilonPrediction, RectifiedFlow
from modules.diffusion.solvers import SOLVERS, denoise, scheduler_for
from modules.errors import UserError
from modules.families import Family, LoadOptions, family_class
from modules.preset.sections.objective import Objective
from modules.sentences.render import PLAIN
from modules.trainer.step.noise_and_loss import item_losses
from tests.tiny import tiny_sd, tiny_sdxl

MAKERS = {"sd": tiny_sd, "sdxl": tiny_sdxl}


def opened(kind: str, path: Path, **options: Any) -> Family:
    return family_class(kind).load(str(path), LoadOptions(**options))


def saved(family: Family, path: Path, *, single_file: bool) -> Path:
    family.save(
        path, single_file=single_file, dtype=torch.float32, parts=family.component_names, metadata={}, tensors={}
    )
    return path


def test_the_line_is_that_of_diffusers_scheduler() -> None:
    scheduler, noise_schedule = FlowMatchEulerDiscreteScheduler(), RectifiedFlow()
    clean, noise = torch.randn(3, 4, 8, 8), torch.randn(3, 4, 8, 8)
    times_B = scheduler.timesteps[torch.tensor([10, 500, 990])]
    theirs = scheduler.scale_noise(clean, times_B, noise)
    torch.testing.assert_close(noise_schedule.add_noise(clean, noise, times_B), theirs, rtol=1e-6, atol=1e-6)
    assert torch.equal(noise_schedule.target(clean, noise, times_B), noise - clean)


def test_a_weighting_is_worth_the_same_as_under_epsilon() -> None:
    """Min-SNR on the error of the clean image, which is the error of the direction times the time."""
    noise_schedule, times_B = RectifiedFlow(), torch.tensor([100.0, 500.0, 900.0])
    said, zero = torch.ones(3, 4, 8, 8), torch.zeros(3, 4, 8, 8)
    share = times_B.double() / 1000
    snr = ((1 - share) / share) ** 2
    ours = item_losses(Objective(weighting="min_snr"), noise_schedule, said, zero, times_B)
    torch.testing.assert_close(ours.double(), snr.clamp_max(5) * share**2, rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", ["euler", "heun", "lcm", "dpmpp_2m", "unipc"])
@pytest.mark.parametrize(("shift", "levels"), [(1.0, [1, 0.75, 0.5, 0.25]), (3.0, [1, 0.9, 0.75, 0.5])])
def test_the_steps_of_a_flow_are_even_and_none_is_spent_on_the_last_rest(
    name: str, shift: float, levels: list[float]
) -> None:
    """As every pipeline of diffusers has them: linspace(1, 1 / steps, steps), shifted."""
    asked: list[float] = []

    def predict(noisy: torch.Tensor, time_B: torch.Tensor) -> torch.Tensor:
        asked.append(round(float(time_B[0]) / 1000, 3))
        return torch.zeros_like(noisy)

    generators = [torch.Generator().manual_seed(0)]
    denoise(predict, RectifiedFlow(shift), torch.randn(1, 4, 8, 8), solver=name, steps=4, generators=generators)
    assert list(dict.fromkeys(asked)) == pytest.approx(levels, abs=2e-3)


@pytest.mark.parametrize("name", SOLVERS)
def test_every_sampler_that_follows_a_flow_arrives_and_the_others_are_refused(name: str) -> None:
    """With the exact direction to one image, every sampler ends in that image."""
    noise_schedule, image = (
        RectifiedFlow(shift=2.0),
        torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1)),
    )

    def exact(noisy: torch.Tensor, time_B: torch.Tensor) -> torch.Tensor:
        return (noisy - image) / (time_B.reshape(-1, 1, 1, 1) / 1000)

    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    try:
        scheduler_for(name, noise_schedule)
    except UserError as error:
        assert "is a rectified flow" in str(error)
        assert "Euler" in str(error)
        return
    drawn = denoise(exact, noise_schedule, noise, solver=name, steps=8, generators=[torch.Generator().manual_seed(3)])
    torch.testing.assert_close(drawn, image, rtol=0, atol=0.02)


def test_some_samplers_follow_a_flow_and_some_cannot() -> None:
    able = set()
    for name in SOLVERS:
        try:
            scheduler_for(name, RectifiedFlow())
        except UserError:
            continue
        able.add(name)
    assert {"euler", "heun", "dpmpp_2m", "unipc"} <= able
    assert not able & {"ddim", "euler_a"}
    with pytest.raises(UserError, match="has a spacing of its own"):
        scheduler_for("dpmpp_2m", RectifiedFlow(), "karras")


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("single_file", [False, True], ids=["folder", "file"])
def test_a_model_that_was_turned_into_a_flow_says_so_and_is_one_when_it_is_read(
    kind: str, single_file: bool, tmp_path: Path
) -> None:
    family = opened(kind, MAKERS[kind](tmp_path / "model"), prediction="flow", flow_shift=3.0)
    assert "says that it predicts epsilon; here it is asked for flow" in " ".join(map(PLAIN.sentence, family.notes))
    assert family.modelspec()["modelspec.prediction_type"] == "flow"
    path = saved(family, tmp_path / ("out.safetensors" if single_file else "out"), single_file=single_file)
    again = opened(kind, path)
    assert isinstance(again.noise_schedule, RectifiedFlow)
    assert again.notes == ()


def test_a_flow_taught_epsilon_again_is_saved_as_what_it_was(tmp_path: Path) -> None:
    flow = opened("sd", tiny_sd(tmp_path / "model"), prediction="flow")
    path = saved(flow, tmp_path / "flow", single_file=False)
    back = opened("sd", saved(opened("sd", path, prediction="epsilon"), tmp_path / "eps", single_file=False))
    assert isinstance(back.noise_schedule, EpsilonPrediction)
    assert torch.equal(back.noise_schedule.alphas_N, opened("sd", tmp_path / "model").noise_schedule.alphas_N)


def test_diffusers_own_pipeline_draws_with_the_saved_flow(tmp_path: Path) -> None:
    flow = opened("sd", tiny_sd(tmp_path / "model"), prediction="flow")
    path = saved(flow, tmp_path / "flow", single_file=False)
    pipe = StableDiffusionPipeline.from_pretrained(path, safety_checker=None, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    assert pipe.scheduler.config.use_flow_sigmas
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    theirs = pipe("a robot", latents=noise, num_inference_steps=4, guidance_scale=1.0, output_type="latent").images

    text = flow.encode_text(["a robot"])
    ours = denoise(
        lambda noisy, time_B: flow.predict(noisy, time_B, text), flow.noise_schedule, noise, solver="unipc", steps=4,
        generators=[torch.Generator().manual_seed(0)],
    )  # fmt: skip
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)
