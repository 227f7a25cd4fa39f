"""Sigma spacings: how the steps of a sampler are spread between all noise and none. A row each.

Shapes: N levels of noise as trained, from most to least; S steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

Curve = Callable[[np.ndarray, int], np.ndarray]


@dataclass(frozen=True)
class Spacing:
    """A spread of steps: even in time, as diffusers counts them, or a curve of our own over the noise.

    The curves are our own because diffusers begins and ends them at the first and the last step of the even spread with
    some samplers and at the ends of the noise with others, and spreads its beta over sigma where the paper (and every
    other program) spreads it over time.
    """

    title: str  # as A1111 writes it into its images; "" is not written
    even: str = "trailing"  # timestep_spacing of diffusers (arXiv:2305.08891, table 2)
    curve: Curve | None = None


def karras(sigmas_N: np.ndarray, steps: int) -> np.ndarray:
    """Even in sigma^(1/7): many steps where little noise is left (arXiv:2206.00364, eq. 5)."""
    first, last = sigmas_N[0] ** (1 / 7), sigmas_N[-1] ** (1 / 7)
    return (first + np.linspace(0, 1, steps) * (last - first)) ** 7


def exponential(sigmas_N: np.ndarray, steps: int) -> np.ndarray:
    """Even in log sigma."""
    return np.exp(np.linspace(np.log(sigmas_N[0]), np.log(sigmas_N[-1]), steps))


def beta(sigmas_N: np.ndarray, steps: int) -> np.ndarray:
    """Times by the quantiles of Beta(0.6, 0.6): many steps at both ends (arXiv:2407.12173, section 3.2)."""
    shares_S = 1 - np.linspace(0, 1, steps, endpoint=False)
    times_S = np.rint(np.interp(shares_S, *_beta_sums(0.6)) * (len(sigmas_N) - 1)).astype(int)
    return sigmas_N[::-1][times_S]


@cache
def _beta_sums(shape: float) -> tuple[np.ndarray, np.ndarray]:
    """The distribution function of Beta(shape, shape) as a table: shares, and where they are reached.

    With x = sin^2(phi) the density x^(a-1) (1-x)^(a-1) dx is 2 (sin phi cos phi)^(2a-1) dphi, which is finite at both
    ends for a > 0.5; the midpoints of fine pieces then give six digits.
    """
    edges = np.linspace(0, np.pi / 2, 200_001)
    middles = (edges[1:] + edges[:-1]) / 2
    density = (np.sin(middles) * np.cos(middles)) ** (2 * shape - 1)
    sums = np.concatenate([[0.0], np.cumsum(density)])
    return sums / sums[-1], np.sin(edges) ** 2


SPACINGS: dict[str, Spacing] = {
    "default": Spacing(""),
    "uniform": Spacing("Uniform", even="linspace"),
    "leading": Spacing("DDIM", even="leading"),
    "karras": Spacing("Karras", curve=karras),
    "exponential": Spacing("Exponential", curve=exponential),
    "beta": Spacing("Beta", curve=beta),
}
