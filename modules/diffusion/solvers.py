"""Samplers: diffusers' schedulers behind one function. Every family is sampled by every solver.

A row of SOLVERS is all that one more sampler needs, and a row of SPACINGS one more spread of its steps. The schedulers
are configured by the very object that mixed the noise in training (`NoiseSchedule.scheduler_config`), so that the two
sides cannot disagree.

Shapes: B batch, C latent channels, h w latent size, N levels of noise.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modules.diffusion.noise_schedule import NoiseSchedule
from modules.diffusion.spacings import SPACINGS, Spacing
from modules.errors import UserError

Predict = Callable[[Tensor, Tensor], Tensor]
TEACHER_STEPS = 50  # that LCM and TCD models were distilled with; their steps are chosen among these


@dataclass(frozen=True)
class Solver:
    """A scheduler of diffusers and how it is set."""

    title: str  # as A1111 writes it into its images
    module: str  # below diffusers.schedulers
    scheduler: str
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    flow: tuple[str, str] = ("", "")  # module and scheduler for rectified flow, where that is another one
    first_order: bool = False  # each step needs one answer and adds no noise: what CFG++ is derived for


@dataclass(frozen=True)
class InitLatents:
    """What an image begins with, in place of mere noise."""

    clean_BChw: Tensor
    strength: float  # share of the steps that are done: 1 keeps next to nothing of it
    mask_B1hw: Tensor | None = None  # 1 where it is painted anew; the rest comes back as it was


@dataclass(frozen=True)
class Moment:
    """Where the drawing stands when the denoiser is asked."""

    share: float  # of the steps that are behind it, in [0, 1)
    stride: float = float("nan")  # sigma_t / (sigma_t - sigma_next), sigma over alpha; where the solver is first order


_DPM = "scheduling_dpmsolver_multistep", "DPMSolverMultistepScheduler"
SOLVERS: dict[str, Solver] = {
    "euler": Solver(
        "Euler",
        "scheduling_euler_discrete",
        "EulerDiscreteScheduler",
        flow=("scheduling_flow_match_euler_discrete", "FlowMatchEulerDiscreteScheduler"),
        first_order=True,
    ),
    "euler_a": Solver("Euler a", "scheduling_euler_ancestral_discrete", "EulerAncestralDiscreteScheduler"),
    "heun": Solver(
        "Heun",
        "scheduling_heun_discrete",
        "HeunDiscreteScheduler",
        flow=("scheduling_flow_match_heun_discrete", "FlowMatchHeunDiscreteScheduler"),
    ),
    "dpm2": Solver("DPM2", "scheduling_k_dpm_2_discrete", "KDPM2DiscreteScheduler"),
    "dpm2_a": Solver("DPM2 a", "scheduling_k_dpm_2_ancestral_discrete", "KDPM2AncestralDiscreteScheduler"),
    "dpmpp_2m": Solver("DPM++ 2M", *_DPM),
    "dpmpp_2m_sde": Solver("DPM++ 2M SDE", *_DPM, {"algorithm_type": "sde-dpmsolver++"}),
    "dpmpp_3m_sde": Solver("DPM++ 3M SDE", *_DPM, {"algorithm_type": "sde-dpmsolver++", "solver_order": 3}),
    "dpmpp_sde": Solver(
        "DPM++ SDE",
        "scheduling_dpmsolver_singlestep",
        "DPMSolverSinglestepScheduler",
        {"algorithm_type": "sde-dpmsolver++", "final_sigmas_type": "zero", "lower_order_final": True},
    ),
    "ddim": Solver(
        "DDIM", "scheduling_ddim", "DDIMScheduler", {"clip_sample": False, "set_alpha_to_one": True}, first_order=True
    ),
    "pndm": Solver("PLMS", "scheduling_pndm", "PNDMScheduler", {"skip_prk_steps": True, "set_alpha_to_one": True}),
    "lms": Solver("LMS", "scheduling_lms_discrete", "LMSDiscreteScheduler"),
    "unipc": Solver("UniPC", "scheduling_unipc_multistep", "UniPCMultistepScheduler"),
    "lcm": Solver(
        "LCM",
        "scheduling_lcm",
        "LCMScheduler",
        {"clip_sample": False, "set_alpha_to_one": True},
        flow=("scheduling_flow_match_lcm", "FlowMatchLCMScheduler"),
    ),
    "tcd": Solver("TCD", "scheduling_tcd", "TCDScheduler", {"clip_sample": False, "set_alpha_to_one": True}),
}


def scheduler_for(name: str, noise_schedule: NoiseSchedule, spacing: str = "default") -> Any:
    """A fresh scheduler of diffusers, set to a diffusion process and a spread of its steps.

    Raises:
        UserError: the sampler cannot follow this process, or not in this spread.
    """
    solver, spread = SOLVERS[name], SPACINGS[spacing]
    if not _can_follow(solver, noise_schedule):
        able = [row.title for row in SOLVERS.values() if _can_follow(row, noise_schedule)]
        code = "sampler.flow" if noise_schedule.prediction == "flow" else "sampler.zero-snr"
        raise UserError(code, sampler=solver.title, able=able)
    kind, known = _scheduler(solver, noise_schedule)
    if code := _spacing_problem(spacing, noise_schedule, known):
        raise UserError(code, sampler=solver.title, spacing=spread.title)
    config = {**noise_schedule.scheduler_config(), **solver.settings}
    config.pop("shift_terminal", None)  # not all know it, and with one step it is none: see _stretch
    if noise_schedule.prediction != "flow":
        config |= {"timestep_spacing": spread.even, "use_karras_sigmas": spread.curve is not None}
    made = _made(kind, tuple((key, value) for key, value in config.items() if key in known))
    scheduler = deepcopy(made, {id(made.config): made.config})  # which is frozen
    if name == "lms":
        scheduler.get_lms_coefficient = lambda order, t, current: _lms_share(scheduler.sigmas, order, t, current)
    if spread.curve is not None:
        _use_curve(scheduler, spread)
    return scheduler


@lru_cache(64)
def _made(kind: Callable[..., Any], config: tuple[tuple[str, Any], ...]) -> Any:
    """Some of diffusers' schedulers count all of their levels one by one when they are made: a quarter of a second."""
    return kind(**dict(config))


