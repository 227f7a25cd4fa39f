"""Opening a model for a tool, whatever its family, and putting on it what was trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from modules.catalog import FAMILIES
from modules.errors import UserError
from modules.families import Family, LoadOptions, family_class
from modules.families.parts.adapter_origin import read_for, reservations
from modules.families.parts.building import file_name
from modules.families.parts.opening import told_family
from modules.formats.adapter import AdapterTensors, merged_weight
from modules.formats.adapter_files import is_adapter
from modules.formats.embedding import read_bundle
from modules.formats.tensors import read_tensors
from modules.methods.textual_inversion import TokenTables
from modules.sentences.problem import Problem, problem
from modules.sentences.render import fix
from modules.system.weights import open_weights
from modules.trainer.preparation import model_location
from modules.trainer.run_folder.workspace import check_writable
from modules.trainer.sampling.lora_overlay import add_update

if TYPE_CHECKING:
    from modules.families.parts.pipeline import DiffusersFamily

SKIP = [fix("fix.skip-unread", {"skip_unread": True})]  # of the tools that put a LoRA on a model


def check_file(target: Path, *, overwrite: bool) -> None:
    """Find out whether a .safetensors file can be written there.

    Raises:
        UserError: another name is needed, something is there already, or the folder cannot be written to.
    """
    if target.suffix != ".safetensors":
        raise UserError("tool.file-name", file=target)
    check_writable(target.parent)
    if target.is_dir():
        raise UserError("tool.folder-for-file", file=target)
    if target.exists() and not overwrite:
        raise UserError("output.exists", file=target)


def check_target(target: Path, single: bool, *, overwrite: bool) -> None:
    """Find out whether a model can be written there, as a single file or as a folder.

    Raises:
        UserError: as `check_file`.
    """
    if single:
        check_file(target, overwrite=overwrite)
        return
    if target.suffix in (".safetensors", ".gguf", ".ckpt", ".pt"):
        raise UserError("tool.folder-name", file=target, ending=target.suffix)
    check_writable(target.parent)
    if target.is_file() and overwrite:
        raise UserError("tool.file-for-folder", file=target)
    if target.exists() and not overwrite:
        raise UserError("output.exists", file=target)


def open_model(source: str, guess: str, options: LoadOptions, *, sure: bool = False) -> Family:
    """Open a model as the family that it says it is, or else as the one it is guessed to be, or as any other.

    Args:
        sure: the guess is somebody's word: a model of another family is refused.

    Raises:
        UserError: it cannot be read, or is of no family that is known.
    """
    where = model_location(source)
    told = told_family(Path(where))
    if sure and told not in ("", guess):
        title = FAMILIES[told].title
        raise UserError("single-file.other-type", file=Path(where).name, version=title, wanted=title)
    known = [told or guess] if told or sure else sorted(FAMILIES, key=lambda name: name != guess)
    refused: list[UserError] = []
    for name in known:
        try:
            return family_class(name).load(where, options)
        except UserError as error:
            refused.append(error)
    raise refused[0]


def replacement_tensors(path: Path, family: Family, unread: list[str] | None = None) -> dict[str, Mapping[str, Tensor]]:
    """The weights that a file of trained parts holds, or those that a LoRA makes of a model's: by part and name.

    `unread`: as `read_for` has it.

    Raises:
        UserError: there is no such file, it is damaged, or it was made for another architecture.
    """
    if not path.exists():
        raise UserError("tool.no-parts-file", file=path)
    if path.is_file() and is_adapter(open_weights(path).shapes):
        return _merged_lora(path, family, unread)
    return dict(family.components_in(path))


def part_reservations(family: Family, parts: str, unread: Sequence[str] | None) -> Iterator[Problem]:
    """What is to be said of a file whose `replacement_tensors` were read."""
    if parts and Path(parts).is_file():
        yield from reservations(family, Path(parts), unread)


def narrowed(family: Family, dtype: torch.dtype | None) -> Iterator[Problem]:
    """What of a model loses digits when it is written as `dtype`: a note for each component."""
    for spec in family.card.components:
        weights = family.weights(spec.name)
        held = [weights.dtype(name) for name in weights.shapes]
        wide = [each for each in held if dtype and each.is_floating_point and _digits(each) < _digits(dtype)]
        if dtype and wide:
            names = " and ".join(sorted({*map(_name, wide)}))
            values: dict[str, Any] = {"part": spec.subject, "count": len(wide), "held": names, "dtype": _name(dtype)}
            yield problem("convert.narrowed", **values)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _digits(dtype: torch.dtype) -> float:
    return torch.finfo(dtype).eps


def _merged_lora(path: Path, family: Family, unread: list[str] | None) -> dict[str, Mapping[str, Tensor]]:
    layers: dict[str, dict[str, AdapterTensors]] = {}
    for name, lora in read_for(family, path, unread, fixes=SKIP).items():
        component, _, module = name.partition("|")
        layers.setdefault(component, {})[f"{module}.weight"] = lora
    return {component: _WithLora(family, component, updates) for component, updates in layers.items()}


class _WithLora(Mapping[str, Tensor]):
    """Weights of a component with a LoRA in them, in fp32: each is read when it is asked for."""

    def __init__(self, family: Family, component: str, updates: Mapping[str, AdapterTensors]) -> None:
        whole = cast("DiffusersFamily", family)
        self._weights, self._empty, self._updates = whole.weights(component), whole.empty(component), updates

    @torch.no_grad()
    def __getitem__(self, name: str) -> Tensor:
        update, shape = self._updates[name], self._empty.get_parameter(name).shape
        weight = self._weights.read(file_name(name, self._empty)).reshape(shape)
        return merged_weight(weight.float(), update)

    def __iter__(self) -> Iterator[str]:
        return iter(self._updates)

    def __len__(self) -> int:
        return len(self._updates)


def add_embeddings(family: Family, embeddings: Sequence[Path], loras: Sequence[Path]) -> list[str]:
    """Let prompts hold the words of embedding files, each called as its file is, and those inside LoRA files.

    Raises:
        UserError: a file is damaged, made for another model, or called as a word that the model knows.
    """
    bundles = {path: read_bundle(read_tensors(path), family.embedding_names, path) for path in loras}
    if not embeddings and not any(bundles.values()):
        return []
    vocabularies = TokenTables(family)
    words = {path.stem: vocabularies.read(path) for path in embeddings}
    for path, found in bundles.items():
        words |= {word: vocabularies.checked(rows, path) for word, rows in found.items() if word not in words}
    for word, rows in words.items():
        vocabularies.add(word, rows)
    return list(words)


@torch.no_grad()
def merge_lora(family: Family, lora: Path, unread: list[str] | None = None, strength: float = 1.0) -> int:
    """Add so much of a LoRA to the weights of a family, in memory; gives how many layers it changes.

    `unread`: see `read_for`.

    Raises:
        UserError: the file is damaged, or was made for another architecture.
    """
    layers = read_for(family, lora, unread, fixes=SKIP)
    for name, tensors in layers.items():
        component, _, path = name.partition("|")
        add_update(family.component(component).get_submodule(path), tensors, strength)
    return len(layers)
