"""Chance for very many numbers at once, made where they are needed: no draw on the CPU, no copy, no generator.

A number's chance is a hash of its address, as everywhere in Seachange: a seed and its place.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

# Multipliers of splitmix64's mixer (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014) as signed
# numbers, and the golden ratio by which it goes from place to place. torch's integers wrap around, as they must.
STEP = 0x9E3779B97F4A7C15 - 2**64
FIRST, SECOND = 0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64


def dropout_mask(seeds_B: Tensor, shape: tuple[int, ...], dropped: float) -> Tensor:
    """(B, *shape) in fp32: 0 for a share of `dropped`, and for the others what makes up for it.

    `seeds_B`: int64, one for each image, on the device that the answer is wanted on.
    """
    places = torch.arange(1, prod(shape) + 1, device=seeds_B.device).view(1, *shape)
    mixed = places * STEP + seeds_B.view(-1, *[1] * len(shape))
    mixed = (mixed ^ _shifted(mixed, 30)) * FIRST
    mixed = (mixed ^ _shifted(mixed, 27)) * SECOND
    chance = _shifted(mixed ^ _shifted(mixed, 31), 40)  # the upper 24 bits
    return (chance >= round(dropped * 2**24)).float() / (1 - dropped)


def _shifted(bits: Tensor, by: int) -> Tensor:
    """To the right, with zeros coming in, where torch would copy the sign."""
    return (bits >> by) & ((1 << (64 - by)) - 1)
