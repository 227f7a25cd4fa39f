"""How much noise is practised: a distribution over the share of the noise, and what bends it.

A distribution is a row of SHAPES: the function that turns an even number into a share (its quantile function). Plain
numbers, no tensors: training draws with it, and the window shows it, from one definition.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

from modules.preset.setting import Section, Setting, When

EDGE = 2.0**-40  # even numbers stay this far from 0 and 1, where some distributions reach to infinity
GRID = 4096  # points on which a distribution that is known by its density alone is summed up


def _uniform(_: Times, u: float) -> float:
    return u


def _logit_normal(times: Times, u: float) -> float:
    """arXiv:2403.03206, eq. 19."""
    return _sigmoid(times.mean + times.spread * NormalDist().inv_cdf(u))


def _sigmoid_rise(times: Times, u: float) -> float:
    """Density sigmoid(k (t - c)): few clean images, many noisy ones, with a soft step between them."""
    k, c = times.steepness, times.centre
    low, high = _softplus(-k * c), _softplus(k * (1 - c))
    area = low + u * (high - low)
    return c + (area + math.log(-math.expm1(-area))) / k


def _heavy_tail(times: Times, u: float) -> float:
    """Mode sampling with heavy tails, arXiv:2403.03206, eq. 20."""
    return 1 - u - times.tail * (math.cos(math.pi / 2 * u) ** 2 - 1 + u)


def _cosine_map(_: Times, u: float) -> float:
    """arXiv:2403.03206, eq. 21: as if a cosine schedule had been practised evenly."""
    return 1 - 1 / (math.tan(math.pi / 2 * u) + 1)


def _beta(times: Times, u: float) -> float:
    """Beta(alpha, beta)."""
    return _interpolated(u, *_beta_sums(times.alpha, times.beta))


def _parabola(times: Times, u: float) -> float:
    """Density max(0, 1 - w (t - c)^2): the middle most, and what is far from it not at all."""
    return _interpolated(u, *_parabola_sums(times.steepness, times.centre))


SHAPES: dict[str, Callable[[Times, float], float]] = {
    "uniform": _uniform,
    "sigmoid": _sigmoid_rise,
    "logit_normal": _logit_normal,
    "heavy_tail": _heavy_tail,
    "cosine_map": _cosine_map,
    "inverted_parabola": _parabola,
    "beta": _beta,
}
if TYPE_CHECKING:
    ShapeName = str
else:
    ShapeName = Literal[*SHAPES]


def _for(*kinds: str) -> When:
    """Shown while the distribution is one of these."""
    return When("objective.times.kind", kinds)


class Times(Section):
    """Timesteps"""

    kind: ShapeName = Setting(
        "uniform",
        "Timestep distribution",
        aliases="timestep_sampling, timestep_type, timestep_sampler, timestep_sample_method, "
        "timestep_bias_strategy, timestep bias, weighting_scheme, content_or_style",
    )
    """Which noise levels are trained how often. "uniform": all alike, right for most. "logit_normal" and
    "inverted_parabola": the middle more. "sigmoid": the noisy half more. "heavy_tail", "cosine_map", "beta": see the
    curve."""
    mean: float = Setting(
        0.0, "Mean", ge=-10, le=10, level="expert", when=_for("logit_normal"), aliases="logit_mean, noising_bias"
    )
    """Above 0 trains noisier images, below 0 cleaner ones. Usual: 0."""
    spread: float = Setting(
        1.0, "Standard deviation", gt=0, le=10, level="expert", when=_for("logit_normal"),
        aliases="logit_std, noising_weight",
    )  # fmt: skip
    """Smaller gathers more closely around the middle. Usual: 1."""
    centre: float = Setting(0.5, "Centre", ge=0, le=1, level="expert", when=_for("sigmoid", "inverted_parabola"))
    """Where the curve has its middle: 0 is a clean image, 1 is all noise. Usual: 0.5."""
    steepness: float = Setting(
        8.0, "Steepness", gt=0, le=100, level="expert", when=_for("sigmoid", "inverted_parabola"),
        aliases="sigmoid_scale",
    )  # fmt: skip
    """Larger makes a sharper edge between timesteps that are trained and those that are not. Usual: 4 to 12."""
    tail: float = Setting(1.29, "Tail", ge=-1, le=1.75, level="expert", when=_for("heavy_tail"))
    """Above 0 the middle more, below 0 the ends more; 0 is uniform. Usual: 1.29."""
    alpha: float = Setting(2.0, "Alpha", ge=0.1, le=50, level="expert", when=_for("beta"))
    """Larger keeps away from clean images. Alpha and beta alike: the middle. Usual: 1 to 5."""
    beta: float = Setting(2.0, "Beta", ge=0.1, le=50, level="expert", when=_for("beta"))
    """Larger keeps away from pure noise."""
    shift: float = Setting(
        1.0,
        "Timestep shift",
        gt=0,
        le=100,
        level="expert",
        aliases="discrete_flow_shift, flow shift, training_shift, timestep_shift",
    )
    """Above 1 moves all timesteps towards noise, which large images and rectified flow want (arXiv:2403.03206, eq. 23).
    1: no shift. Usual for flow: 1 to 3."""
    dynamic_shift: bool = Setting(
        False, "Dynamic timestep shift", level="expert",
        aliases="dynamic_timestep_shifting, flux_shift, qwen_shift, flux2_shift, nextdit_shift, auto_shift, "
        "resolution dependent shift",
    )  # fmt: skip
    """Shifts by the size of the image, times the shift above: by the model's own curve where it has one (FLUX, Krea 2,
    Qwen-Image; kohya's flux_shift), else by the side over that the model was made for (arXiv:2403.03206, eq. 23)."""
    lower: float = Setting(
        0.0, "Minimum timestep", ge=0, lt=1, level="expert",
        aliases="min_timestep, min_noising_strength, min_denoising_steps, timestep_bias_begin",
    )  # fmt: skip
    """No image gets less noise than this, 0 to 1. 0: no limit. 0.5 and above trains composition, not detail."""
    upper: float = Setting(
        1.0, "Maximum timestep", gt=0, le=1, level="expert",
        aliases="max_timestep, max_noising_strength, max_denoising_steps, timestep_bias_end",
    )  # fmt: skip
    """No image gets more noise than this, 0 to 1. 1: no limit. 0.5 and below trains detail, not composition."""
    stratified: bool = Setting(
        False, "Stratified timesteps", level="expert", aliases="low discrepancy, antithetic timesteps"
    )
    """Draws the timesteps of a step from as many equal parts of the curve, so that no step happens to be all noise or
    all detail. A calmer loss; helps with 4 images a step and more."""

    def share(self, u: float, *, growth: float = 1.0) -> float:
        """The share of noise in [0, 1) for an even number `u` in [0, 1).

        `growth`: what `dynamic_shift` multiplies the shift by for the image's size (`Family.dynamic_shift`).
        """
        t = SHAPES[self.kind](self, min(max(u, EDGE), 1 - EDGE))
        shift = self.shift * (growth if self.dynamic_shift else 1.0)
        t = shift * t / (1 + (shift - 1) * t)
        t = self.lower + (self.upper - self.lower) * t
        return min(max(t, 0.0), 1 - 2.0**-53)


# numpy is imported where it is used: it would cost the window 70 ms at its start.


@cache
def _beta_sums(alpha: float, beta: float) -> tuple[Any, Any]:
    import numpy as np  # noqa: PLC0415

    t = (np.arange(GRID) + 0.5) / GRID
    return _summed_up(np.exp((alpha - 1) * np.log(t) + (beta - 1) * np.log1p(-t)))


@cache
def _parabola_sums(steepness: float, centre: float) -> tuple[Any, Any]:
    import numpy as np  # noqa: PLC0415

    # A trace of every time stays: the sums have to rise everywhere, or they could not be read backwards.
    t = (np.arange(GRID) + 0.5) / GRID
    return _summed_up(np.maximum(0.0, 1 - steepness * (t - centre) ** 2) + 1e-12)


def _summed_up(density: Any) -> tuple[Any, Any]:
    """The probability up to each edge of the grid's cells, and the edges."""
    import numpy as np  # noqa: PLC0415

    sums = np.concatenate([[0.0], np.cumsum(density)])
    return sums / sums[-1], np.linspace(0, 1, len(density) + 1)


def _interpolated(u: float, sums: Any, edges: Any) -> float:
    import numpy as np  # noqa: PLC0415

    return float(np.interp(u, sums, edges))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))
