"""Optimizers: the settings of each, over a well-kept library. Most are rows of a table; see `table.py` to add one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Union

from modules.preset.optimizers.custom import SGD, Adafactor, Muon, ProdigyScheduleFree
from modules.preset.optimizers.optimizer import Optimizer
from modules.preset.optimizers.other import Other
from modules.preset.optimizers.table import (
    ADAMW_8BIT,
    ADAPTIVE,
    CAME,
    D_ADAPTATION,
    EIGHT_BIT,
    LIKE_ADAM,
    LION,
    PRODIGY,
    SCHEDULE_FREE_ADAMW,
    SCHEDULE_FREE_OTHERS,
    AdamW,
)

# In the order of the form: what most people take first.
OPTIMIZERS: tuple[type[Optimizer], ...] = (
    AdamW, ADAMW_8BIT, Adafactor, PRODIGY, LION, CAME, SCHEDULE_FREE_ADAMW, ProdigyScheduleFree,
    *ADAPTIVE, Muon, *LIKE_ADAM, SGD, *SCHEDULE_FREE_OTHERS, *D_ADAPTATION, *EIGHT_BIT, Other,
)  # fmt: skip

if TYPE_CHECKING:
    AnyOptimizer = Optimizer
else:
    AnyOptimizer = Union[OPTIMIZERS]  # noqa: UP007  made of a tuple

__all__ = ["OPTIMIZERS", "AdamW", "AnyOptimizer", "Optimizer", "Other"]
