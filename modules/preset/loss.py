"""How far the model's answer is from the right one: a mix of measures."""

from __future__ import annotations

from typing import Literal

from modules.preset.setting import Section, Setting


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
