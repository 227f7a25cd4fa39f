"""The layers of a component that an adapter can change, and those that it is put on."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from modules.catalog import ComponentSpec


def lora_targets(module: nn.Module, spec: ComponentSpec) -> Iterator[str]:
    """Paths of the linear layers and convolutions that the catalog names, in the module's order."""
    return filter(spec.adapted_layers.fullmatch, layer_paths(module))


def layer_paths(module: nn.Module) -> Iterator[str]:
    """Paths of all linear layers and convolutions, in the module's order."""
    return (path for path, layer in module.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d))
