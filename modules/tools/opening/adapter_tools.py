"""What the tools for LoRA files share: reading them, naming their layers, and writing the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from modules.catalog.card import LoraFormat
from modules.families import LoadOptions
from modules.families.parts.adapter_origin import model_of, read_for
from modules.families.parts.pipeline import DiffusersFamily
from modules.formats.adapter import AdapterTensors
from modules.formats.adapter_files import kohya_tensors, read_adapter
from modules.formats.adapter_names import Spellings
from modules.formats.hashes import with_hashes
from modules.formats.lora import LoraTensors, peft_tensors
from modules.formats.tensors import cast, write_tensors
from modules.merging.adapters import Lora, layers_in
from modules.merging.low_rank import Wanted
from modules.merging.models import Model, open_one
from modules.messages import note
from modules.sentences.problem import problem
from modules.system.devices import DTYPES
from modules.system.weights import open_weights
from modules.tools.run_steps import place_of
from modules.trainer.preparation import Tell

BUNDLED = "bundle_emb."  # before the names of embeddings that lie in the file


@dataclass(frozen=True)
class MadeFor:
    """The model that LoRA files were made for: one that was given, or the usual one."""

    family: DiffusersFamily
    base: Model | None = None

    @classmethod
    def of(cls, file: Path, base: str) -> MadeFor:
        """Raises a UserError where the base cannot be read, or the file is of no known model."""
        if not base:
            return cls(model_of(file))
        model, family = open_one(place_of(base), LoadOptions())
        return cls(family, model)

    def read(self, file: Path, unread: list[str] | None) -> dict[str, AdapterTensors]:
        """Its layers. Sizes are held against a model that was given; the usual one tells names only."""
        if self.base is not None:
            return read_for(self.family, file, unread)
        spellings: Spellings = self.family.layer_spellings()
        return read_adapter(file, spellings, unread)

    def layers(self, file: Path, form: LoraFormat, wanted: Wanted, unread: list[str] | None) -> Lora:
        return layers_in(self.read(file, unread), self.family, self.base, form, wanted)


def form_of(file: Path) -> LoraFormat:
    """In whose names a file is written."""
    names = open_weights(file).shapes
    if any(name.startswith(("lora_", "lycoris_")) for name in names):
        return "kohya"
    return "native" if any(name.startswith("diffusion_model.") for name in names) else "diffusers"


def embeddings_in(file: Path) -> dict[str, Tensor]:
    """The embeddings that lie in a LoRA file."""
    weights = open_weights(file)
    return {name: weights.read(name) for name in weights.shapes if name.startswith(BUNDLED)}


def tell_approximate(lora: Lora, file: Path, tell: Tell) -> None:
    """Say which layers are only nearly what they were."""
    if lora.approximate:
        kinds = ", ".join(sorted({*lora.approximate.values()}))
        tell(note(problem("adapters.approximate", file=file.name, kinds=kinds, count=len(lora.approximate))))


def write_lora(
    target: Path, layers: Mapping[str, LoraTensors], form: str, dtype: str, metadata: Mapping[str, str],
    beside: Mapping[str, Tensor], tell: Tell,
) -> str:  # fmt: skip
    """Write the layers under their names; gives the path."""
    write: Callable[..., dict[str, Tensor]] = kohya_tensors if form == "kohya" else peft_tensors
    embeddings = {name: cast(tensor, DTYPES[dtype], name) for name, tensor in beside.items()}
    tensors = {**write(layers, DTYPES[dtype]), **embeddings}
    sizes: dict[str, Any] = {"ss_network_dim": "Dynamic", "ss_network_alpha": "Dynamic"}
    write_tensors(target, tensors, with_hashes(tensors, {**metadata, **sizes}))
    tell(note(problem("extract.written", layers=len(layers), size=target.stat().st_size)))
    return str(target)
