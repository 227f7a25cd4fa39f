"""Models as merging sees them: tensors by component under the names of diffusers' folders, read one at a time.

Files and folders, single files of any layout, trained parts alone, and backups of full fine-tunes look the same here.
No module is filled and nothing is fetched for what a file lacks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from modules.catalog import FAMILIES
from modules.errors import UserError
from modules.families import LoadOptions, family_class
from modules.families.parts import building
from modules.families.parts.model_files import ModelFiles
from modules.families.parts.opening import open_present, told_family
from modules.families.parts.pipeline import DiffusersFamily
from modules.families.parts.saving import PARTIAL
from modules.formats.adapter_files import is_adapter
from modules.formats.checkpoint import Link, Renamed
from modules.system.bundled import resolve
from modules.system.weights import Weights, brief, first_names, open_weights


@dataclass(frozen=True)
class Place:
    """Where a model lies.

    `trained`: a file with weights that were trained, by "component|name", which lie over the model at `source`.
    """

    name: str  # in messages
    source: str  # a file, a folder or a hub name
    trained: Path | None = None


@dataclass(frozen=True)
class Model:
    """A model that is open. `family`: what writes one like it; None for trained parts alone."""

    name: str
    weights: Mapping[str, Weights]
    family: DiffusersFamily | None = None


def opened(places: Collection[Place], options: LoadOptions) -> list[Model]:
    """All of them, of one family.

    What the first lacks of components is taken from the next that has it.

    Raises:
        UserError: one cannot be read, is a LoRA, or they do not belong together.
    """
    found = [None if _is_partial(place) else _files(place, options) for place in places]
    whole = [(kind, files) for each in found if each for kind, files in [each]]
    if not whole:
        raise UserError("merging.only-parts", file=next(iter(places)).name)
    kind = whole[0][0]
    if other := next((other for other, _ in whole if other.card.module != kind.card.module), None):
        raise UserError("merging.families", one=kind.card.title, other=other.card.title)
    _complete(whole[0][1], [files for _, files in whole[1:]])
    families = [each and _family(*each, options) for each in found]
    if (first := families[0]) is None:
        raise UserError("merging.only-parts", file=next(iter(places)).name)
    return [_model(place, family, first) for place, family in zip(places, families, strict=True)]


def open_one(place: Place, options: LoadOptions) -> tuple[Model, DiffusersFamily]:
    """A model that is whole.

    Raises:
        UserError: as `opened`.
    """
    (model,) = opened([place], options)
    assert model.family is not None
    return model, model.family


def _is_partial(place: Place) -> bool:
    path = resolve(place.source)
    if not path.is_file() or place.trained:
        return False
    weights = open_weights(path)
    if is_adapter(weights.shapes):
        raise UserError("merging.lora", file=path.name)
    return PARTIAL in weights.metadata


def _files(place: Place, options: LoadOptions) -> tuple[type[DiffusersFamily], ModelFiles]:
    path = resolve(place.source)
    told = told_family(path)
    refused: list[UserError] = []
    for name in [told] if told else FAMILIES:
        kind = cast("type[DiffusersFamily]", family_class(name))
        try:
            files = open_present(place.source, kind, options)
            kind.check(files)
        except UserError as error:
            refused.append(error)
        else:
            return kind, files
    raise refused[0]


def _complete(files: ModelFiles, others: Collection[ModelFiles]) -> None:
    """Give a model the components that it lacks and another has."""
    for other in others:
        for name in other.weights.keys() - files.weights.keys():
            files.weights[name], files.configs[name] = other.weights[name], other.configs[name]
            files.places[name] = other.places.get(name, other.path)
            if name in other.tokenizers:
                files.tokenizers[name] = other.tokenizers[name]


def _family(kind: type[DiffusersFamily], files: ModelFiles, options: LoadOptions) -> DiffusersFamily:
    absent = [name for name in kind.card.component_names if name not in files.weights]
    if absent:
        narrowed: Any = type(kind.__name__, (kind,), {"card": kind.card.without(absent)})
        kind = narrowed
    family = kind.load_files(files, options)
    family.model_name = str(files.path)
    return family


def _model(place: Place, family: DiffusersFamily | None, first: DiffusersFamily) -> Model:
    if family is None:
        path = resolve(place.source)
        whole = open_weights(path)
        parts = {name: first.part_of_file(whole, path, name) for name in first.component_names}
        held = {name: weights for name, weights in parts.items() if weights is not None and weights.shapes}
        if not held:
            raise UserError("tool.no-part", file=path)
        return Model(place.name, held)
    weights = {name: family.weights(name) for name in family.component_names}
    if place.trained:
        weights = _with_trained(weights, family, place.trained)
    return Model(place.name, weights, family)


def _with_trained(weights: Mapping[str, Weights], family: DiffusersFamily, file: Path) -> dict[str, Weights]:
    trained = open_weights(file)
    links: dict[str, dict[str, Link]] = {}
    for name in trained.shapes:
        component, _, path = name.partition("|")
        if component not in weights:
            raise UserError("merging.other-backup", file=file, names=first_names([name]))
        links.setdefault(component, {})[building.file_name(path, family.empty(component))] = Link(name)
    return {name: Over(below, Renamed(trained, links.get(name, {}))) for name, below in weights.items()}


class Over(Weights):
    """Tensors in the place of another's of the same names."""

    def __init__(self, below: Weights, above: Weights) -> None:
        self._below, self._above = below, above
        self.shapes, self.metadata = {**below.shapes, **above.shapes}, below.metadata

    def read(self, name: str, scratch: Tensor | None = None) -> Tensor:
        return self._of(name).read(name, scratch)

    def dtype(self, name: str) -> torch.dtype:
        return self._of(name).dtype(name)

    def _of(self, name: str) -> Weights:
        return self._above if name in self._above.shapes else self._below

    @property
    def files(self) -> tuple[Path, ...]:
        return (*self._below.files, *self._above.files)


