"""Writes models as diffusers reads them, and reads what was written.

Tensors are taken one at a time: from what the caller replaces, else from where the model came from. No part has to be
in memory, and none is held twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from modules.catalog import ComponentSpec, FamilyCard
from modules.data.text.tokenizer import read_json
from modules.families.parts import building, opening
from modules.families.parts.model_files import ModelFiles, folder_weights
from modules.system.files import staged
from modules.system.weights import PlannedTensor, Weights, open_weights, write_safetensors

PARTIAL = "seachange.partial"  # in the metadata of what holds trained weights only


@dataclass(frozen=True)
class SaveRequest:
    """What of a model goes into a file."""

    dtype: torch.dtype | None  # None: of each tensor its own
    parts: tuple[str, ...]
    tensors: Mapping[str, Mapping[str, Tensor]]  # instead of the model's own, by part and name; asked for one by one
    only_these: bool  # nothing but `tensors`

    def dtype_of(self, weights: Weights, name: str) -> torch.dtype:
        """What a tensor of numbers is written as."""
        return self.dtype or weights.dtype(name)

    @property
    def partial_mark(self) -> dict[str, str]:
        return {PARTIAL: "true"} if self.only_these else {}


class SavableModel(Protocol):
    """What is asked of a model to write it: a `DiffusersFamily`, as seen from here."""

    card: ClassVar[FamilyCard]
    source: ModelFiles

    def empty(self, name: str) -> nn.Module: ...
    def weights(self, name: str) -> Weights: ...
    def index(self) -> dict[str, Any]: ...
    def modelspec(self) -> dict[str, str]: ...
    def scheduler_config(self) -> dict[str, Any]: ...
    def write_tokenizer(self, encoder: str, folder: Path) -> None: ...
    def part_of_file(self, whole: Weights, path: Path, name: str) -> Weights | None: ...


def write_folder(model: SavableModel, target: Path, request: SaveRequest, metadata: Mapping[str, str]) -> None:
    """A diffusers folder. With all components it is a whole model; else only their sub-folders are written."""
    with staged(target) as folder:
        for name in request.parts:
            spec = model.card.component(name)
            inside = folder / spec.folder
            inside.mkdir()
            planned = planned_tensors(model, name, request)
            _write_json(inside / "config.json", _config(model, spec, planned))
            stem = "model" if spec.library == "transformers" else "diffusion_pytorch_model"
            write_safetensors(inside / f"{stem}.safetensors", planned, {"format": "pt"})
            if spec.reads_text:
                model.write_tokenizer(name, folder / spec.tokenizer)
        (folder / "scheduler").mkdir()
        _write_json(folder / "scheduler" / "scheduler_config.json", model.scheduler_config())
        if set(request.parts) == set(model.card.component_names) and not request.only_these:
            _write_json(folder / model.card.index_file, model.index())
        _write_json(folder / "metadata.json", {**model.modelspec(), **metadata, **request.partial_mark})


def planned_tensors(model: SavableModel, component: str, request: SaveRequest) -> dict[str, PlannedTensor]:
    """Every tensor of a component that goes in, under its name in files, to be read when its turn comes."""
    spec = model.card.component(component)
    if spec.is_copied and not request.tensors.get(component) and not request.only_these:
        return _copied(model.source.weights[component], request)
    module, weights, replaced = model.empty(component), model.weights(component), request.tensors.get(component, {})
    held = building.saved_tensors(module)
    unknown = replaced.keys() - held.keys()
    assert not unknown, f"{component} has no {', '.join(sorted(unknown))}"
    if request.only_these:
        held = {name: tensor for name, tensor in held.items() if name in replaced}
    shapes = {name: tuple(tensor.shape) for name, tensor in held.items()}
    kept = {building.file_name(name, module): shape for name, shape in shapes.items() if name not in replaced}
    building.check_present(kept, weights, f"{model.source.path} ({model.card.component(component).folder})")
    found: dict[str, PlannedTensor] = {}
    for name, shape in shapes.items():
        file = building.file_name(name, module)
        make = partial(replaced.__getitem__, name) if name in replaced else read_as(weights, file, shape)
        dtype = request.dtype_of(weights, file) if held[name].is_floating_point() else held[name].dtype
        found[file] = PlannedTensor(shape, dtype, make)
    return found


def _copied(weights: Weights, request: SaveRequest) -> dict[str, PlannedTensor]:
    """All that a file holds, under its own names."""
    return {
        name: PlannedTensor(shape, request.dtype_of(weights, name), read_as(weights, name, shape))
        for name, shape in weights.shapes.items()
    }


def read_as(weights: Weights, file: str, shape: tuple[int, ...]) -> Callable[[], Tensor]:
    """A tensor of a file in our shape, to be read later."""
    return lambda: weights.read(file).reshape(shape)


def _config(model: SavableModel, spec: ComponentSpec, planned: Mapping[str, PlannedTensor]) -> dict[str, Any]:
    config = {key: value for key, value in model.source.configs[spec.name].items() if key != "_name_or_path"}
    name = spec.class_path.partition(":")[2]
    if spec.library != "transformers":
        return {**config, "_class_name": name}
    classes = config.get("architectures") if spec.is_copied else None
    dtypes = {str(tensor.dtype).removeprefix("torch."): None for tensor in planned.values()}
    return {**config, "architectures": classes or [name], "dtype": next(iter(dtypes), "float32")}


def components_in(model: SavableModel, path: Path) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """What a file or folder that was saved holds, component by component, under the names of our modules.

    Raises:
        UserError: damaged, or of another model.
    """
    whole = open_weights(path) if path.is_file() else None
    partial = PARTIAL in (whole.metadata if whole else _folder_metadata(path))
    for spec in model.card.components:
        if whole is not None:
            weights = model.part_of_file(whole, path, spec.name)
        else:
            weights = _in_folder(path / spec.folder, spec, model)
        if weights is None:
            continue
        module = model.empty(spec.name)
        held = building.saved_tensors(module)
        names = {name: building.file_name(name, module) for name in held}
        if partial:
            names = {name: file for name, file in names.items() if file in weights.shapes}
        building.check_fit({file: tuple(held[name].shape) for name, file in names.items()}, weights, str(path))
        yield spec.name, {name: weights.read(file) for name, file in names.items()}


def _in_folder(folder: Path, spec: ComponentSpec, model: SavableModel) -> Weights | None:
    if not folder.is_dir():
        return None
    run = building.saved_tensors(model.empty(spec.name)) if spec.kind == "llm" else ()
    return opening.component_weights(folder_weights(folder), spec, run)


def _folder_metadata(folder: Path) -> dict[str, Any]:
    """What a folder says of itself."""
    path = folder / "metadata.json"
    return read_json(path) if path.is_file() else {}


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
