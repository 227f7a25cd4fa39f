"""The contract of transformers whose pipelines hold latents as tokens, four of a square in each."""

from __future__ import annotations

from torch import Tensor

from modules.families.family import Family
from modules.families.parts.dit.packing import packed, unpacked
from tests.families.dit_contract import DitContract


class PackedContract(DitContract):
    """Latents are compared as the contract has them."""

    def unpacked(self, family: Family, latents: Tensor, height: int, width: int) -> Tensor:
        return unpacked(latents, height // family.downscale, width // family.downscale)

    def packed(self, family: Family, latents_BChw: Tensor) -> Tensor:
        del family
        return packed(latents_BChw)
