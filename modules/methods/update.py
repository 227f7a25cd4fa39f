"""What an adapter adds to one frozen layer, whatever its kind: the contract. One file here for each kind.

Shapes: B batch, O outputs, R rank.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from modules.errors import UserError
from modules.families.family import Family
from modules.families.parts.adapter_origin import read_for
from modules.formats.adapter import AdapterTensors, broadcast_scale, norms
from modules.formats.adapter_files import check_kind
from modules.placement.frozen import Weight
from modules.placement.layers import Layer, frozen_forward, weight_of
from modules.preset.sections.method import Adapter as Settings
from modules.preset.sections.method import LayerGroup, LowRank
from modules.sentences.problem import problem
from modules.sentences.render import fix

Kind = TypeVar("Kind", bound=Settings)


class Update(ABC, Generic[Kind]):
    """`attach` puts the update into its layer, `detach` takes it out again.

    The parameters live here and not in the layer: the model's own names stay as they are.
    """

    tensors_class: ClassVar[type[AdapterTensors]]

    def __init__(self, layer: Layer, tensors: AdapterTensors, settings: Kind, dtype: torch.dtype) -> None:
        """Begin with these tensors, wherever they lie; they are held in `dtype` beside the layer."""
        assert type(tensors) is self.tensors_class
        self.layer, self.settings, self.alpha = layer, settings, tensors.alpha
        device = weight_of(layer).device
        self.values = {n: nn.Parameter(t.to(device, dtype, copy=True)) for n, t in tensors.values.items()}
        self.strength = 1.0  # how much of the update is in the layer's answer: for samples
        self.lowered: dict[str, Tensor] = {}  # values in the model's precision, for the passes of one step
        self.gate_BX: Tensor | None = None  # how loud the update is for each image, X: 1, or for each output
        self.magnitude = self._initial_magnitude(tensors, dtype)  # DoRA's, one for each input or output

    @classmethod
    @abstractmethod
    def initial_tensors(
        cls, layer: Layer, settings: Kind, layer_group: LayerGroup | None, generator: torch.Generator
    ) -> AdapterTensors:
        """What a fresh update begins with: tensors on the CPU, in fp32, which together change nothing.

        `layer_group`: the settings of the layer's group.
        """

    # What is learnt
    def parameters(self) -> dict[str, nn.Parameter]:
        return self.values if self.magnitude is None else {**self.values, "magnitude": self.magnitude}

    def rates(self) -> Mapping[str, float]:
        """How many times the learning rate holds for some of the parameters (LoRA+); 1 for the others."""
        return {}

    def tensors(self) -> AdapterTensors:
        """What a file holds of this."""
        values = {name: parameter.detach() for name, parameter in self.values.items()}
        scale = None if self.magnitude is None else self.magnitude.detach().view(self.magnitude_shape)
        return self.tensors_class(values, self.alpha, scale)

    # What it does
    @property
    def cast_values(self) -> list[str]:
        """Which values each pass needs in the model's precision as they are."""
        return []

    def value_in(self, name: str, dtype: torch.dtype) -> Tensor:
        """A value in a precision, without a gradient: the copy of this step, if there is one."""
        lowered = self.lowered.get(name)
        if lowered is not None and lowered.dtype is dtype and torch.is_grad_enabled():
            return lowered
        return self.values[name].detach().to(dtype)

    def attach(self) -> None:
        vars(self.layer)["forward"] = self.forward  # an attribute of the instance hides the method of the class

    def detach(self) -> None:
        del vars(self.layer)["forward"]

    def forward(self, x: Tensor) -> Tensor:
        layer, weight, device = self.layer, weight_of(self.layer), x.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
        x, bias = x.to(dtype), None if layer.bias is None else layer.bias.to(dtype)
        changed = self.changed(x, weight, bias)
        if self.strength != 1:
            return torch.lerp(frozen_forward(layer, x, weight, bias), changed, self.strength)
        if self.gate_BX is None or not layer.training:
            return changed
        gate, ones = self.gate_BX.to(dtype), [1] * (x.dim() - 2)
        gate = gate.view(*gate.shape, *ones) if isinstance(layer, nn.Conv2d) else gate.view(len(gate), *ones, -1)
        return torch.lerp(frozen_forward(layer, x, weight, bias), changed, gate)

    @abstractmethod
    def changed(self, x: Tensor, weight: Weight, bias: Tensor | None) -> Tensor:
        """The layer's answer with the update in it, in the dtype of `x` and `bias`; nothing unpacked is kept."""

    # Dropout
    @property
    def width(self) -> int:
        """How many parts of the update rank dropout can silence: its outputs, or its ranks."""
        return weight_of(self.layer).shape[0]

    def set_dropout(self, kept_BX: Tensor | None, layer_B1: Tensor | None) -> None:
        """How loud the parts of the update, and all of it, are for each image of the next batch. None: as ever."""
        if kept_BX is None or layer_B1 is None:
            self.gate_BX = kept_BX if layer_B1 is None else layer_B1
        else:
            self.gate_BX = kept_BX * layer_B1

    @property
    def has_element_dropout(self) -> bool:
        """Whether it wants `scatter` before each batch."""
        return False

    def scatter(self, seeds_B: Tensor) -> None:
        """Addresses of the chance of this layer for each image, for dropout of single numbers."""

    # Bounds
    def limit(self, bad: Tensor | None) -> None:
        """After a step: bring the update to the length that the settings allow. `bad`: change nothing."""

    @property
    def by_input(self) -> bool:
        """Whether DoRA has a magnitude for each input, not for each output."""
        return isinstance(self.settings, LowRank) and self.settings.dora_axis == "inputs"

    @property
    def magnitude_shape(self) -> tuple[int, ...]:
        """That of DoRA's magnitudes in files: (1, I[, 1, 1]) or (O, 1[, 1, 1])."""
        shape, axis = weight_of(self.layer).shape, int(self.by_input)
        return tuple(size if side == axis else 1 for side, size in enumerate(shape))

    def _initial_magnitude(self, tensors: AdapterTensors, dtype: torch.dtype) -> nn.Parameter | None:
        """DoRA's magnitudes: from a file, or as the weight and the update have them now."""
        scale, wanted = tensors.dora_scale, isinstance(self.settings, LowRank) and self.settings.dora
        if not wanted:
            if scale is None:
                return None
            raise UserError("start-from.dora", "method.dora")
        weight = weight_of(self.layer)
        if scale is None:
            with torch.no_grad():
                after = self.tensors_class(self.values, self.alpha).changed(weight.unpack(weight.dtype))
                scale = norms(after, after.new_empty(self.magnitude_shape))
        elif broadcast_scale(scale, weight.shape).shape != self.magnitude_shape:
            other = "outputs" if self.by_input else "inputs"
            raise UserError(
                "start-from.dora-axis", "method.start_from", other=other, axis="inputs" if self.by_input else "outputs"
            )
        return nn.Parameter(scale.flatten().to(weight.device, dtype, copy=True))


