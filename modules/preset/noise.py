"""Which noise is laid over the images."""

from __future__ import annotations

from modules.preset.setting import Section, Setting


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
