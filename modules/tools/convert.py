"""Turn a model into another form: folder or single file, another precision, with trained parts or a LoRA put in."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from modules.errors import UserError
from modules.families import Family, LoadOptions
from modules.formats.adapter import merged_weight
from modules.formats.adapter_files import is_adapter, read_adapter
from modules.messages import ConvertModel, Note, Phase
from modules.system.devices import DTYPES
from modules.system.weights import open_weights
from modules.tools.models import open_model
from modules.trainer.preparation import Tell
from modules.trainer.run_folder.workspace import check_writable

Replaced = dict[str, dict[str, Tensor]]  # by part and name


def convert(job: ConvertModel, tell: Tell) -> str:
    """Write the model; gives the path of what came out.

    Raises:
        UserError: the model or the parts cannot be read, they do not fit together, or the target is taken.
    """
    target = Path(job.target)
    _check_target(target, job)
    tell(Phase("Opening the model"))
    # In fp32, so that a merge loses nothing that the last cast would have kept.
    family = open_model(job.source, job.family, LoadOptions())
    replacements = replacement_tensors(Path(job.parts), family) if job.parts else {}
    if job.parts and not replacements:
        raise UserError(
            f"{job.parts} holds no part of this model.", advice="Give trained parts or a LoRA (.safetensors)."
        )
    for component, tensors in replacements.items():
        tell(Note(f"{Path(job.parts).name} replaces {len(tensors)} tensors of {component}."))
    tell(Phase("Writing the model"))
    family.save(
        target,
        single_file=job.format == "single_file",
        dtype=DTYPES[job.dtype] if job.dtype else family.stored_dtype,
        parts=family.component_names,
        metadata=family.modelspec(),
        tensors=replacements,
    )
    return str(target)


def _check_target(target: Path, job: ConvertModel) -> None:
    single = job.format == "single_file"
    if single and target.suffix != ".safetensors":
        raise UserError(f"{target} is no name for a model file.", advice="Let it end with .safetensors.")
    if not single and target.suffix in (".safetensors", ".ckpt", ".pt"):
        raise UserError(f"{target} is no name for a folder.", advice=f"Leave out the {target.suffix}.")
    check_writable(target.parent)
    if not target.exists():
        return
    if not job.overwrite:
        raise UserError(f"{target} exists already.", advice="Choose another name, or add --overwrite.")
    if target.is_dir() == single:
        old, new = ("folder", "file") if single else ("file", "folder")
        raise UserError(
            f"{target} is a {old}, which a {new} cannot replace.", advice="Choose another name, or move it away."
        )


def replacement_tensors(path: Path, family: Family) -> Replaced:
    """The weights that a file of trained parts holds, or those that a LoRA makes of a model's.

    Raises:
        UserError: there is no such file, it is damaged, or it was made for another architecture.
    """
    if not path.exists():
        raise UserError(f"There is no file {path}.", advice="Give trained parts or a LoRA (.safetensors).")
    if path.is_file() and is_adapter(open_weights(path).shapes):
        return _merged_lora(path, family)
    return dict(family.components_in(path))


@torch.no_grad()
def _merged_lora(path: Path, family: Family) -> Replaced:
    merged: Replaced = {}
    for name, lora in read_adapter(path, family.lora_names()).items():
        component, _, module = name.partition("|")
        weight = family.component(component).get_submodule(module).get_parameter("weight")
        merged.setdefault(component, {})[f"{module}.weight"] = merged_weight(weight, lora)
    return merged
