"""The objective: which noise is laid over the images, what the denoiser predicts, and how its loss is measured."""

from __future__ import annotations

from typing import Literal

from modules.preset.sections.timesteps import Times
from modules.preset.setting import Section, Setting, When


class Loss(Section):
    """Loss"""

    mse: float = Setting(1.0, "Squared error (MSE)", ge=0, le=100)
    """Share of the squared error in the mix. The measure that models were made with. Usual: 1."""
    mae: float = Setting(0.0, "Absolute error (MAE)", ge=0, le=100, level="expert")
    """Share of the absolute error: odd images count less, fine texture a little more."""
    huber: float = Setting(0.0, "Huber", ge=0, le=100)
    """Share of the Huber loss: squared for small errors, absolute for large ones. Forgives odd images. Usual: 0, or 1
    with MSE at 0."""
    pseudo_huber: float = Setting(0.0, "Smooth Huber", ge=0, le=100, level="expert")
    """Share of the pseudo-Huber loss of arXiv:2403.16728, which has no kink."""
    log_cosh: float = Setting(0.0, "Log-cosh", ge=0, le=100, level="expert")
    """Share of log(cosh(error)): near to Huber with a delta of 1."""
    huber_delta: float = Setting(0.1, "Huber delta", gt=0, le=100, level="expert")
    """Errors larger than this count linearly instead of squared, in both Huber losses. Usual: 0.1."""
    huber_schedule: Literal["constant", "exponential", "snr"] = Setting("constant", "Huber schedule", level="expert")
    """"constant": delta is the same for all times. "exponential" and "snr" begin at 1 for clean images, where details
    are, and end at delta for pure noise (arXiv:2403.16728, section 4)."""


class Noise(Section):
    """Noise"""

    offset: float = Setting(0.0, "Noise offset", ge=0, le=1, level="expert")
    """Also shifts the brightness of the noise, so that the model learns dark and bright pictures. Usual: 0, or 0.03 to
    0.1."""
    offset_random: bool = Setting(False, "Random offset", level="expert")
    """The offset's strength is drawn for each image, between none and all of it."""
    adaptive: float = Setting(0.0, "Adaptive offset", ge=-1, le=1, level="expert")
    """Adds to the offset this share of the image's own brightness: bright and dark images get more. Usual: 0, or near
    the offset."""
    pyramid_levels: int = Setting(0, "Pyramid levels", ge=0, le=16, level="expert", zero="off")
    """Lays coarser noise under the fine one, level by level, so that the model learns large areas of light and colour.
    0: off. Usual: 6 to 10."""
    pyramid_discount: float = Setting(0.3, "Pyramid discount", gt=0, lt=1, level="expert")
    """How strong each coarser level is, as a share of the one before. Usual: 0.1 to 0.4; for a LoRA 0.3."""
    perturbation: float = Setting(0.0, "Input perturbation", ge=0, le=1, level="expert")
    """Gives the model a little more noise than it is told, as its own mistakes do when it draws (arXiv:2301.11706).
    Usual: 0, or 0.1."""
    perturbation_random: bool = Setting(False, "Random perturbation", level="expert")
    """The perturbation's strength is drawn for each image, between none and all of it."""


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
