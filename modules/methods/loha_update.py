"""LoHa (arXiv:2108.06098) beside a linear layer or a convolution."""

from __future__ import annotations

from typing import ClassVar

import torch

from modules.formats.adapter import AdapterTensors
from modules.formats.loha import LohaTensors
from modules.methods.merged_update import MergedUpdate
from modules.placement.layers import Layer, weight_of
from modules.preset.adapter_sizes import low_rank_size, tensor_shapes
from modules.preset.sections.method import LayerGroup, Loha

SPREADS = {"w1_a": 0.1, "w1_b": 1.0, "t1": 0.1, "t2": 0.1, "w2_b": 1.0, "w2_a": 0.0}


class LohaUpdate(MergedUpdate[Loha]):
    """The product of two low-rank matrices, number by number."""

    tensors_class: ClassVar[type[AdapterTensors]] = LohaTensors

    @classmethod
    def initial_tensors(
        cls, layer: Layer, settings: Loha, layer_group: LayerGroup | None, generator: torch.Generator
    ) -> LohaTensors:
        """Sizes of the first numbers as LyCORIS has them: 1 for inputs, 0.1 for outputs and cores, 0 for one matrix."""
        shape = tuple(weight_of(layer).shape)
        values = {
            name: torch.randn(size, generator=generator) * SPREADS[name] if SPREADS[name] else torch.zeros(size)
            for name, size in tensor_shapes(shape, settings, layer_group).items()
        }
        return LohaTensors(values, low_rank_size(shape, settings, layer_group)[1])
