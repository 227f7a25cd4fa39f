"""What a model was taught to say, read from its scheduler's config, marks in its file, or the user's word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modules.diffusion.noising import Eps, Noising, V
from modules.errors import UserError
from modules.families.family import LoadOptions
from modules.families.parts.source import Source


def noising_of(source: Source, options: LoadOptions) -> Noising:
    """The diffusion process of a model.

    Raises:
        UserError: a process that is not of this family, or eps with zero terminal SNR.
    """
    config = source.configs["scheduler"]
    prediction = options.prediction if options.prediction != "auto" else str(config.get("prediction_type", "epsilon"))
    zero = _zero_terminal_snr(config, options)
    if config.get("beta_schedule", "scaled_linear") != "scaled_linear" or config.get("trained_betas"):
        raise UserError(
            f"{source.path} has the noise schedule {config.get('beta_schedule')!r}, not that of Stable Diffusion.",
            advice="Check the model type.",
        )
    if prediction not in ("epsilon", "v_prediction"):
        raise UserError(
            f"{source.path} predicts {prediction!r}; this model type predicts epsilon or v_prediction.",
            advice="Check the model type, or set the prediction by hand.",
        )
    if zero and prediction == "epsilon":
        raise UserError(
            "Zero terminal SNR needs v-prediction: where all is noise, naming the noise teaches nothing.",
            advice='Set the prediction to "v_prediction", or zero terminal SNR to "off".',
        )
    kind = V if prediction == "v_prediction" else Eps
    return kind(
        float(config.get("beta_start", 0.00085)),
        float(config.get("beta_end", 0.012)),
        int(config.get("num_train_timesteps", 1000)),
        zero_terminal_snr=zero,
    )


def _zero_terminal_snr(config: Mapping[str, Any], options: LoadOptions) -> bool:
    if options.zero_terminal_snr != "auto":
        return options.zero_terminal_snr == "on"
    return bool(config.get("rescale_betas_zero_snr", False))
