"""Spending time to save memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from modules.families import Family


def compute_twice(family: Family, parts: Iterable[str]) -> None:
    """Gradient checkpointing (arXiv:1604.06174): keep what enters a block, compute its inside again when going back.

    Both libraries do it only in train mode, and by the form that also works when nothing before the block is trained.
    """
    for name in parts:
        module: Any = family.part(name)
        if hasattr(module, "enable_gradient_checkpointing"):  # diffusers
            module.enable_gradient_checkpointing()
        else:  # transformers
            module.activation_checkpointing_enable({"use_reentrant": False})
        module.train()
