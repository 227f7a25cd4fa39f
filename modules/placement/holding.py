"""How the frozen weights of a model are held, and where: what a plan decides, and what loading follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from modules.placement.frozen import KINDS, Fp8Weight, Packed, WholeWeight
from modules.placement.layers import packable_weights, put_packed
from modules.placement.offloading import offload, offloaded_blocks


@dataclass(frozen=True)
class Packing:
    """How one weight is held."""

    kind: type[Packed]
    aside: bool  # in main memory, and brought to the device when it is computed with

    @property
    def keeps_fp8(self) -> bool:
        """Whether it wants 8-bit floating-point numbers as the file has them."""
        return self.kind is Fp8Weight

    def put(self, layer: nn.Module, weight: Tensor, dtype: torch.dtype, scale: Tensor | None = None) -> None:
        """Give a layer this weight, which lies on the device. Packing is done there, too. `scale`: of one in fp8."""
        packed = Fp8Weight.of(weight, dtype, scale) if self.keeps_fp8 else self.kind.of(weight, dtype)
        if self.aside:
            for name, tensor in [*packed.named_buffers()]:
                packed.register_buffer(name, tensor.cpu())
        put_packed(layer, packed)


@dataclass(frozen=True)
class Holding:
    """How all frozen weights of a component are held."""

    kind: str = ""  # of KINDS; "": as they are
    offloaded: float = 0.0  # share of the blocks that lie in main memory

    def packings(self, module: nn.Module, is_plain: Callable[[str], bool]) -> dict[str, Packing]:
        """How each weight is held, by its name; the others as they are. `is_plain`: it has the model's precision."""
        if not self.kind and not self.offloaded:
            return {}
        starts = tuple(f"{path}." for path in offloaded_blocks(module, self.offloaded))
        kind = KINDS[self.kind] if self.kind else WholeWeight
        names = [name for name in packable_weights(module) if is_plain(name)]
        return {name: Packing(kind, aside) for name in names if (aside := name.startswith(starts)) or self.kind}

    def finish(self, module: nn.Module, device: torch.device) -> None:
        """What is left to do once all weights are there."""
        if self.offloaded:
            offload(module, offloaded_blocks(module, self.offloaded), device)


AS_THEY_ARE = Holding()
