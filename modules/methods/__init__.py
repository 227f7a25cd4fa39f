"""Training methods, one file each; every method works with every family."""

from importlib import import_module

from modules.families.family import Family
from modules.methods.layers import chosen
from modules.methods.method import Export, Group, Method
from modules.preset.preset import Preset

__all__ = ["METHODS", "Export", "Group", "Method", "attach", "check_layers"]

METHODS = {
    "full": "modules.methods.full:FullFineTune",
    "lora": "modules.methods.adapter:Adapter",
    "embedding": "modules.methods.inversion:TextualInversion",
}


def check_layers(family: Family, preset: Preset) -> None:
    """Find out whether `method.layers` picks something, before weights are read or images encoded.

    Raises:
        UserError: it matches nothing, or cannot be read.
    """
    if preset.method.kind == "embedding" or not preset.training.denoiser.train:
        return
    names = family.parameter_names("denoiser") if preset.method.kind == "full" else _adaptable(family)
    chosen(names, preset.method.layers, family.layer_groups, what="layer")


def _adaptable(family: Family) -> list[str]:
    """The modules of the denoiser that a LoRA can listen to."""
    return [name.partition("|")[2] for name in family.lora_names() if name.startswith("denoiser|")]


def attach(family: Family, preset: Preset) -> Method:
    """The method that a preset picks, attached to the family; only its own file is imported."""
    module, name = METHODS[preset.method.kind].split(":")
    return getattr(import_module(module), name)(family, preset)
