"""sd-scripts' losses, noise and timesteps."""

from __future__ import annotations

from typing import Any

from modules.catalog import FAMILIES
from modules.exchange.kohya.objective import LOSSES, SCHEMES
from modules.exchange.out.optimizers import number_text
from modules.preset.paths import Values

MEASURES = {ours: theirs for theirs, ours in LOSSES.items()}
Arguments = dict[str, Any]


def objective(values: Values) -> Arguments:
    """What is learnt of which noise, and how its loss is measured."""
    ours = values["objective"]
    return {
        **_loss(ours["loss"]), **_weighting(ours), **_noise(ours["noise"]), **_prediction(ours),
        **(_flow(values) if FAMILIES[values["model"]["family"]].is_flow else {}),
    }  # fmt: skip


def _loss(loss: Values) -> Arguments:
    """The measure that counts most; it has one at a time."""
    name = max(MEASURES, key=lambda measure: loss[measure])
    given: Arguments = {"loss_type": MEASURES[name]} if name != "mse" else {}
    if "huber" in name:
        given |= {"huber_c": loss["huber_delta"], "huber_schedule": loss["huber_schedule"]}
    return given


def _weighting(ours: Values) -> Arguments:
    if ours["weighting"] == "min_snr":
        return {"min_snr_gamma": ours["min_snr_gamma"]}
    return {"debiased_estimation_loss": True} if ours["weighting"] == "debiased_kohya" else {}


def _noise(noise: Values) -> Arguments:
    given: Arguments = {}
    if noise["offset"]:
        given |= {"noise_offset": noise["offset"], "adaptive_noise_scale": noise["adaptive"] or None}
        given["noise_offset_random_strength"] = noise["offset_random"]
    elif noise["pyramid_levels"]:
        given |= {"multires_noise_iterations": noise["pyramid_levels"]}
        given["multires_noise_discount"] = number_text(noise["pyramid_discount"])
    if noise["perturbation"]:
        given |= {"ip_noise_gamma": noise["perturbation"]}
        given["ip_noise_gamma_random_strength"] = noise["perturbation_random"]
    return given


def _prediction(ours: Values) -> Arguments:
    times = ours["times"]
    return {
        "v_parameterization": ours["prediction"] == "v_prediction",
        "zero_terminal_snr": ours["zero_terminal_snr"] == "on",
        "min_timestep": round(1000 * times["lower"]) or None,
        "max_timestep": round(1000 * times["upper"]) if times["upper"] != 1 else None,
    }  # fmt: skip


def _flow(values: Values) -> Arguments:
    """How rectified flows draw their timesteps."""
    family, times = values["model"]["family"], values["objective"]["times"]
    given: Arguments = _scheme(times) if family == "sd3" else _sampling(times)
    if family == "sd3":
        given["training_shift"] = number_text(times["shift"])
    elif family in ("flux1", "chroma"):
        given["model_prediction_type"] = "raw"
    if FAMILIES[family].guidance_embed:
        given["guidance_scale"] = number_text(values["objective"]["embedded_guidance"])
    return given


def _scheme(times: Values) -> Arguments:
    """By Stable Diffusion 3's own schemes."""
    name = next((theirs for theirs, ours in SCHEMES.items() if ours == times["kind"]), "uniform")
    given: Arguments = {"weighting_scheme": name}
    if name == "logit_normal":
        given |= {"logit_mean": number_text(times["mean"]), "logit_std": number_text(times["spread"])}
    elif name == "mode":
        given["mode_scale"] = number_text(times["tail"])
    return given


def _sampling(times: Values) -> Arguments:
    """By the sigmoid of a normal distribution where that is it, which may be shifted by the size of the image."""
    shift = {"discrete_flow_shift": number_text(times["shift"])}
    if times["kind"] == "logit_normal" and not times["mean"]:
        kind = "flux_shift" if times["dynamic_shift"] else "sigmoid" if times["shift"] == 1 else "shift"
        spread = {"sigmoid_scale": number_text(times["spread"])}
        return {"timestep_sampling": kind, **spread, **(shift if kind == "shift" else {})}
    if times["kind"] == "uniform" and times["shift"] == 1:
        return {"timestep_sampling": "uniform"}
    return {"timestep_sampling": "sigma", **_scheme(times), **shift}
