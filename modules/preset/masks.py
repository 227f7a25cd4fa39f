"""What counts in an image, where a mask says so."""

from __future__ import annotations

from modules.preset.setting import Section, Setting


class Masks(Section):
    """Masks"""

    unmasked_weight: float = Setting(0.1, "Unmasked weight", ge=0, le=1, level="expert")
    """How much the black parts of a mask count; white ones count 1. 0 learns nothing of the background, which then may
    drift. Usual: 0.1."""
    unmasked_probability: float = Setting(0.1, "Unmasked showings", ge=0, le=1, level="expert")
    """Share of showings in which the whole image counts, so that the model keeps the parts together. Usual: 0.1."""
    normalize: bool = Setting(True, "Balance by area", level="expert")
    """Divide the loss by the mean of the mask, so that an image with a small white part teaches as much as one with a
    large part. Off: small parts teach little."""
