"""Training methods, one file each; every method works with every family."""

from importlib import import_module

from modules.families.family import Family
from modules.formats.adapter_files import check_kind
from modules.methods.combined import CombinedMethods
from modules.methods.method import Export, Group, Method
from modules.methods.training_adapters import TrainingAdapters, check_training_adapters
from modules.methods.update import read_start_file
from modules.preset.layer_selection import select_layers
from modules.preset.preset import Preset
from modules.preset.sections.method import ADAPTERS
from modules.preset.sections.method import Adapter as Settings

__all__ = [
    "METHODS",
    "Export",
    "Group",
    "Method",
    "attach",
    "check_layers",
    "check_start_file",
    "check_training_adapters",
]

METHODS = {
    "full": "modules.methods.full:FullFineTune",
    **dict.fromkeys(ADAPTERS, "modules.methods.adapter:Adapter"),
    "embedding": "modules.methods.textual_inversion:TextualInversion",
}
EMBEDDING = "embedding"  # what learns new words, alone or beside another method


def check_layers(family: Family, preset: Preset) -> None:
    """Find out whether `method.layers` picks something, before weights are read or images encoded.

    Raises:
        UserError: it matches nothing, or cannot be read.
    """
    layers: str = getattr(preset.method, "layers", "")  # not every method lets them be chosen
    if not layers or not preset.training.denoiser.train:
        return
    names = family.parameter_names("denoiser") if preset.method.kind == "full" else _adaptable(family)
    select_layers(names, layers, family.layer_groups)


def check_start_file(family: Family, preset: Preset) -> None:
    """Find out whether an adapter can go on from `method.start_from`, before weights are read or images encoded.

    Raises:
        UserError: the file is damaged, of another kind or for another model.
    """
    method = preset.method
    if not isinstance(method, Settings) or not method.start_from:
        return
    for name, tensors in read_start_file(family, method).items():
        check_kind(tensors, method.kind, name)


def _adaptable(family: Family) -> list[str]:
    """The modules of the denoiser that a LoRA can listen to."""
    return [name.partition("|")[2] for name in family.lora_names() if name.startswith("denoiser|")]


def attach(family: Family, preset: Preset) -> Method:
    """The method that a preset picks, with its new words, attached to the family; only what is needed is imported."""
    kinds = [preset.method.kind]
    if preset.words and EMBEDDING not in kinds:
        # Words first: the other method says last which parts are in training mode, and what is adapted or trained.
        kinds.insert(0, EMBEDDING)
    methods = [_class_of(kind)(family, preset) for kind in kinds]
    whole = methods[0] if len(methods) == 1 else CombinedMethods(methods[::-1])
    whole.training_adapters = TrainingAdapters(family, preset)
    return whole


def _class_of(kind: str) -> type[Method]:
    module, name = METHODS[kind].split(":")
    return getattr(import_module(module), name)
