"""What a file holds of one adapted layer, whatever the kind of adapter: the contract. One file here for each kind.

Shapes: I inputs, O outputs, R rank, k k the kernel of a convolution.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from modules.errors import UserError
from modules.formats.checkpoint import Link
from modules.sentences.problem import Problem


@dataclass(frozen=True)
class AdapterTensors(ABC):
    """One layer's update.

    DoRA (arXiv:2402.09353): `dora_scale` is the length to which the rows, (O, 1[, 1, 1]), or the columns,
    (1, I[, 1, 1]), of the changed weight are brought.
    """

    title: ClassVar[str]  # "LoHa"
    names: ClassVar[Mapping[str, str]]  # what a tensor is called here -> its ending in LyCORIS's and kohya's files
    of_outputs: ClassVar[tuple[str, ...]]  # the tensors whose first side is the outputs, or blocks of them

    values: Mapping[str, Tensor]  # by their names here
    alpha: float
    dora_scale: Tensor | None = None

    @property
    @abstractmethod
    def rank(self) -> int:
        """What alpha is divided by."""

    @property
    def scale(self) -> float:
        return self.alpha / self.rank

    @abstractmethod
    def invalid_reason(self) -> Problem | None:
        """What is wrong with the tensors among themselves."""

    @abstractmethod
    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether it was made for a weight of this shape."""

    @abstractmethod
    def delta_weight(self, weight: Tensor) -> Tensor:
        """What is added to the weight, in its shape; in fp32, and with a gradient where the tensors have one."""

    def changed(self, weight: Tensor) -> Tensor:
        """The weight with the update in it, in fp32. DoRA's lengths are constants to the gradient (its section 4.3)."""
        after = weight.float() + self.delta_weight(weight)
        if self.dora_scale is None:
            return after
        scale = broadcast_scale(self.dora_scale, after.shape)
        return after * (scale / norms(after.detach(), scale))

    def to(self, device: torch.device) -> Self:
        """The same tensors there."""
        scale = None if self.dora_scale is None else self.dora_scale.to(device)
        return replace(self, values={name: x.to(device) for name, x in self.values.items()}, dora_scale=scale)

    def entries(self) -> dict[str, Tensor]:
        """The tensors by their endings in kohya's files, without alpha."""
        found = {self.names[name]: tensor for name, tensor in self.values.items()}
        return found if self.dora_scale is None else {**found, "dora_scale": self.dora_scale}

    def with_alpha(self, alpha: float) -> Self:
        """The same update, told with another alpha: the first of its tensors takes up the difference."""
        if alpha == self.alpha:
            return self
        name = self.zero_init
        values = {**self.values, name: self.values[name] * (self.alpha / alpha)}
        return replace(self, values=values, alpha=alpha)

    def part(self, link: Link) -> AdapterTensors | None:
        """What it says of a layer that lies so in the one it was made for; None: it does not come apart there."""
        rows = {name: self.values[name] for name in self.of_outputs if name in self.values}
        scale = self.dora_scale
        if scale is not None and (scale.dim() < 2 or scale.shape[0] != 1):
            rows["dora_scale"] = scale
        elif scale is not None and link.form == "slice":  # lengths of columns, of all parts together
            return None
        if not all(link.divides(tensor.shape[0]) for tensor in rows.values()):
            return None
        rows = {name: link.read(tensor) for name, tensor in rows.items()}
        scale = rows.pop("dora_scale", scale)
        return replace(self, values={**self.values, **rows}, dora_scale=scale)

    @property
    @abstractmethod
    def zero_init(self) -> str:
        """The tensor that the whole update is in proportion to, and that starts at zero."""

    def sizes(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(tensor.shape) for name, tensor in self.values.items()}


def broadcast_scale(scale: Tensor, weight: Sequence[int]) -> Tensor:
    """DoRA's lengths as a weight of this shape is multiplied with them: for each output, or for each input.

    Raises:
        UserError: there are neither as many as outputs nor, side by side, as many as inputs.
    """
    by_column = scale.dim() > 1 and scale.shape[0] == 1 and weight[0] != 1
    if scale.numel() != weight[1 if by_column else 0]:
        raise UserError("adapter.dora-size", count=scale.numel(), shape=tuple(weight))
    ones = [1] * (len(weight) - 1)
    return scale.float().reshape(1, -1, *ones[1:]) if by_column else scale.float().reshape(-1, *ones)


def norms(weight: Tensor, like: Tensor) -> Tensor:
    """Of rows or columns, as `like` has them; never 0."""
    rows = weight if like.shape[0] == weight.shape[0] else weight.transpose(0, 1)
    found = torch.linalg.vector_norm(rows.flatten(1), dim=1, dtype=torch.float32)
    return found.clamp_min(torch.finfo(torch.float32).tiny).view(like.shape)


def merged_weight(weight: Tensor, update: AdapterTensors, scale: float = 1.0) -> Tensor:
    """The weight of a layer with an update in it, in the weight's own type; computed in fp32. `scale` 0: as it was.

    Raises:
        UserError: its DoRA does not fit the layer.
    """
    assert update.fits(tuple(weight.shape)), "whoever reads a file finds that out"
    after = update.changed(weight)
    return torch.lerp(weight.float(), after, scale).to(weight.dtype) if scale != 1 else after.to(weight.dtype)


def tucker(core: Tensor, outputs_RO: Tensor, inputs_RI: Tensor) -> Tensor:
    """(O, I, k, k) from a core (R, R, k, k) and a matrix for either side (arXiv:2108.06098, proposition 3)."""
    return torch.einsum("abhw,ao,bi->oihw", core, outputs_RO, inputs_RI)