def _can_follow(solver: Solver, noise_schedule: NoiseSchedule) -> bool:
    _, known = _scheduler(solver, noise_schedule)
    if noise_schedule.prediction == "flow":
        return bool(solver.flow[0]) or "use_flow_sigmas" in known
    return not noise_schedule.zero_terminal_snr or "rescale_betas_zero_snr" in known


def _spacing_problem(spacing: str, noise_schedule: NoiseSchedule, known: Mapping[str, Any]) -> str:
    """The problem of a scheduler that cannot spread its steps so; "" where it can."""
    if spacing == "default":
        return ""
    if noise_schedule.prediction == "flow":
        return "spacing.flow"
    if "original_inference_steps" in known:
        return "spacing.distilled"
    needs = "timestep_spacing" if SPACINGS[spacing].curve is None else "use_karras_sigmas"
    return "" if needs in known else "spacing.other"


def _scheduler(solver: Solver, noise_schedule: NoiseSchedule) -> tuple[Any, Mapping[str, Any]]:
    """The class of diffusers, and what it can be told."""
    module, name = (
        solver.flow if noise_schedule.prediction == "flow" and solver.flow[0] else (solver.module, solver.scheduler)
    )
    kind = getattr(import_module(f"diffusers.schedulers.{module}"), name)
    return kind, inspect.signature(kind.__init__).parameters


def _use_curve(scheduler: Any, spread: Spacing) -> None:
    """Have the scheduler take its sigmas from a curve: it asks for them where it would ask for Karras'."""
    assert spread.curve is not None
    alphas_cumprod_N = scheduler.alphas_cumprod.double().numpy()
    sigmas_N, curve = np.sqrt((1 - alphas_cumprod_N) / alphas_cumprod_N)[::-1], spread.curve

    def sigmas(in_sigmas: Any, num_inference_steps: int | None = None) -> np.ndarray:
        return curve(sigmas_N, num_inference_steps or scheduler.num_inference_steps)

    scheduler._convert_to_karras = sigmas


def _lms_share(sigmas: Tensor, order: int, t: int, current: int) -> float:
    """The integral of a Lagrange polynomial over a step: exact, where diffusers would need scipy to estimate it."""
    polynomial = np.poly1d([1.0])
    for k in (k for k in range(order) if k != current):
        there, here = float(sigmas[t - k]), float(sigmas[t - current])
        polynomial *= np.poly1d([1.0, -there]) / (here - there)
    whole = polynomial.integ()
    return float(whole(float(sigmas[t + 1])) - whole(float(sigmas[t])))


