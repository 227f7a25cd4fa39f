"""Weights of words: how loud each of them is in what a text encoder says.

Shapes: B captions, T tokens, D width of the encoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from modules.data.tokens import Chunk
from modules.system.devices import sent


def weighted(said_BTD: Tensor, chunks: Sequence[Chunk]) -> Tensor:
    """What one encoder says of a chunk of each caption, each token times its weight, and the mean as it was.

    As A1111 does (its emphasis "Original") and kohya's weighted captions, with one difference: the mean is that of each
    caption by itself, not of all that are read together, so that neighbours change nothing.
    """
    rows = [chunk.weights or (1.0,) * said_BTD.shape[1] for chunk in chunks]
    weights_BT1 = sent(torch.tensor(rows), said_BTD.device)[..., None]
    speaks_B11 = sent(torch.tensor([bool(chunk.weights) for chunk in chunks]), said_BTD.device)[:, None, None]
    plain = said_BTD.float()
    loud = plain * weights_BT1
    loud = loud * (plain.mean(dim=(1, 2), keepdim=True) / loud.mean(dim=(1, 2), keepdim=True))
    return torch.where(speaks_B11, loud.to(said_BTD.dtype), said_BTD)
