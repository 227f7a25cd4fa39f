"""Repeated blocks as compiled graphs, where launching a step's many small operations takes as long as computing them.

One graph does for all blocks of a kind, since weights are its inputs, and one more for all sizes once a second size is
seen. A block whose weights are brought from main memory stays as it is: which slot it is in is decided as it runs.
"""

from __future__ import annotations

import warnings

import torch
from torch import nn

from modules.placement.frozen import Packed

BACKEND = "inductor"
GRAPHS = 64  # of one block: with and without an adapter, gradients and dropout, each for one size and for all


def compile_blocks(module: nn.Module) -> int:
    """Compile the blocks that diffusers calls repeated; gives how many. What cannot be compiled runs as it is."""
    from torch import _dynamo as dynamo  # noqa: PLC0415 - takes seconds

    dynamo.config.recompile_limit = GRAPHS
    dynamo.config.suppress_errors = True
    # It looks at `.grad` of all that enters a block; adapters' weights in the model's precision have none.
    warnings.filterwarnings("ignore", message="The .grad attribute of a Tensor")
    names = {*(getattr(module, "_repeated_blocks", None) or getattr(module, "_no_split_modules", None) or ())}
    blocks = [block for block in module.modules() if type(block).__name__ in names and not _is_offloaded(block)]
    for block in blocks:
        block.compile(backend=BACKEND)
    return len(blocks)


def why_not(device: torch.device) -> str:
    """Compile something small; what stands in the way, in the compiler's own words. "": nothing."""
    try:
        compiled = torch.compile(lambda x: x * 2 + 1, backend=BACKEND, fullgraph=True)
        compiled(torch.ones(8, device=device))
    except Exception as error:  # noqa: BLE001 - of any of four libraries
        return str(getattr(error, "inner_exception", error)).strip().partition("\n")[0] or type(error).__name__
    return ""


def _is_offloaded(block: nn.Module) -> bool:
    return any(isinstance(each, Packed) and each.brought for each in block.modules())
