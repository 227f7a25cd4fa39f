"""LoKr (arXiv:2309.14859, arXiv:2212.10650) beside a linear layer or a convolution.

Shapes: I inputs and O outputs, each a small and a large factor: O = o p, I = i q. R rank, k k the kernel.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from modules.formats.adapter import AdapterTensors
from modules.formats.lokr import LokrTensors
from modules.methods.merged_update import MergedUpdate
from modules.placement.layers import Layer, weight_of
from modules.preset.adapter_sizes import low_rank_size, tensor_shapes
from modules.preset.sections.method import LayerGroup, Lokr


class LokrUpdate(MergedUpdate[Lokr]):
    """The Kronecker product of a small matrix and a large one."""

    tensors_class: ClassVar[type[AdapterTensors]] = LokrTensors

    @classmethod
    def initial_tensors(
        cls, layer: Layer, settings: Lokr, layer_group: LayerGroup | None, generator: torch.Generator
    ) -> LokrTensors:
        """All are drawn but the last one, so that their product is nothing."""

        def drawn(shape: tuple[int, ...]) -> Tensor:
            bound = 1 / math.sqrt(math.prod(shape[1:]))  # kaiming_uniform_ with a = sqrt(5)
            return torch.rand(shape, generator=generator) * (2 * bound) - bound

        shape = tuple(weight_of(layer).shape)
        *first, (last, size) = tensor_shapes(shape, settings, layer_group).items()
        values = {**{name: drawn(each) for name, each in first}, last: torch.zeros(size)}
        rank, alpha = low_rank_size(shape, settings, layer_group)
        return LokrTensors(values, float(rank) if {"w1", "w2"} <= values.keys() else alpha)
