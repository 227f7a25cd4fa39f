"""Weights of words: how loud each of them is in what a text encoder says.

Shapes: B captions, T tokens, D width of the encoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from modules.data.text.tokenizer import Chunk
from modules.system.devices import to_device


def weighted(hidden_BTD: Tensor, chunks: Sequence[Chunk]) -> Tensor:
    """What one encoder says of a chunk of each caption, each token times its weight, and the mean as it was.

    As A1111 does (its emphasis "Original") and kohya's weighted captions, with one difference: the mean is that of each
    caption by itself, not of all that are read together, so that neighbours change nothing.
    """
    rows = [chunk.weights or (1.0,) * hidden_BTD.shape[1] for chunk in chunks]
    weights_BT1 = to_device(torch.tensor(rows), hidden_BTD.device)[..., None]
    has_weights_B11 = to_device(torch.tensor([bool(chunk.weights) for chunk in chunks]), hidden_BTD.device)[
        :, None, None
    ]
    plain = hidden_BTD.float()
    scaled = plain * weights_BT1
    scaled = scaled * (plain.mean(dim=(1, 2), keepdim=True) / scaled.mean(dim=(1, 2), keepdim=True))
    return torch.where(has_weights_B11, scaled.to(hidden_BTD.dtype), hidden_BTD)
