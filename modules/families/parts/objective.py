"""What a model was taught to say, read from its scheduler's config, marks in its file, or the user's word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modules.diffusion.noise_schedule import EpsilonPrediction, NoiseSchedule, RectifiedFlow, VPrediction
from modules.diffusion.shift import ConstantShift, Shift, shift_in_config
from modules.errors import UserError
from modules.families.family import LoadOptions
from modules.families.parts.model_files import ModelFiles
from modules.sentences.problem import problem
from modules.sentences.render import fix

# In the words of modelspec's metadata
PREDICTIONS = {"epsilon": "epsilon", "v_prediction": "v", "flow": "flow"}


def noising_from_config(source: ModelFiles, options: LoadOptions) -> NoiseSchedule:
    """The diffusion process of a model.

    Raises:
        UserError: a process that is not of this family, or eps with zero terminal SNR.
    """
    config = source.configs["scheduler"]
    own = prediction_type_of(config)
    prediction = options.prediction if options.prediction != "auto" else own
    if prediction != own:
        source.notes.append(problem("model.asked-otherwise", model=source.path.name, own=own, asked=prediction))
    if prediction == "flow":
        return flow_from_config(config, options)
    zero = _zero_terminal_snr(config, options)
    if config.get("beta_schedule", "scaled_linear") != "scaled_linear" or config.get("trained_betas"):
        raise UserError("model.noise-schedule", file=source.path, schedule=str(config.get("beta_schedule")))
    if prediction not in ("epsilon", "v_prediction"):
        raise UserError("model.prediction", file=source.path, prediction=str(prediction))
    if zero and prediction == "epsilon":
        off = fix("fix.no-zero-snr", {"objective.zero_terminal_snr": "off"})
        raise UserError("model.zero-snr-epsilon", "objective.zero_terminal_snr", fixes=[off])
    kind = VPrediction if prediction == "v_prediction" else EpsilonPrediction
    return kind(
        float(config.get("beta_start", 0.00085)),
        float(config.get("beta_end", 0.012)),
        int(config.get("num_train_timesteps", 1000)),
        zero_terminal_snr=zero,
    )


def flow_from_config(config: Mapping[str, Any], options: LoadOptions) -> RectifiedFlow:
    """A flow, set as its model's scheduler says; its shift, where that depends on the size, is `shift_rule`'s."""
    rule, terminal = shift_rule(config, options), config.get("shift_terminal")
    constant = rule.value if isinstance(rule, ConstantShift) else options.flow_shift
    return RectifiedFlow(constant, terminal or None)


def shift_rule(config: Mapping[str, Any], options: LoadOptions) -> Shift:
    """How sampling moves times towards noise: as the scheduler of a flow says, or as training does."""
    own = shift_in_config(config) if prediction_type_of(config) == "flow" else None
    return own or ConstantShift(options.flow_shift)


def prediction_type_of(config: Mapping[str, Any]) -> str:
    """What a scheduler's config says that the model predicts: "epsilon", "v_prediction", "flow", or a stranger's word.

    Rectified flows come with schedulers of their own, or with one of the usual set to a flow's times.
    """
    prediction_type = str(config.get("prediction_type", "epsilon"))
    own = str(config.get("_class_name", "")).startswith("FlowMatch")
    return (
        "flow"
        if own or config.get("use_flow_sigmas") or prediction_type in ("flow", "flow_prediction")
        else prediction_type
    )


def _zero_terminal_snr(config: Mapping[str, Any], options: LoadOptions) -> bool:
    if options.zero_terminal_snr != "auto":
        return options.zero_terminal_snr == "on"
    return bool(config.get("rescale_betas_zero_snr", False))
