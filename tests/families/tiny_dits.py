"""The denoisers of diffusers with one or two blocks and a few thousand weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from torch import nn

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "zimage": (
        "transformer_z_image:ZImageTransformer2DModel",
        {
            "dim": 16, "n_layers": 1, "n_refiner_layers": 1, "n_heads": 2, "n_kv_heads": 2, "cap_feat_dim": 8,
            "axes_dims": [4, 2, 2], "axes_lens": [8, 8, 8],
        },
    ),
}  # fmt: skip


def tiny(name: str) -> Callable[[], nn.Module]:
    """What makes it, when it is wanted."""
    path, config = MODELS[name]
    return partial(_made, path, config)


def _made(path: str, config: dict[str, Any]) -> nn.Module:
    module, _, name = path.partition(":")
    return getattr(import_module(f"diffusers.models.transformers.{module}"), name)(**config)