def checked(weights: Weights, name: str, model: str) -> Tensor:
    """A tensor in fp32; one that is not of numbers with a point as it is.

    Raises:
        UserError: it holds NaN or infinite numbers.
    """
    tensor = finite(weights, name, model)
    return tensor.float() if tensor.is_floating_point() else tensor


def finite(weights: Weights, name: str, model: str, scratch: Tensor | None = None) -> Tensor:
    """A tensor as it is stored; with `scratch` (bytes) it may lie there.

    Raises:
        UserError: it holds NaN or infinite numbers.
    """
    tensor = weights.read(name, scratch)
    if tensor.is_floating_point() and tensor.numel():
        low, high = (tensor.float() if tensor.itemsize == 1 else tensor).aminmax()
        if not bool((low.float() + high.float()).isfinite()):
            raise UserError("merging.nan", name=brief(name), file=model)
    return tensor


def room_for(weights: Weights, names: Iterable[str]) -> Tensor:
    """Bytes for the largest of some tensors: memory that is asked of the system anew costs more than the reading."""
    there = [name for name in names if name in weights.shapes]
    sizes = (torch.Size(weights.shapes[name]).numel() * weights.dtype(name).itemsize for name in there)
    return torch.empty(max(sizes, default=0), dtype=torch.uint8)


def check_sizes(family: DiffusersFamily, component: str, first: Model, other: Model) -> None:
    """Find out whether tensors of a component can be put together.

    Raises:
        UserError: some have other sizes.
    """
    one, two = (model.weights[component].shapes if component in model.weights else {} for model in (first, other))
    if wrong := [name for name in one if prod(one[name]) != prod(two.get(name, one[name]))]:
        part = family.card.component(component).subject
        raise UserError("merging.shapes", part=part, names=first_names(wrong))


def common(models: Collection[Model], component: str) -> Iterator[str]:
    """The names of tensors of numbers that all of these have of a component."""
    first, *others = [model.weights[component] for model in models]
    for name in first.shapes:
        if first.dtype(name).is_floating_point and all(name in other.shapes for other in others):
            yield name
