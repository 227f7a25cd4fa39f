"""OneTrainer's losses, noise and timesteps."""

from __future__ import annotations

from modules.exchange.imported import Intake
from modules.sentences.problem import problem

TIMES = "objective.times"
NOT_USED = "import.not-used-there"
WEIGHTINGS = {"MIN_SNR_GAMMA": "min_snr", "P2": "p2", "DEBIASED_ESTIMATION": "debiased", "SIGMA": "sigma"}


def put_objective(intake: Intake, *, trains_weights: bool) -> None:
    """What is learnt of which noise, and how its loss is measured."""
    for ours in ("mse", "mae", "log_cosh", "huber"):
        intake.take(f"objective.loss.{ours}", f"{ours}_strength")
    if intake.number("huber_strength"):
        intake.take("objective.loss.huber_delta", "huber_delta")
    _weighting(intake)
    intake.take("objective.noise.offset", "offset_noise_weight")
    intake.take("objective.noise.perturbation", "perturbation_noise_weight")
    _prediction(intake, trains_weights)
    if intake.has("transformer.guidance_scale") and intake.family not in ("sd", "sdxl"):
        intake.take("objective.embedded_guidance", "transformer.guidance_scale")
    _distribution(intake)
    intake.take(f"{TIMES}.lower", "min_noising_strength")
    intake.take(f"{TIMES}.upper", "max_noising_strength")
    intake.take(f"{TIMES}.shift", "timestep_shift")
    intake.take(f"{TIMES}.dynamic_shift", "dynamic_timestep_shifting")


def _weighting(intake: Intake) -> None:
    kind = WEIGHTINGS.get(intake.text("loss_weight_fn"), "none")
    intake.put("objective.weighting", kind, "loss_weight_fn")
    gamma = {"min_snr": "min_snr_gamma", "p2": "p2_gamma"}.get(kind)
    if gamma:
        intake.take(f"objective.{gamma}", "loss_weight_strength")
    else:
        intake.leave_out("loss_weight_strength", problem(NOT_USED))


def _prediction(intake: Intake, trains_weights: bool) -> None:
    name = "rescale_noise_scheduler_to_zero_terminal_snr"
    if intake.yes(name):
        intake.put("objective.zero_terminal_snr", "on", name)
        intake.put("objective.prediction", "v_prediction", name)
    for name, ours in (("force_v_prediction", "v_prediction"), ("force_epsilon_prediction", "epsilon")):
        if intake.yes(name):
            why = None if trains_weights else problem("import.forced-prediction")
            intake.put("objective.prediction", ours, name, why=why)


def _distribution(intake: Intake) -> None:
    kind, weight, bias = intake.text("timestep_distribution"), intake.number("noising_weight"), "noising_bias"
    name, middle = "timestep_distribution", intake.number(bias) + 0.5
    if kind == "LOGIT_NORMAL":
        intake.put(f"{TIMES}.kind", "logit_normal", name)
        intake.take(f"{TIMES}.mean", bias)
        intake.put(f"{TIMES}.spread", weight + 1, "noising_weight", why=problem("import.spread-plus-one"))
    elif kind in ("SIGMOID", "INVERTED_PARABOLA") and weight > 0:
        halved = kind == "INVERTED_PARABOLA"  # its density is 2 - weight (t - centre)^2
        why = problem("import.half-weight") if halved else None
        intake.put(f"{TIMES}.kind", kind.lower(), name)
        intake.put(f"{TIMES}.steepness", weight / 2 if halved else weight, "noising_weight", why=why)
        intake.put(f"{TIMES}.centre", middle, bias, why=problem("import.bias-from-middle"))
    elif kind == "HEAVY_TAIL":
        intake.put(f"{TIMES}.kind", "heavy_tail", name)
        intake.take(f"{TIMES}.tail", "noising_weight")
        intake.leave_out(bias, problem(NOT_USED))
    elif kind == "BETA" and weight >= 0.1 and intake.number(bias) >= 0.1:
        intake.put(f"{TIMES}.kind", "beta", name)
        intake.take(f"{TIMES}.alpha", "noising_weight")
        intake.take(f"{TIMES}.beta", bias)
    else:
        why = problem("import.other-beta") if kind == "BETA" else None
        plain = {"BETA": "beta", "COS_MAP": "cosine_map"}.get(kind, "uniform")
        intake.put(f"{TIMES}.kind", plain, name, why=why)
        intake.leave_out_all(("noising_weight", bias), "import.other-beta" if why else NOT_USED)
