"""Model families, one file each. `family_class("sdxl")` imports that one file and no other."""

from importlib import import_module

from modules.catalog import FAMILIES
from modules.families.condition import Condition
from modules.families.family import Family, LoadOptions

__all__ = ["Condition", "Family", "LoadOptions", "family_class"]


def family_class(name: str) -> type[Family]:
    """The class behind a card of the catalog."""
    return import_module(FAMILIES[name].module).FAMILY
