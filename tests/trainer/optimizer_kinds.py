"""Every optimizer that runs without a card, in the number formats that it may be used with."""

import pytest
import torch

from modules.preset.optimizers import OPTIMIZERS, Optimizer
from modules.preset.setting_info import kind_of

ALL = OPTIMIZERS
NAMED = {kind_of(kind): kind for kind in ALL}
KINDS = [kind for kind in ALL if not kind.paged]
FORMATS = [  # schedule-free in bf16 is refused by modules/preset/rules/training.py: its own average would be rounded
    pytest.param(kind, dtype, id=f"{kind_of(kind)} {dtype}")
    for kind in KINDS
    for dtype in (torch.float32, torch.bfloat16)
    if not (kind.is_schedule_free and dtype is torch.bfloat16)
]


def soon(kind: type[Optimizer]) -> Optimizer:
    """The settings, with the search for a rate begun where it is found within a test."""
    return kind(d0=1e-3) if kind.is_learning_rate_free else kind()
