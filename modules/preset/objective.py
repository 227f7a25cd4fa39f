"""What the denoiser is taught to say, and how its answers are judged."""

from __future__ import annotations

from typing import Literal

from modules.preset.setting import Section, Setting, When


class Objective(Section):
    """Objective"""

    prediction: Literal["auto", "epsilon", "v_prediction"] = Setting("auto", "Prediction", level="expert")
    """What the model predicts. "auto" reads it from the model; the wrong one gives noise or grey."""
    zero_terminal_snr: Literal["auto", "on", "off"] = Setting("auto", "Zero terminal SNR", level="expert")
    """Whether the last time is pure noise, which allows very dark and very bright pictures. "auto" reads it from the
    model; only v-prediction can do it."""
    loss: Literal["mse", "huber"] = Setting("mse", "Loss")
    """How the distance between prediction and target is measured. Huber forgives odd images."""
    huber_delta: float = Setting(0.1, "Huber delta", gt=0, when=When("objective.loss", ("huber",)))
    """Errors larger than this count linearly instead of squared."""
    weighting: Literal["none", "min_snr"] = Setting("none", "Weighting of times")
    """"min_snr" (arXiv:2303.09556) keeps the nearly clean times from dominating: often faster and steadier."""
    min_snr_gamma: float = Setting(5.0, "Min-SNR gamma", gt=0, when=When("objective.weighting", ("min_snr",)))
    """The signal-to-noise ratio above which times no longer count more. Usual: 5; lower is flatter."""
    times: Literal["uniform", "logit_normal"] = Setting("uniform", "Times")
    """How much noise is practised: all amounts alike, or the middle more (arXiv:2403.03206)."""
    logit_mean: float = Setting(
        0.0, "Logit mean", ge=-10, le=10, level="expert", when=When("objective.times", ("logit_normal",))
    )
    """Above 0 practises noisier images, below 0 cleaner ones."""
    logit_std: float = Setting(
        1.0, "Logit spread", gt=0, le=10, level="expert", when=When("objective.times", ("logit_normal",))
    )
    """Smaller gathers more closely around the middle."""
    noise_offset: float = Setting(0.0, "Noise offset", ge=0, le=1, level="expert")
    """Also shifts the brightness of the noise, so that the model learns dark and bright pictures. Usual: 0, or 0.03 to
    0.1."""
