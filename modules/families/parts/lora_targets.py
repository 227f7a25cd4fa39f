"""Which layers of a component an adapter is put on."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from modules.catalog import ComponentSpec


def lora_targets(module: nn.Module, spec: ComponentSpec) -> Iterator[str]:
    """Paths of the linear layers and convolutions that the catalog names, in the module's order."""
    pattern = spec.adapted_layers
    for path, layer in module.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv2d) and pattern.fullmatch(path):
            yield path
