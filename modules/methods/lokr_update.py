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
from modules.methods.update import Layer, is_wide, low_rank_size
from modules.preset.adapter_sizes import factors
from modules.preset.sections.method import LayerGroup, Lokr


class LokrUpdate(MergedUpdate[Lokr]):
    """The Kronecker product of a small matrix and a large one."""

    tensors_class: ClassVar[type[AdapterTensors]] = LokrTensors

    @classmethod
    def initial_tensors(
        cls, layer: Layer, settings: Lokr, layer_group: LayerGroup | None, generator: torch.Generator
    ) -> LokrTensors:
        """A matrix is split where that is smaller, else it is whole, by the same rules as in LyCORIS."""

        def drawn(*shape: int) -> Tensor:
            bound = 1 / math.sqrt(math.prod(shape[1:]))  # kaiming_uniform_ with a = sqrt(5)
            return torch.rand(shape, generator=generator) * (2 * bound) - bound

        rank, alpha = low_rank_size(layer, settings, layer_group)
        outputs, inputs, *kernel = layer.weight.shape
        (o, p), (i, q) = factors(outputs, settings.factor), factors(inputs, settings.factor)
        split = settings.decompose_both and not settings.full_matrix and rank < max(o, i) / 2
        values = {"w1_a": drawn(o, rank), "w1_b": drawn(rank, i)} if split else {"w1": drawn(o, i)}
        if settings.full_matrix or rank >= max(p, q) / 2:
            values["w2"] = torch.zeros(p, q, *kernel)
        elif settings.tucker and is_wide(layer):
            values |= {"t2": drawn(rank, rank, *kernel), "w2_a": drawn(rank, p), "w2_b": torch.zeros(rank, q)}
        else:
            values |= {"w2_a": drawn(p, rank), "w2_b": torch.zeros(rank, q * math.prod(kernel))}
        return LokrTensors(values, float(rank) if {"w1", "w2"} <= values.keys() else alpha)
