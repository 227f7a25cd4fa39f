"""The objective: which noise is laid over the images, what the denoiser predicts, and how its loss is measured."""

from __future__ import annotations

from typing import Literal

from modules.preset.sections.timesteps import Times
from modules.preset.setting import Section, Setting, When


class Loss(Section):
    """Loss"""

    mse: float = Setting(1.0, "MSE (squared error)", ge=0, le=100, aliases="mse_strength, l2, loss_type, loss function")
    """Share of the squared error in the mix. What models are usually trained with. Usual: 1."""
    mae: float = Setting(
        0.0, "MAE (absolute error)", ge=0, le=100, level="expert", aliases="mae_strength, l1, loss_type"
    )
    """Share of the absolute error: odd images count less, fine texture a little more."""
    huber: float = Setting(
        0.0, "Huber loss", ge=0, le=100, aliases="huber_strength, smooth_l1, loss_type, loss function"
    )
    """Share of the Huber loss: squared for small errors, absolute for large ones. Forgives odd images. Usual: 0, or 1
    with MSE at 0."""
    pseudo_huber: float = Setting(0.0, "Pseudo-Huber loss", ge=0, le=100, level="expert")
    """Share of the pseudo-Huber loss of arXiv:2403.16728, a smooth Huber."""
    log_cosh: float = Setting(0.0, "Log-cosh loss", ge=0, le=100, level="expert", aliases="log_cosh_strength")
    """Share of log(cosh(error)): near to Huber with a delta of 1."""
    huber_delta: float = Setting(
        0.1, "Huber delta", gt=0, le=100, level="expert", aliases="huber_c, huber_scale, pseudo_huber_c"
    )
    """Errors larger than this count linearly instead of squared, in both Huber losses. Usual: 0.1."""
    huber_schedule: Literal["constant", "exponential", "snr"] = Setting("constant", "Huber schedule", level="expert")
    """ "constant": delta is the same for all timesteps. "exponential" and "snr" begin at 1 for clean images, where
    details are, and end at delta for pure noise (arXiv:2403.16728, section 4)."""


class Noise(Section):
    """Noise"""

    offset: float = Setting(
        0.0, "Noise offset", ge=0, le=1, level="expert", aliases="offset_noise, offset_noise_weight"
    )
    """Also shifts the brightness of the noise, so that the model learns dark and bright images. Usual: 0, or 0.03 to
    0.1."""
    offset_random: bool = Setting(False, "Random noise offset", level="expert", aliases="noise_offset_random_strength")
    """The strength of the offset is random for each image, between none and all of it."""
    adaptive: float = Setting(0.0, "Adaptive noise offset", ge=-1, le=1, level="expert", aliases="adaptive_noise_scale")
    """Adds to the offset this share of the image's own brightness: bright and dark images get more. Usual: 0, or near
    the offset."""
    pyramid_levels: int = Setting(
        0, "Pyramid noise levels", ge=0, le=16, level="expert", zero="off",
        aliases="multires_noise_iterations, multires noise, multi-resolution noise",
    )  # fmt: skip
    """Adds coarser noise to the fine one, level by level (multi-resolution noise), so that the model learns large areas
    of light and colour. 0: off. Usual: 6 to 10."""
    pyramid_discount: float = Setting(
        0.3, "Pyramid noise discount", gt=0, lt=1, level="expert", aliases="multires_noise_discount"
    )
    """How strong each coarser level is, as a share of the one before. Usual: 0.1 to 0.4; for a LoRA 0.3."""
    perturbation: float = Setting(
        0.0, "Input perturbation", ge=0, le=1, level="expert", aliases="ip_noise_gamma, perturbation_noise_weight"
    )
    """Gives the model's input a little more noise than its timestep has, as its own errors do when it samples
    (arXiv:2301.11706). Usual: 0, or 0.1."""
    perturbation_random: bool = Setting(
        False, "Random input perturbation", level="expert", aliases="ip_noise_gamma_random_strength"
    )
    """The strength of the perturbation is random for each image, between none and all of it."""


Weighting = Literal["none", "min_snr", "soft_min_snr", "p2", "debiased", "debiased_kohya", "sigma"]


class Objective(Section):
    """Objective"""

    prediction: Literal["auto", "epsilon", "v_prediction", "flow"] = Setting(
        "auto", "Prediction type", level="expert",
        aliases="v_parameterization, v_pred, force_v_prediction, force_epsilon_prediction, is_v_pred, rectified flow, "
        "flow matching",
    )  # fmt: skip
    """What the model predicts: noise (epsilon), v, or the velocity of a rectified flow. "auto" reads it from the model.
    Another one than the model's teaches it to predict that instead: a long run of all its layers, whose first
    samples are noise."""
    zero_terminal_snr: Literal["auto", "on", "off"] = Setting(
        "auto", "Zero terminal SNR", level="expert",
        aliases="ztsnr, rescale_betas_zero_snr, rescale_noise_scheduler_to_zero_terminal_snr",
    )  # fmt: skip
    """Whether the last timestep is pure noise, which allows very dark and very bright images. "auto" reads it from the
    model; only v-prediction can do it."""
    embedded_guidance: float = Setting(
        1.0, "Embedded guidance", ge=0, le=100, level="expert",
        aliases="guidance_scale, transformer.guidance_scale, distilled guidance, flux guidance",
    )  # fmt: skip
    """The guidance that the model is given as an input in training, where it has one (FLUX.1 dev, FLUX.2 dev).
    Prompts of samples have their own. Usual: 1."""
    weighting: Weighting = Setting(
        "none",
        "Loss weighting",
        aliases="loss_weight_fn, min_snr, debiased_estimation_loss, weighting_scheme, snr weighting, min_snr_gamma",
    )
    """How much each timestep counts in the loss. "min_snr" (arXiv:2303.09556) keeps timesteps with little noise from
    dominating: often faster and steadier. "soft_min_snr" does it without a kink, "debiased" (arXiv:2310.08442) and
    "p2" (arXiv:2204.00227) favour noisy timesteps more, "sigma" weights each timestep by its noise. "debiased_kohya" is
    debiased as sd-scripts computes it, which differs under v-prediction: for recipes that were made with it."""
    min_snr_gamma: float = Setting(
        5.0, "Min-SNR gamma", gt=0, le=100, when=When("objective.weighting", ("min_snr", "soft_min_snr")),
        aliases="snr_gamma, loss_weight_strength",
    )  # fmt: skip
    """The signal-to-noise ratio above which a timestep's weight no longer grows. Usual: 5; lower is flatter."""
    p2_gamma: float = Setting(1.0, "P2 gamma", ge=0, le=5, level="expert", when=When("objective.weighting", ("p2",)))
    """How strongly timesteps with little noise are held down. 0: not at all. Usual: 0.5 to 1."""
    loss: Loss = Loss()
    times: Times = Times()
    noise: Noise = Noise()
