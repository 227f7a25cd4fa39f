"""OneTrainer's losses, noise and timesteps."""

from __future__ import annotations

from typing import Any

from modules.catalog import FAMILIES
from modules.exchange.onetrainer.objective import WEIGHTINGS
from modules.preset.paths import Values

LOSS_WEIGHTS = {ours: theirs for theirs, ours in WEIGHTINGS.items()}
Flat = dict[str, Any]


def objective(values: Values) -> Flat:
    """What is learnt of which noise, and how its loss is measured."""
    ours, flow = values["objective"], FAMILIES[values["model"]["family"]].is_flow
    loss, times, noise = ours["loss"], ours["times"], ours["noise"]
    given: Flat = {f"{name}_strength": loss[name] for name in ("mse", "mae", "log_cosh", "huber")}
    given |= {
        "huber_delta": loss["huber_delta"], "loss_weight_fn": LOSS_WEIGHTS.get(ours["weighting"], "CONSTANT"),
        "loss_weight_strength": ours["p2_gamma"] if ours["weighting"] == "p2" else ours["min_snr_gamma"],
        "offset_noise_weight": noise["offset"], "perturbation_noise_weight": noise["perturbation"],
        "min_noising_strength": times["lower"], "max_noising_strength": times["upper"],
        "timestep_shift": times["shift"], "dynamic_timestep_shifting": times["dynamic_shift"],
        "force_v_prediction": ours["prediction"] == "v_prediction",
        "force_epsilon_prediction": ours["prediction"] == "epsilon",
        "rescale_noise_scheduler_to_zero_terminal_snr": ours["zero_terminal_snr"] == "on",
        **_distribution(times),
    }  # fmt: skip
    if flow and FAMILIES[values["model"]["family"]].guidance_embed:
        given["transformer.guidance_scale"] = ours["embedded_guidance"]
    return given


def _distribution(times: Values) -> Flat:
    """Its numbers count from others: the spread from 1, the centre from the middle; its parabola is half as steep."""
    kind = times["kind"]
    plain = {"beta": "BETA", "cosine_map": "COS_MAP"}.get(kind)
    weight, bias = 0.0, 0.0
    if kind == "logit_normal":
        plain, weight, bias = "LOGIT_NORMAL", times["spread"] - 1, times["mean"]
    elif kind in ("sigmoid", "inverted_parabola"):
        plain, weight, bias = kind.upper(), times["steepness"], times["centre"] - 0.5
        weight *= 2 if kind == "inverted_parabola" else 1
    elif kind == "beta":
        weight, bias = times["alpha"], times["beta"]
    elif kind == "heavy_tail":
        plain, weight = "HEAVY_TAIL", times["tail"]
    return {"timestep_distribution": plain or "UNIFORM", "noising_weight": weight, "noising_bias": bias}
