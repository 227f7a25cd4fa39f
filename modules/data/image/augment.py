"""Turned and coloured a little differently: which change a draw makes, and what it does to pixels.

One more change of colours is one row in COLOURS, one in concepts/images.EFFECTS, and its two settings.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, cos, radians, sin
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageEnhance

from modules.preset.sections.concept import Concept
from modules.preset.sections.concepts.images import EFFECTS
from modules.system.seeds import uniform_of


class Augmentation(NamedTuple):
    """What a draw does to a picture; by default nothing."""

    angle: float = 0.0  # degrees, counter-clockwise
    colours: tuple[tuple[str, float], ...] = ()  # by the names of COLOURS, in this order


def augmentation_of(concept: Concept, *rng_key: int | str) -> Augmentation:
    """The change that a concept's settings draw at an address."""
    if concept.augmented < 1 and uniform_of("augmented", *rng_key) >= concept.augmented:
        return Augmentation()
    drawn = {name: _amount(concept, name, *rng_key) for name in EFFECTS if getattr(concept, name)}
    angle = drawn.pop("rotation", 0.0)
    return Augmentation(angle, tuple(drawn.items()))


def _amount(concept: Concept, name: str, *rng_key: int | str) -> float:
    """The amount of one effect: as it is set, or uniform between minus and plus that."""
    most = float(getattr(concept, name))
    return most if getattr(concept, f"{name}_fixed") else abs(most) * (2 * uniform_of(name, *rng_key) - 1)


# Colours --------------------------------------------------------------------------------------------------------------


def with_colours(image: Image.Image, colours: tuple[tuple[str, float], ...]) -> Image.Image:
    """An RGB image after these changes, one after the other."""
    for name, amount in colours:
        image = COLOURS[name](image, amount)
    return image


def _hue(image: Image.Image, degrees: float) -> Image.Image:
    """All hues turned. In HSV of 8 bits, which turns in steps of 1.4 degrees."""
    hsv = np.array(image.convert("HSV"))
    hsv[..., 0] += np.uint8(round(degrees / 360 * 256) % 256)  # wraps around, as a colour wheel does
    return Image.fromarray(hsv, "HSV").convert("RGB")


COLOURS: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "brightness": lambda image, amount: ImageEnhance.Brightness(image).enhance(1 + amount),
    "contrast": lambda image, amount: ImageEnhance.Contrast(image).enhance(1 + amount),
    "saturation": lambda image, amount: ImageEnhance.Color(image).enhance(1 + amount),
    "hue": _hue,
}


# Rotation -------------------------------------------------------------------------------------------------------------


def margin_for(bucket: tuple[int, int], angle: float) -> tuple[int, int]:
    """How many pixels more, above and to the left, must be cut out so that no empty corners show when it is turned."""
    if not angle:
        return 0, 0
    height, width = bucket
    across, along = abs(sin(radians(angle))), abs(cos(radians(angle)))
    needed = width * across + height * along, width * along + height * across
    # One pixel more on each side for the interpolation.
    return max(0, ceil((needed[0] - height) / 2)) + 1, max(0, ceil((needed[1] - width) / 2)) + 1


def rotated(image: Image.Image, angle: float, margin: tuple[int, int]) -> Image.Image:
    """An image turned counter-clockwise, without its margin."""
    if not angle:
        return image
    down, across = margin
    image = image.rotate(angle, Image.Resampling.BICUBIC)
    return image.crop((across, down, image.width - across, image.height - down))