@torch.no_grad()
def denoise(  # noqa: PLR0913
    predict: Predict,
    noise_schedule: NoiseSchedule,
    noise_BChw: Tensor,
    *,
    solver: str,
    steps: int,
    generators: Sequence[torch.Generator],
    spacing: str = "default",
    init_latents: InitLatents | None = None,
    at: Callable[[Moment], None] = lambda _: None,
    step_done: Callable[[int], None] = lambda _: None,
) -> Tensor:
    """Turn noise into clean latents in `steps` steps; `predict(noisy, time_B)` is called once in each, or twice.

    `generators`, one an image, serve samplers that add noise on the way: an image does not depend on its neighbours.
    `at` is told before each call where the drawing stands, `step_done` after each step its number.

    Raises:
        UserError: the sampler cannot follow this process.
    """
    scheduler = scheduler_for(solver, noise_schedule, spacing)
    times = _times(scheduler, noise_schedule, steps, noise_BChw.device, init_latents)
    if init_latents is None or (init_latents.mask_B1hw is not None and init_latents.strength == 1):
        noisy = noise_BChw * getattr(scheduler, "init_noise_sigma", 1.0)  # a flow's scheduler scales nothing
    else:
        noisy = _add_noise(scheduler, init_latents.clean_BChw, noise_BChw, times[:1])
    scaled: Callable[..., Tensor] = getattr(scheduler, "scale_model_input", lambda noisy, _: noisy)
    takes_chance = "generator" in inspect.signature(scheduler.step).parameters
    chance: dict[str, Any] = {"generator": list(generators)} if takes_chance else {}
    reported = 0
    for number, time in enumerate(times):
        at(Moment(number / len(times), _stride(scheduler, time) if SOLVERS[solver].first_order else float("nan")))
        prediction = predict(scaled(noisy, time), time.expand(len(noisy)))
        noisy = scheduler.step(prediction.float(), time, noisy, **chance).prev_sample
        if init_latents is not None:
            noisy = _restore_unmasked(scheduler, init_latents, noisy, noise_BChw, times[number + 1 : number + 2])
        while reported < (number + 1) * steps // len(times):
            reported += 1
            step_done(reported)
    return noisy


def _times(
    scheduler: Any, noise_schedule: NoiseSchedule, steps: int, device: torch.device, init_latents: InitLatents | None
) -> Tensor:
    """The times at which the denoiser is asked; where there is a picture, those of its strength."""
    taught = "original_inference_steps" in inspect.signature(scheduler.set_timesteps).parameters
    more: dict[str, Any] = {"original_inference_steps": steps} if taught and steps > TEACHER_STEPS else {}
    if hasattr(scheduler, "scale_noise"):
        # The schedulers of flows spread their steps down to their least noise, and would spend the last step on that.
        scheduler.sigma_min = 1 / steps
    scheduler.set_timesteps(steps, device=device, **more)
    terminal = getattr(noise_schedule, "terminal", None)
    if terminal is not None and steps > 1:  # with one step, the first noise is the last one, too
        _stretch(scheduler, terminal)
    if init_latents is None:
        return scheduler.timesteps
    left_out = (steps - max(1, min(int(steps * init_latents.strength), steps))) * scheduler.order
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(left_out)
    return scheduler.timesteps[left_out:]


def _stretch(scheduler: Any, terminal: float) -> None:
    """Have the noises of a flow end at `terminal` before the last step, as some of diffusers' schedulers do."""
    sigmas, times = scheduler.sigmas, scheduler.timesteps
    sigmas[:-1] = 1 - (1 - sigmas[:-1]) * (1 - terminal) / (1 - sigmas[-2].clone())
    scheduler.timesteps = (sigmas[:-1] * scheduler.config.num_train_timesteps).to(times.device)


def _add_noise(scheduler: Any, clean: Tensor, noise: Tensor, time_1: Tensor) -> Tensor:
    if hasattr(scheduler, "scale_noise"):  # of a flow
        return scheduler.scale_noise(clean, time_1, noise)
    return scheduler.add_noise(clean, noise, time_1.expand(len(clean)))


def _restore_unmasked(
    scheduler: Any, init_latents: InitLatents, noisy: Tensor, noise: Tensor, next_time: Tensor
) -> Tensor:
    """What is not to be painted anew, put back at the noise of the next step."""
    if init_latents.mask_B1hw is None:
        return noisy
    clean = init_latents.clean_BChw
    kept = _add_noise(scheduler, clean, noise, next_time) if len(next_time) else clean
    return init_latents.mask_B1hw * noisy + (1 - init_latents.mask_B1hw) * kept


def _stride(scheduler: Any, time: Tensor) -> float:
    """sigma_t / (sigma_t - sigma_next) in sigma over alpha, written so that it also holds at pure noise."""
    sigmas = getattr(scheduler, "sigmas", None)
    if sigmas is None:  # DDIM
        now, after = int(time), int(time) - scheduler.config.num_train_timesteps // scheduler.num_inference_steps
        kept = [float(scheduler.alphas_cumprod[now])]
        kept.append(float(scheduler.alphas_cumprod[after] if after >= 0 else scheduler.final_alpha_cumprod))
        (alpha, sigma), (alpha_next, sigma_next) = ((k**0.5, (1 - k) ** 0.5) for k in kept)
    else:
        at = scheduler.step_index
        if at is None:
            at = scheduler.begin_index or scheduler.index_for_timestep(time)
        sigma, sigma_next = float(sigmas[at]), float(sigmas[at + 1])
        flows = hasattr(scheduler, "scale_noise")
        alpha, alpha_next = (1 - sigma, 1 - sigma_next) if flows else (1.0, 1.0)
    return alpha_next * sigma / (alpha_next * sigma - alpha * sigma_next)