def scale_to_norm(values: Mapping[str, Tensor], norm: Tensor, most: float, bad: Tensor | None) -> None:
    """Scale tensors whose product has this norm, each alike, so that it is at most `most`; nothing waits."""
    factor = (most / norm.clamp_min(torch.finfo(norm.dtype).tiny)).clamp(max=1) ** (1 / len(values))
    if bad is not None:
        factor = torch.where(bad, torch.ones_like(factor), factor)
    for tensor in values.values():
        tensor.mul_(factor.to(tensor.dtype))


def read_start_file(family: Family, settings: Settings, unread: list[str] | None = None) -> dict[str, AdapterTensors]:
    """The updates of `method.start_from`; the names of what is left out go to `unread`.

    Raises:
        UserError: damaged, made for another model, or with tensors that cannot be read and may not be left out.
    """
    skipped = (unread if unread is not None else []) if settings.skip_unread else None
    skip = [fix("fix.skip-unread", {"method.skip_unread": True})]
    return read_for(family, Path(settings.start_from).expanduser(), skipped, fixes=skip)


def check_start(tensors: AdapterTensors, wanted: AdapterTensors, name: str, *, any_size: bool) -> None:
    """Find out whether an update can go on from what a file holds of it.

    Raises:
        UserError: it is of another kind or, unless `any_size`, has other sizes.
    """
    check_kind(tensors, wanted.title.lower(), name)
    here, there = wanted.sizes(), tensors.sizes()
    if here != there and not any_size:
        differ = [which for which in {**there, **here} if here.get(which) != there.get(which)]
        sizes = {which: (list(there.get(which, ())), list(here.get(which, ()))) for which in differ}
        parts = [problem("start-from.part", part=which, theirs=a, own=b) for which, (a, b) in sizes.items()]
        raise UserError(
            "start-from.rank", "method.start_from", layer=name, theirs=tensors.rank, own=wanted.rank, parts=parts
        )
