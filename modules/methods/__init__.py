"""Training methods, one file each; every method works with every family."""

from importlib import import_module

from modules.families.family import Family
from modules.methods.method import Export, Group, Method
from modules.preset.preset import Preset

__all__ = ["METHODS", "Export", "Group", "Method", "attach"]

METHODS = {
    "full": "modules.methods.full:FullFineTune",
    "lora": "modules.methods.adapter:Adapter",
    "embedding": "modules.methods.inversion:TextualInversion",
}


def attach(family: Family, preset: Preset) -> Method:
    """The method that a preset picks, attached to the family; only its own file is imported."""
    module, name = METHODS[preset.method.kind].split(":")
    return getattr(import_module(module), name)(family, preset)
