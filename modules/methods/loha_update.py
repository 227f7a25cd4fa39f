"""LoHa (arXiv:2108.06098) beside a linear layer or a convolution.

Shapes: I inputs, O outputs, R rank, k k the kernel.
"""

from __future__ import annotations

from math import prod
from typing import ClassVar

import torch

from modules.formats.adapter import AdapterTensors
from modules.formats.loha import LohaTensors
from modules.methods.merged_update import MergedUpdate
from modules.methods.update import Layer, is_wide, low_rank_size
from modules.preset.sections.method import LayerGroup, Loha


class LohaUpdate(MergedUpdate[Loha]):
    """The product of two low-rank matrices, number by number."""

    tensors_class: ClassVar[type[AdapterTensors]] = LohaTensors

    @classmethod
    def initial_tensors(
        cls, layer: Layer, settings: Loha, layer_group: LayerGroup | None, generator: torch.Generator
    ) -> LohaTensors:
        """Sizes of the first numbers as LyCORIS has them: 1 for inputs, 0.1 for outputs and cores, 0 for one matrix."""

        def drawn(spread: float, *shape: int) -> torch.Tensor:
            return torch.randn(shape, generator=generator) * spread

        rank, alpha = low_rank_size(layer, settings, layer_group)
        outputs, inputs, *kernel = layer.weight.shape
        if settings.tucker and is_wide(layer):
            values = {
                "w1_a": drawn(0.1, rank, outputs), "w1_b": drawn(1, rank, inputs),
                "t1": drawn(0.1, rank, rank, *kernel), "t2": drawn(0.1, rank, rank, *kernel),
                "w2_b": drawn(1, rank, inputs), "w2_a": torch.zeros(rank, outputs),
            }  # fmt: skip
        else:
            inputs *= prod(kernel)
            values = {
                "w1_a": drawn(0.1, outputs, rank), "w1_b": drawn(1, rank, inputs),
                "w2_b": drawn(1, rank, inputs), "w2_a": torch.zeros(outputs, rank),
            }  # fmt: skip
        return LohaTensors(values, alpha)
