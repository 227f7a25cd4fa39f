"""OFT (arXiv:2306.07280) beside a linear layer or a convolution: the layer's answers are turned, block by block.

Turning the answers costs less than turning the weight, whose gradient would have its full size.

Shapes: B batch, O outputs in N blocks of S.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from modules.formats.adapter import AdapterTensors
from modules.formats.oft import OftTensors, cayley_rotation
from modules.methods.update import Update
from modules.placement.frozen import Weight
from modules.placement.layers import Layer, frozen_forward, weight_of
from modules.preset.adapter_sizes import tensor_shapes
from modules.preset.sections.method import LayerGroup, Oft


class OftUpdate(Update[Oft]):
    """A turn for each block of outputs."""

    tensors_class: ClassVar[type[AdapterTensors]] = OftTensors

    @classmethod
    def initial_tensors(
        cls, layer: Layer, settings: Oft, layer_group: LayerGroup | None, generator: torch.Generator
    ) -> OftTensors:
        """No turn at all. Draws nothing."""
        shapes = tensor_shapes(tuple(weight_of(layer).shape), settings, layer_group)
        return OftTensors({name: torch.zeros(shape) for name, shape in shapes.items()}, settings.constraint)

    def tensors(self) -> AdapterTensors:
        """With the constraint worked in: programs disagree on what a file's alpha would mean."""
        return super().tensors().with_alpha(0.0)

    def changed(self, x: Tensor, weight: Weight, bias: Tensor | None) -> Tensor:
        layer = self.layer
        with torch.autocast(x.device.type, enabled=False):
            rotation = cayley_rotation(self.values["blocks"].float(), self.alpha * weight.shape[0])
            # As a difference, to be added to the answer as it is: beside a 1, bf16 would lose a small turn.
            rotation = (rotation - torch.eye(rotation.shape[-1], device=rotation.device)).to(x.dtype)
        plain = frozen_forward(layer, x, weight, bias)
        if isinstance(layer, nn.Linear):
            blocks = (plain if bias is None else plain - bias).reshape(-1, *rotation.shape[:2]).transpose(0, 1)
            return plain + torch.bmm(blocks, rotation).transpose(0, 1).reshape(plain.shape)
        blocks = (plain if bias is None else plain - bias[:, None, None]).unflatten(1, rotation.shape[:2])
        return plain + torch.einsum("nsm,bnshw->bnmhw", rotation, blocks).flatten(1, 2)
