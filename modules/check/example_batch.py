"""A batch of noise with real captions: what a step is counted and timed with.

Shapes: B batch, C latent channels, h w latent size, H W pixel size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from modules.data.batches import Batch
from modules.data.index import Item
from modules.families import Family
from modules.trainer.step.encoders import FamilyEncoders

Row = Mapping[str, Tensor]


def example_batch(
    family: Family, items: Sequence[Item], *, caches_latents: bool, caches_text: bool, row: Row | None = None
) -> Batch:
    """Items of one bucket as a run has them; under `FakeTensorMode` without numbers. Equal captions are read once.

    `row`: what each caption says, where somebody knows; then nothing is read.
    """
    (height, width), count = items[0].bucket, len(items)
    captions = tuple(item.captions[0] for item in items)
    generator = torch.Generator().manual_seed(0)
    text = None
    if caches_text:
        different = list(dict.fromkeys(captions))
        read = FamilyEncoders(family).encode_text(different) if row is None else [dict(row)] * len(different)
        rows = dict(zip(different, read, strict=True))
        text = [rows[caption] for caption in captions]
    latents = pixels = None
    if caches_latents:
        size_hw = (height // family.downscale, width // family.downscale)
        latents = torch.randn(count, family.channels, *size_hw, generator=generator)
    else:
        pixels = torch.rand(count, 3, height, width, generator=generator) * 2 - 1
    return Batch(
        items=tuple(items),
        repeats=(0,) * count,
        captions=captions,
        latents_BChw=latents,
        pixels_B3HW=pixels,
        text=text,
        sizes_B6=torch.tensor([[height, width, 0, 0, height, width]] * count),
        loss_weights_B=torch.ones(count),
    )
