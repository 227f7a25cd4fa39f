"""LoRA files laid over a model for as long as samples are drawn. Every weight comes back bit for bit."""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from modules.errors import UserError
from modules.families import Family
from modules.families.parts.adapter_origin import read_for
from modules.formats.adapter import AdapterTensors, merged_weight
from modules.placement.frozen import Changed
from modules.placement.layers import is_packed, weight_of
from modules.preset.sections.sampling import Sampling
from modules.sentences.render import fix
from modules.system.bundled import resolve
from modules.system.reading import is_inside_name, look_at

ENDINGS = ("", ".safetensors", ".pt", ".ckpt", ".bin")
LoraFiles = tuple[tuple[Path, float], ...]  # files with their strengths


def lora_files_for(sampling: Sampling, tags: Sequence[tuple[str, float]] = ()) -> LoraFiles:
    """The files that a prompt is drawn with: those of the settings, then those that its own tags name.

    Raises:
        UserError: one of them is not there.
    """
    fixed = [(resolve(lora.path), lora.strength) for lora in sampling.loras if lora.enabled and lora.path]
    named = [(_find_in_folder(sampling.lora_folder, name), strength) for name, strength in tags]
    for path, _ in fixed:
        look_at(path)
        if not path.is_file():
            raise UserError("prompt.no-lora-file", file=path)
    return tuple((path, strength) for path, strength in [*fixed, *named] if strength)


def _find_in_folder(folder: str, name: str) -> Path:
    if not folder:
        raise UserError("prompt.no-lora-folder", name=name)
    if not is_inside_name(name):
        raise UserError("lora.leaves-folder", name=name)
    place = Path(folder).expanduser()
    if found := next((file for end in ENDINGS if (file := place / f"{name}{end}").is_file()), None):
        return found
    inside = next((file for file in sorted(place.rglob("*.safetensors")) if file.stem == name), None)
    if inside is None:
        raise UserError("prompt.no-lora", name=name, folder=place)
    return inside


@contextmanager
def with_loras(
    family: Family, lora_files: LoraFiles, parts: Collection[str], unread: dict[Path, list[str]] | None = None
) -> Generator[None]:
    """Add files to the weights of these parts while it lasts.

    What cannot be read of a file is named in `unread`; without it, such a file is refused.

    Raises:
        UserError: a file is damaged, or was made for another architecture.
    """
    originals: dict[str, Tensor | nn.Module] = {}
    skip = [fix("fix.skip-unread", {"sampling.skip_unread": True})]
    try:
        with torch.no_grad():
            for path, strength in lora_files:
                names = None if unread is None else unread.setdefault(path, [])
                if names:
                    names.clear()  # of an earlier reading
                for name, tensors in read_for(family, path, names, fixes=skip).items():
                    if name.partition("|")[0] in parts:
                        layer = _layer(family, name)
                        if not is_packed(layer) and layer.get_parameter("weight").is_meta:  # read block by block
                            if names is None:
                                raise UserError("adapter.streamed", file=path.name, layer=name, fixes=skip)
                            names.append(name)
                            continue
                        originals.setdefault(name, _original(layer))
                        add_update(layer, tensors, strength)
        yield
    finally:
        with torch.no_grad():
            for name, original in originals.items():
                _restore(_layer(family, name), original)


def add_update(layer: nn.Module, tensors: AdapterTensors, strength: float) -> None:
    """Change what a layer answers as a file says: its weight, or what a packed one is unpacked to."""
    held = weight_of(layer)
    tensors = tensors.to(held.device)
    if is_packed(layer):
        change = partial(merged_weight, update=tensors, scale=strength)
        layer.register_module("packed", Changed(held, change))
    else:
        weight = layer.get_parameter("weight")
        weight.copy_(merged_weight(weight, tensors, strength))


def _original(layer: nn.Module) -> Tensor | nn.Module:
    if is_packed(layer):
        return layer.get_submodule("packed")
    return layer.get_parameter("weight").detach().to("cpu", copy=True)


def _restore(layer: nn.Module, original: Tensor | nn.Module) -> None:
    if isinstance(original, Tensor):
        layer.get_parameter("weight").copy_(original)
    else:
        layer.register_module("packed", original)


def _layer(family: Family, name: str) -> nn.Module:
    component, _, path = name.partition("|")
    return family.component(component).get_submodule(path)
