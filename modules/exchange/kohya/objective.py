"""sd-scripts' losses, noise and timesteps."""

from __future__ import annotations

from modules.catalog import FAMILIES
from modules.exchange.imported import Intake
from modules.sentences.problem import problem

LOSSES = {"l1": "mae", "l2": "mse", "huber": "pseudo_huber", "smooth_l1": "huber"}
SCHEMES = {"mode": "heavy_tail", "cosmap": "cosine_map", "logit_normal": "logit_normal"}
TIMES = "objective.times"


def put_objective(intake: Intake) -> None:
    """What is learnt of which noise, and how its loss is measured."""
    _weighting(intake)
    _prediction(intake)
    _loss(intake)
    _noise_offset(intake)
    _pyramid(intake)
    if intake.take_on("objective.noise.perturbation", "ip_noise_gamma"):
        intake.take_on("objective.noise.perturbation_random", "ip_noise_gamma_random_strength")
    if FAMILIES[intake.family].is_flow:
        _flow(intake)


def _weighting(intake: Intake) -> None:
    gamma = intake.number("min_snr_gamma")
    if gamma:
        v_model = problem("import.snr-of-v") if intake.yes("v_parameterization") else None
        intake.put("objective.weighting", "min_snr", "min_snr_gamma", why=v_model)
        intake.put("objective.min_snr_gamma", gamma)
        intake.leave_out("debiased_estimation_loss", problem("import.one-weighting"))
    elif intake.yes("debiased_estimation_loss"):
        intake.put("objective.weighting", "debiased_kohya", "debiased_estimation_loss")


def _prediction(intake: Intake) -> None:
    if intake.yes("v_parameterization"):
        intake.put("objective.prediction", "v_prediction", "v_parameterization")
    if intake.yes("zero_terminal_snr"):
        intake.put("objective.zero_terminal_snr", "on", "zero_terminal_snr")
    for path, name, share in (("lower", "min_timestep", 0.0), ("upper", "max_timestep", 1.0)):
        value = intake.number(name) / 1000
        if value != share and 0 <= value <= 1 and intake.has(name):
            intake.put(f"{TIMES}.{path}", value, name, why=problem("import.thousandths"))


def _loss(intake: Intake) -> None:
    loss = LOSSES.get(intake.text("loss_type"), "mse")
    why = {"pseudo_huber": problem("import.pseudo-huber"), "huber": problem("import.smooth-l1")}.get(loss)
    if loss != "mse":
        intake.put("objective.loss.mse", 0.0)
    intake.put(f"objective.loss.{loss}", 1.0, "loss_type", why=why)
    if "huber" in loss:
        intake.take("objective.loss.huber_delta", "huber_c")
        intake.take("objective.loss.huber_schedule", "huber_schedule")


def _noise_offset(intake: Intake) -> None:
    """The window of kohya_ss writes both kinds of noise down, and uses the one that is chosen."""
    if intake.text("noise_offset_type").lower() == "multires":
        intake.leave_out("noise_offset", problem("import.other-noise"))
    elif intake.take_on("objective.noise.offset", "noise_offset"):
        intake.take_on("objective.noise.adaptive", "adaptive_noise_scale")
        intake.take_on("objective.noise.offset_random", "noise_offset_random_strength")


def _pyramid(intake: Intake) -> None:
    if intake.text("noise_offset_type").lower() == "original":
        intake.leave_out("multires_noise_iterations", problem("import.other-noise"))
    elif intake.take_on("objective.noise.pyramid_levels", "multires_noise_iterations"):
        intake.take_on("objective.noise.pyramid_discount", "multires_noise_discount")


def _flow(intake: Intake) -> None:
    """How rectified flows draw their timesteps. Stable Diffusion 3 has a shift of its own there, which is 1."""
    kind, scheme = intake.text("timestep_sampling"), intake.text("weighting_scheme")
    shift = "training_shift" if intake.family == "sd3" else "discrete_flow_shift"
    if kind in ("sigmoid", "shift", "flux_shift"):
        intake.put(f"{TIMES}.kind", "logit_normal", "timestep_sampling", why=problem("import.sigmoid-of-normal"))
        intake.take(f"{TIMES}.spread", "sigmoid_scale")
    elif kind == "sigma" and scheme in SCHEMES:
        intake.put(f"{TIMES}.kind", SCHEMES[scheme], "weighting_scheme")
        for ours, theirs in {"logit_normal": (("mean", "logit_mean"), ("spread", "logit_std")),
                             "mode": (("tail", "mode_scale"),)}.get(scheme, ()):  # fmt: skip
            intake.take(f"{TIMES}.{ours}", theirs)
    else:
        intake.put(f"{TIMES}.kind", "uniform", "timestep_sampling")
    if kind == "flux_shift":
        intake.put(f"{TIMES}.dynamic_shift", True)
    elif kind in ("shift", "sigma"):
        intake.take(f"{TIMES}.shift", shift)
    if FAMILIES[intake.family].guidance_embed:
        intake.take("objective.embedded_guidance", "guidance_scale")
