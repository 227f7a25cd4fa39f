"""Gradient checkpointing (arXiv:1604.06174): of as many blocks as are wanted, only what enters is kept.

What is inside is computed again on the way back. Blocks that work on most positions come first, for they keep most:
a U-Net's narrowest, since every level down has a quarter of the positions and at most twice the channels. They also
cost least to compute again for what they save. Among equals, as a transformer's are, the first ones come first: the
way back reaches them when what later blocks kept is gone, so what is computed again never lies on top of all that.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from modules.placement.layers import weight_of
from modules.placement.offloading import block_paths


def checkpoint_blocks(module: nn.Module, share: float = 1.0) -> None:
    """Checkpoint a share of a part's blocks; 1: all that diffusers or transformers would. It changes no bit.

    Nothing is wrapped: the libraries' own flags decide, and a compiled block is computed again as such. Both do it only
    in train mode, here in the form that also works when nothing before the block is trained.
    """
    found: Any = module
    chosen = checkpointed_blocks(module, share)
    if hasattr(module, "enable_gradient_checkpointing"):  # diffusers
        found.enable_gradient_checkpointing(None if share >= 1 else _only({id(block) for block in chosen}))
    else:  # transformers
        found.activation_checkpointing_enable({"use_reentrant": False})
        for block in set(_blocks(module)) - set(chosen):
            setattr(block, "gradient_checkpointing", False)  # noqa: B010
    module.train()


def checkpointed_blocks(module: nn.Module, share: float) -> list[nn.Module]:
    """The blocks that are computed twice."""
    blocks = _blocks(module)
    return sorted(blocks, key=_width)[: ceil(share * len(blocks) - 1e-9)]


def _blocks(module: nn.Module) -> list[nn.Module]:
    """Those that the library can checkpoint: in diffusers, what stands in a list of a module that has its flag."""
    if hasattr(module, "enable_gradient_checkpointing"):
        paths = (path for path in block_paths(module) if path.rpartition(".")[2].isdigit())
        owners = {path: module.get_submodule(".".join(path.split(".")[:-2])) for path in paths}
        return [
            module.get_submodule(path) for path, owner in owners.items() if hasattr(owner, "gradient_checkpointing")
        ]
    from transformers.modeling_layers import GradientCheckpointingLayer  # noqa: PLC0415 - it is loaded by now

    return [block for block in module.modules() if isinstance(block, GradientCheckpointingLayer)]


def _width(block: nn.Module) -> int:
    """The channels of what a block answers: no layer in it gives fewer."""
    layers = [layer for layer in block.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    return min((weight_of(layer).shape[0] for layer in layers), default=0)


def _only(chosen: set[int]) -> Callable[..., Any]:
    """What diffusers calls for each block: one that is not to be checkpointed is run as it is."""

    def run(block: Callable[..., Any], *inputs: Any) -> Any:
        return checkpoint(block.__call__, *inputs, use_reentrant=False) if id(block) in chosen else block(*inputs)

    return run
