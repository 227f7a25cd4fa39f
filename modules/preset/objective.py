"""What the denoiser is taught to say, and how its answers are judged."""

from __future__ import annotations

from typing import Literal

from modules.preset.loss import Loss
from modules.preset.noise import Noise
from modules.preset.setting import Section, Setting, When
from modules.preset.times import Times

Weighting = Literal["none", "min_snr", "soft_min_snr", "p2", "debiased", "sigma"]


class Objective(Section):
    """Objective"""

    prediction: Literal["auto", "epsilon", "v_prediction", "flow"] = Setting("auto", "Prediction", level="expert")
    """What the model predicts. "auto" reads it from the model. Another one than the model's teaches it to predict
    that instead: a long run of all its layers, whose first samples are noise."""
    zero_terminal_snr: Literal["auto", "on", "off"] = Setting("auto", "Zero terminal SNR", level="expert")
    """Whether the last time is pure noise, which allows very dark and very bright pictures. "auto" reads it from the
    model; only v-prediction can do it."""
    weighting: Weighting = Setting("none", "Weighting of times")
    """How much each amount of noise counts. "min_snr" (arXiv:2303.09556) keeps the nearly clean times from dominating:
    often faster and steadier. "soft_min_snr" does it without a kink, "debiased" (arXiv:2310.08442) and "p2"
    (arXiv:2204.00227) favour noisy times more, "sigma" counts each time by its noise."""
    min_snr_gamma: float = Setting(
        5.0, "Min-SNR gamma", gt=0, le=100, when=When("objective.weighting", ("min_snr", "soft_min_snr"))
    )
    """The signal-to-noise ratio above which times no longer count more. Usual: 5; lower is flatter."""
    p2_gamma: float = Setting(1.0, "P2 gamma", ge=0, le=5, level="expert", when=When("objective.weighting", ("p2",)))
    """How strongly clean times are held down. 0: not at all. Usual: 0.5 to 1."""
    loss: Loss = Loss()
    times: Times = Times()
    noise: Noise = Noise()
