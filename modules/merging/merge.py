"""One model out of several. Each tensor is made when it is written: memory holds one of each model and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from modules.families.parts import building
from modules.families.parts.pipeline import DiffusersFamily
from modules.formats.adapter import AdapterTensors, merged_weight
from modules.merging.blocks import Blocks
from modules.merging.combine import METHODS, NEED_BASE, Mix
from modules.merging.models import Model, check_sizes, finite, room_for

WITHOUT_SHARES = ("model_stock", "geometric_median")  # what they find follows from the models alone
Loras = Sequence[tuple[Mapping[str, AdapterTensors], float]]  # by "component|module path", and its strength


@dataclass(frozen=True)
class How:
    """What is made of the models.

    `mix.shares`: of each model after the first; of methods without shares, how far from the first model to what they
    find, once. `ratios`: of blocks that have one of their own, in the place of the first share.
    """

    method: str
    mix: Mix
    ratios: Mapping[str, float] = field(default_factory=dict[str, float])
    components: tuple[str, ...] = ("denoiser",)  # that are merged; the others are the first model's

    def shares(self, block: str) -> tuple[float, ...]:
        """What they are in a block: if its ratio is another, all of them change in proportion."""
        shares = self.mix.shares
        if not shares or block not in self.ratios:
            return shares
        ratio = self.ratios[block]
        return tuple(share * ratio / shares[0] if shares[0] else ratio for share in shares)


class Merged(Mapping[str, Tensor]):
    """The tensors of one component of the result by their names in the module, each made when it is asked for."""

    def __init__(
        self, family: DiffusersFamily, component: str, models: Sequence[Model], base: Model | None,
        make: Callable[[str, str, Sequence[Tensor], Tensor | None], Tensor],
    ) -> None:  # fmt: skip
        self._component, self._make, self._models, self._base = component, make, models, base
        module = family.empty(component)
        self._shapes = {name: tuple(tensor.shape) for name, tensor in building.saved_tensors(module).items()}
        self._files = {name: building.file_name(name, module) for name in self._shapes}
        self._rooms: list[Tensor | None] = []

    def __len__(self) -> int:
        return len(self._shapes)

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __contains__(self, name: object) -> bool:
        return name in self._shapes  # a mapping would make the tensor to find that out

    def __getitem__(self, name: str) -> Tensor:
        sources = [*self._models, *([self._base] if self._base else [])]
        tensors: list[Tensor] = []
        for model, room in zip(sources, self._scratch(sources), strict=True):
            tensors.append(self._read(model, name, room, tensors[0] if tensors else None))
            if not tensors[0].is_floating_point():
                return tensors[0].clone()
        base = tensors.pop() if self._base else None
        return self._make(self._component, name, tensors, base)

    def _read(self, model: Model, name: str, room: Tensor | None, instead: Tensor | None) -> Tensor:
        """A tensor of a model, or what stands in its place where the model has none."""
        weights, file = model.weights.get(self._component), self._files[name]
        if instead is not None and (weights is None or file not in weights.shapes):
            return instead
        assert weights is not None
        return finite(weights, file, model.name, room).reshape(self._shapes[name])

    def _scratch(self, sources: Sequence[Model]) -> Sequence[Tensor | None]:
        """Where tensors are read to; nowhere for a single one, which may be the result."""
        if not self._rooms:
            several = [model.weights.get(self._component) for model in sources] if len(sources) > 1 else [None]
            self._rooms = [room_for(weights, self._files.values()) if weights else None for weights in several]
        return self._rooms


def merged(
    models: Sequence[Model], base: Model | None, how: How, loras: Loras = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Merged]:  # fmt: skip
    """The result by component; nothing is computed before a tensor is asked for.

    Raises:
        UserError: the models differ in the size of a tensor.
    """
    family = models[0].family
    assert family is not None, "the first model is whole"
    blocks, done, base = Blocks(family), 0, base if how.method in NEED_BASE else None
    own = [name for name in how.components if len(models) > 1]
    changed = [name for name in family.component_names if name in own or any(_holds(lora, name) for lora, _ in loras)]
    total = sum(len(building.saved_tensors(family.empty(component))) for component in changed)

    def make(component: str, name: str, tensors: Sequence[Tensor], below: Tensor | None) -> Tensor:
        nonlocal done
        done = min(done + 1, total)
        progress(done, total)
        if len(tensors) == 1:
            found = tensors[0].float()
        else:
            found = _combined(how, blocks.of(component, name), tensors, below, f"{component}|{name}")
        layer = f"{component}|{name.removesuffix('.weight')}" if name.endswith(".weight") else ""
        for lora, strength in loras:
            if layer in lora:
                found = merged_weight(found, lora[layer], strength)
        return found

    for component in own:
        for model in (*models[1:], *([base] if base else [])):
            check_sizes(family, component, models[0], model)
    return {name: Merged(family, name, models if name in own else models[:1], base, make) for name in changed}


def _combined(how: How, block: str, tensors: Sequence[Tensor], base: Tensor | None, name: str) -> Tensor:
    shares = how.shares(block)
    if how.method in WITHOUT_SHARES:
        found = METHODS[how.method](tensors, base, how.mix, name)
        return found if shares[0] == 1 else torch.lerp(tensors[0].float(), found, shares[0])
    return METHODS[how.method](tensors, base, replace(how.mix, shares=shares), name)


def _holds(lora: Mapping[str, AdapterTensors], component: str) -> bool:
    return any(layer.startswith(f"{component}|") for layer in lora)
