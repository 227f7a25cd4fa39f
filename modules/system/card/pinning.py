"""Main memory that a card copies from by itself, while it computes."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import is_fake


def pinned(size: int) -> Tensor:
    """So many bytes of main memory that stay where they are, for a card to copy from.

    torch's own pinned memory comes in powers of two: of a model, up to twice what it needs. So ordinary memory is
    registered instead; it is let go when the tensor is. Where the system pins no more, it is ordinary memory: a copy
    from it is right, and slower.
    """
    room = torch.empty(size, dtype=torch.uint8)
    if is_fake(room):
        return room.pin_memory()
    cudart: Any = torch.cuda.cudart()
    if int(cudart.cudaHostRegister(room.data_ptr(), size, 0)) != 0:
        return room
    weakref.finalize(room.untyped_storage(), cudart.cudaHostUnregister, room.data_ptr())
    return room
