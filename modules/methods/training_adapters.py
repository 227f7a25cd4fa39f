"""LoRA files under the model while it is trained: they make a distilled model trainable, as ai-toolkit does it.

They add to what a layer answers and leave its weight alone. So nothing has to be taken out again of what is saved, full
fine-tunes included, and samples are drawn without them. What is trained is compared with images, and with the base
model's own predictions ("prior"), under them; so is what validation measures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, cast

from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import _disable_current_modes  # pyright: ignore[reportPrivateUsage]

from modules.errors import UserError
from modules.families.family import Family
from modules.families.parts.adapter_origin import read_for, reservations
from modules.formats.adapter_files import layer_count
from modules.formats.lora import LoraTensors
from modules.placement.layers import weight_of
from modules.preset.preset import Preset
from modules.preset.sections.model import TrainingAdapter
from modules.sentences.problem import Problem, problem
from modules.system.bundled import resolve
from modules.system.reading import look_at, open_file
from modules.system.weights import first_names, open_weights

PATH = "model.training_adapters"


class TrainingAdapters:
    """The files of `model.training_adapters` on the denoiser of a family, until the context is left."""

    def __init__(self, family: Family, preset: Preset) -> None:
        """Raises a UserError as `check_training_adapters` does."""
        self._on, self._hooks, self._notes = True, list[Any](), list[Problem]()
        for adapter in used_adapters(preset):
            with _disable_current_modes():  # the check attaches where tensors have no numbers; a file's have
                layers, unread = _read(family, adapter)
            file = resolve(adapter.path)
            self._notes.append(problem("training-adapter.used", PATH, file=file.name, strength=adapter.strength))
            self._notes += [*_partly(file, layers, unread), *reservations(family, file)]
            for path, tensors in layers.items():
                layer = family.denoiser.get_submodule(path)
                self._hooks.append(layer.register_forward_hook(self._hook(layer, tensors, adapter.strength, family)))

    def _hook(self, layer: nn.Module, tensors: LoraTensors, strength: float, family: Family) -> Callable[..., Any]:
        weight, dtype = weight_of(layer), family.options.dtype
        ones = len(weight.shape) - 2  # a linear layer's may be that of a 1x1 convolution, and the other way round
        down = tensors.down.to(weight.device, dtype).reshape(-1, *weight.shape[1:])
        up = (
            tensors.up.float()
            .mul(tensors.scale * strength)
            .to(weight.device, dtype)
            .reshape(-1, len(down), *[1] * ones)
        )

        def add(_: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> Tensor:
            if not self._on:
                return out
            return out + _low_rank(layer, inputs[0].to(out.dtype), down.to(out.dtype), up.to(out.dtype))

        return add

    @contextmanager
    def off(self) -> Generator[None]:
        """The model as others will use it, for a while."""
        before, self._on = self._on, False
        try:
            yield
        finally:
            self._on = before

    def notes(self) -> Iterator[Problem]:
        """What lies under the model, for the log."""
        yield from self._notes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()


def _low_rank(layer: nn.Module, x: Tensor, down: Tensor, up: Tensor) -> Tensor:
    if isinstance(layer, nn.Conv2d):
        narrow = F.conv2d(x, down, None, layer.stride, layer.padding, layer.dilation)
        return F.conv2d(narrow, up)
    return F.linear(F.linear(x, down), up)


def used_adapters(preset: Preset) -> list[TrainingAdapter]:
    """The training adapters of a preset that do something."""
    return [each for each in preset.model.training_adapters if each.enabled and each.path and each.strength]


def check_training_adapters(family: Family, preset: Preset) -> None:
    """Find out whether the files can be used, before weights are read or images encoded.

    Raises:
        UserError: one is not there, damaged, no plain LoRA, or made for another model.
    """
    for adapter in used_adapters(preset):
        _read(family, adapter)


def adapters_key(preset: Preset) -> list[tuple[str, float]]:
    """What of them changes a prediction: for the cache."""
    found: list[tuple[str, float]] = []
    for adapter in used_adapters(preset):
        with open_file(resolve(adapter.path)) as file:
            found.append((hashlib.file_digest(cast("Any", file), "sha256").hexdigest(), adapter.strength))
    return found


def _read(family: Family, adapter: TrainingAdapter) -> tuple[dict[str, LoraTensors], list[str]]:
    """The layers of the denoiser that a file changes, by their paths; and what of it is left out."""
    path, unread = resolve(adapter.path), list[str]()
    look_at(path)
    if not path.is_file():
        raise UserError("training-adapter.not-there", PATH, file=path)
    found: dict[str, LoraTensors] = {}
    for name, tensors in read_for(family, path, unread).items():
        component, _, layer = name.partition("|")
        if component != "denoiser":
            unread.append(name)
        elif not isinstance(tensors, LoraTensors) or "mid" in tensors.values or tensors.dora_scale is not None:
            title = "DoRA" if tensors.dora_scale is not None else tensors.title
            raise UserError("training-adapter.kind", PATH, file=path.name, title=title)
        else:
            found[layer] = tensors
    if not found:
        raise UserError("training-adapter.no-denoiser", PATH, file=path.name)
    return found, unread


def _partly(file: Path, layers: Collection[str], unread: Sequence[str]) -> Iterator[Problem]:
    """How much of a file is used, where that is not all of it."""
    if unread:
        values: dict[str, Any] = {"used": len(layers), "count": layer_count(open_weights(file).shapes)}
        yield problem("training-adapter.partly", PATH, file=file.name, names=first_names(unread), **values)
