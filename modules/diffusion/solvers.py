"""Samplers: diffusers' schedulers behind one function. Every family is sampled by every solver.

A row of SOLVERS is all that one more sampler needs. The schedulers are configured by the very object that mixed the
noise in training (`Noising.scheduler_config`), so that the two sides cannot disagree.

Shapes: B batch, C latent channels, h w latent size.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from modules.diffusion.noising import Noising
from modules.errors import UserError

Predict = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Solver:
    """A scheduler of diffusers and how it is set."""

    title: str  # as A1111 writes it into its images
    module: str  # below diffusers.schedulers
    scheduler: str
    settings: dict[str, Any] = field(default_factory=dict[str, Any])


_DPM = "scheduling_dpmsolver_multistep", "DPMSolverMultistepScheduler"
SOLVERS: dict[str, Solver] = {
    "ddim": Solver("DDIM", "scheduling_ddim", "DDIMScheduler", {"clip_sample": False, "set_alpha_to_one": True}),
    "euler": Solver("Euler", "scheduling_euler_discrete", "EulerDiscreteScheduler"),
    "euler_a": Solver("Euler a", "scheduling_euler_ancestral_discrete", "EulerAncestralDiscreteScheduler"),
    "heun": Solver("Heun", "scheduling_heun_discrete", "HeunDiscreteScheduler"),
    "dpmpp_2m": Solver("DPM++ 2M", *_DPM),
    "dpmpp_2m_karras": Solver("DPM++ 2M Karras", *_DPM, {"use_karras_sigmas": True}),
    "dpmpp_2m_sde_karras": Solver(
        "DPM++ 2M SDE Karras", *_DPM, {"use_karras_sigmas": True, "algorithm_type": "sde-dpmsolver++"}
    ),
    "unipc": Solver("UniPC", "scheduling_unipc_multistep", "UniPCMultistepScheduler"),
}


def scheduler_for(name: str, noising: Noising) -> Any:
    """A fresh scheduler of diffusers, set to a diffusion process.

    Raises:
        UserError: the sampler cannot follow this process.
    """
    solver = SOLVERS[name]
    kind = getattr(import_module(f"diffusers.schedulers.{solver.module}"), solver.scheduler)
    known = inspect.signature(kind.__init__).parameters
    config = {**noising.scheduler_config(), **solver.settings}
    if noising.zero_terminal_snr and "rescale_betas_zero_snr" not in known:
        able = [row.title for key, row in SOLVERS.items() if key not in (name, "heun")]
        raise UserError(
            f"The sampler {solver.title} cannot draw with this model, which starts from pure noise (zero SNR).",
            advice=f"Choose another sampler: {', '.join(able)}.",
        )
    return kind(**{key: value for key, value in config.items() if key in known})


@torch.no_grad()
def denoise(
    predict: Predict,
    noising: Noising,
    noise_BChw: Tensor,
    *,
    solver: str,
    steps: int,
    generators: Sequence[torch.Generator],
    step_done: Callable[[int], None] = lambda _: None,
) -> Tensor:
    """Turn noise into clean latents in `steps` calls of `predict(noisy, time_B)`.

    `generators`, one an image, serve samplers that add noise on the way: an image does not depend on its neighbours.
    """
    scheduler = scheduler_for(solver, noising)
    scheduler.set_timesteps(steps, device=noise_BChw.device)
    noisy = noise_BChw * scheduler.init_noise_sigma
    takes_chance = "generator" in inspect.signature(scheduler.step).parameters
    chance: dict[str, Any] = {"generator": list(generators)} if takes_chance else {}
    for number, time in enumerate(scheduler.timesteps):
        said = predict(scheduler.scale_model_input(noisy, time), time.expand(len(noisy)))
        noisy = scheduler.step(said.float(), time, noisy, **chance).prev_sample
        step_done(number + 1)
    return noisy
