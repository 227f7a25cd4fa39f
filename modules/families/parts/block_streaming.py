"""A frozen text encoder that is larger than what is free: its blocks are read one by one, each time it is asked.

Of 8 GB of a language model no more than its table of words and one block are held.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial

from torch import nn

BLOCK = re.compile(
    r"(layers|blocks|encoder\.block|(text_model\.)?encoder\.layers)\.\d+(?=\.)"
)  # of language models, T5, CLIP, conditioners


def block_path(name: str) -> str:
    """The path of the block that a tensor stands in; "" outside of them."""
    match = BLOCK.match(name)
    return match[0] if match else ""


def stream_blocks(
    module: nn.Module, blocks: Iterable[str], fill: Callable[[str], None], empty: Callable[[str], None]
) -> None:
    """Have each block, by its path, filled before it is run and emptied after it."""
    for path in blocks:
        block = module.get_submodule(path)
        block.register_forward_pre_hook(partial(_call, fill, path))
        block.register_forward_hook(partial(_call, empty, path), always_call=True)


def _call(act: Callable[[str], None], path: str, *_hook: object) -> None:
    act(path)
