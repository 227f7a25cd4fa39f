"""How far a flow's sampling times are moved towards noise, by the size of the image: larger ones want more.

Every rule gives the number a of s' = a s / (1 + (a - 1) s) (arXiv:2403.03206, eq. 23). diffusers' mu is its logarithm,
so that its schedulers are set with a number and need no mu.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp
from typing import Any, Protocol

TOKEN = 16  # pixels on a side of what a DiT sees as one: 8 of a latent, 2x2 latents in one


class Shift(Protocol):
    """A rule."""

    def at(self, height: int, width: int, steps: int | None = None) -> float:
        """The shift for a size in pixels; `steps` of sampling, None in training."""
        ...


@dataclass(frozen=True)
class ConstantShift:
    """The same for every size. SD 3, Z-Image, Anima."""

    value: float = 1.0

    def at(self, height: int, width: int, steps: int | None = None) -> float:
        del height, width, steps
        return self.value


@dataclass(frozen=True)
class DynamicShift:
    """e^mu, mu on a line through two numbers of tokens. FLUX.1 (the defaults), Qwen-Image, Krea 2."""

    base: float = 0.5
    most: float = 1.15
    base_tokens: int = 256
    most_tokens: int = 4096
    exponential: bool = True  # False: the line is the shift itself

    def at(self, height: int, width: int, steps: int | None = None) -> float:
        del steps
        slope = (self.most - self.base) / (self.most_tokens - self.base_tokens or 1)
        mu = self.base + slope * (tokens(height, width) - self.base_tokens)
        return exp(mu) if self.exponential else mu


@dataclass(frozen=True)
class Flux2Shift:
    """FLUX.2: fitted by its makers to size and number of steps. In training as FLUX.1, which asks for less."""

    def at(self, height: int, width: int, steps: int | None = None) -> float:
        if steps is None:
            return DynamicShift().at(height, width)
        many = tokens(height, width)
        at_200 = 0.00016927 * many + 0.45666666
        if many > 4300:
            return exp(at_200)
        at_10 = 8.73809524e-05 * many + 1.89833333
        return exp(at_200 + (at_200 - at_10) / 190 * (steps - 200))


def tokens(height: int, width: int) -> int:
    return (height // TOKEN) * (width // TOKEN)


def shift_in_config(config: Mapping[str, Any]) -> Shift | None:
    """The rule that the config of a flow's scheduler states, as diffusers writes it; None where it states none."""
    if config.get("use_dynamic_shifting"):
        names = ("base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len")
        said = {key: config.get(name) for key, name in zip(DynamicShift.__dataclass_fields__, names, strict=False)}
        exponential = config.get("time_shift_type", "exponential") == "exponential"
        return DynamicShift(**{key: x for key, x in said.items() if x is not None}, exponential=exponential)
    value = config.get("shift", config.get("flow_shift"))
    return None if value is None else ConstantShift(float(value))
