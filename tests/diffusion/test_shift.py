"""The shift of a flow's times by the size of the image: the very schedules that diffusers' pipelines sample with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from diffusers.pipelines.flux2.pipeline_flux2 import compute_empirical_mu
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

from modules.diffusion.noise_schedule import RectifiedFlow
from modules.diffusion.shift import ConstantShift, DynamicShift, Flux2Shift, Shift, shift_in_config
from modules.diffusion.solvers import SOLVERS, denoise, scheduler_for
from modules.errors import UserError
from modules.preset.sections.sampling import FLOW_SAMPLERS

# What the models' scheduler configs say. Chroma's is FLUX.1's; Krea's turbo has a mu of its own.
FLUX = {"use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 1.15}
CONFIGS: dict[str, dict[str, Any]] = {
    "flux": {**FLUX, "base_image_seq_len": 256, "max_image_seq_len": 4096},
    "krea2": {**FLUX, "base_image_seq_len": 256, "max_image_seq_len": 6400},
    "qwen": {**FLUX, "max_shift": 0.9, "base_image_seq_len": 256, "max_image_seq_len": 8192, "shift_terminal": 0.02},
    "linear": {**FLUX, "time_shift_type": "linear"},
    "z-image": {"shift": 3.0},
    "z-image base": {"shift": 6.0, "use_dynamic_shifting": False},
}
SIZES = [(1024, 1024), (768, 1344)]


def asked_levels(shift: float, terminal: float | None, steps: int, solver: str = "euler") -> list[float]:
    """The noise of each step at which the denoiser is asked."""
    asked: list[float] = []

    def predict(noisy: torch.Tensor, time_B: torch.Tensor) -> torch.Tensor:
        asked.append(float(time_B[0]) / 1000)
        return torch.zeros_like(noisy)

    generators = [torch.Generator().manual_seed(0)]
    schedule = RectifiedFlow(shift, terminal)
    denoise(predict, schedule, torch.randn(1, 1, 2, 2), solver=solver, steps=steps, generators=generators)
    return list(dict.fromkeys(asked))


def of_a_pipeline(config: dict[str, Any], steps: int, mu: float | None) -> list[float]:
    scheduler = FlowMatchEulerDiscreteScheduler(**config)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), mu=mu)
    return [float(time) / 1000 for time in scheduler.timesteps]


@pytest.mark.parametrize("steps", [4, 28])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("model", CONFIGS)
def test_the_steps_are_those_of_diffusers_pipelines(model: str, size: tuple[int, int], steps: int) -> None:
    config, (height, width) = CONFIGS[model], size
    mu = None
    if config.get("use_dynamic_shifting"):
        ends = [config.get(f"{name}_image_seq_len", usual) for name, usual in (("base", 256), ("max", 4096))]
        mu = calculate_shift(height // 16 * (width // 16), *ends, config["base_shift"], config["max_shift"])
    rule = shift_in_config(config)
    assert rule is not None
    ours = asked_levels(rule.at(height, width, steps), config.get("shift_terminal"), steps)
    assert ours == pytest.approx(of_a_pipeline(config, steps, mu), abs=1e-6)


@pytest.mark.parametrize("steps", [4, 28])
@pytest.mark.parametrize("size", [*SIZES, (1536, 1024)])
def test_flux_2_is_fitted_to_size_and_steps(size: tuple[int, int], steps: int) -> None:
    height, width = size
    mu = compute_empirical_mu(height // 16 * (width // 16), steps)
    theirs = of_a_pipeline({"use_dynamic_shifting": True}, steps, mu)
    assert asked_levels(Flux2Shift().at(height, width, steps), None, steps) == pytest.approx(theirs, abs=1e-6)
    assert Flux2Shift().at(height, width) == DynamicShift().at(height, width), "in training there are no steps"


@pytest.mark.parametrize(
    ("config", "rule"),
    [
        ({"use_dynamic_shifting": True, "base_shift": None}, DynamicShift()),
        ({"flow_shift": 5.0, "use_flow_sigmas": True}, ConstantShift(5.0)),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler"}, None),
    ],
)
def test_a_config_may_leave_out_what_it_means(config: dict[str, Any], rule: Shift | None) -> None:
    assert shift_in_config(config) == rule


@pytest.mark.parametrize("terminal", [None, 0.02])
@pytest.mark.parametrize("solver", FLOW_SAMPLERS)
def test_every_sampler_of_flows_takes_the_same_steps(solver: str, terminal: float | None) -> None:
    levels = asked_levels(3.0, terminal, 4, solver)
    assert levels == pytest.approx(asked_levels(3.0, terminal, 4), abs=2e-3)
    assert terminal is None or levels[-1] == pytest.approx(terminal, abs=1e-6)
    assert asked_levels(3.0, terminal, 1, solver) == pytest.approx([1], abs=2e-3)


def test_no_other_sampler_follows_a_flow() -> None:
    for name in SOLVERS.keys() - set(FLOW_SAMPLERS):
        with pytest.raises(UserError, match="is a rectified flow"):
            scheduler_for(name, RectifiedFlow())
