"""The catalog of model families: what forms and checks must know before torch is imported."""

from __future__ import annotations

from modules.catalog import anima, chroma, flux1, flux2, krea2, qwen_image, sd, sd3, sdxl, zimage
from modules.catalog.card import ComponentSpec, FamilyCard, RateRange, SamplingDefaults, Variant, component_label
from modules.catalog.layers import LayerSet

__all__ = [
    "FAMILIES", "USUAL_FAMILY", "ComponentSpec", "FamilyCard", "LayerSet", "RateRange", "SamplingDefaults", "Variant",
    "component_label",
]  # fmt: skip

FAMILIES: dict[str, FamilyCard] = {
    "sd": sd.CARD, "sdxl": sdxl.CARD, "zimage": zimage.CARD, "flux2_klein": flux2.KLEIN, "flux2": flux2.DEV,
    "flux1": flux1.CARD,
    "chroma": chroma.CARD,
    "krea2": krea2.CARD,
    "anima": anima.CARD,
    "qwen_image": qwen_image.CARD,
    "sd3": sd3.CARD,
}  # fmt: skip
USUAL_FAMILY = next(iter(FAMILIES))  # of a preset that names none


def most_text_encoders() -> int:
    """Of all families: how many text encoders settings and forms have room for."""
    return max(len(card.text_encoders) for card in FAMILIES.values())
