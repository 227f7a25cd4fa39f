"""Which model a file of adapters was made for, where that is another one than the model at hand.

Layers tell it for certain: the file's are counted in every usual model, by their names and sizes. FLUX.1 and Chroma,
say, have many layers alike: what fits both is told by the file's metadata alone, and that may be wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from modules.catalog import FAMILIES, FamilyCard, Variant
from modules.catalog.contents import families_called
from modules.diffusion.noise_schedule import RectifiedFlow
from modules.errors import UserError
from modules.families import family_class
from modules.families.family import Family, LoadOptions
from modules.families.parts.lora_targets import layer_paths
from modules.families.parts.model_files import ModelFiles
from modules.families.parts.pipeline import DiffusersFamily
from modules.formats.adapter import AdapterTensors
from modules.formats.adapter_files import fitting_count, layer_count, left_out, read_adapter
from modules.formats.adapter_names import Spellings
from modules.sentences.problem import Fix, Problem, problem
from modules.system.headers.parts import BUNDLED
from modules.system.reading import read_json
from modules.system.weights import Shape, first_names, open_weights

TEXT_STARTS = ("lora_te", "text_encoder")  # of the names of text encoders' layers
FEW = 3  # so few layers that do not fit may be anyone's


def read_for(
    family: Family, path: Path, unread: list[str] | None = None, *, fixes: Sequence[Fix] = ()
) -> dict[str, AdapterTensors]:
    """The layers of a file that was made for this model; `unread` and `fixes` as `read_adapter` has them.

    Raises:
        UserError: as there; made for a model of another family or size.
    """
    missed: list[str] = []
    spellings, shapes = family.layer_spellings(), layer_shapes(family)
    try:
        found = read_adapter(path, spellings, missed)
    except UserError as error:
        if error.problem.code == "adapter.none":
            _refuse_other(family, path, spellings, shapes)
        raise
    wrong = next((name for name, update in found.items() if not update.fits(shapes[name])), "")
    if wrong or missed:
        _refuse_other(family, path, spellings, shapes)
    if wrong:
        update, layer = found[wrong], wrong.partition("|")[2]
        values: dict[str, Any] = {"title": update.title, "sizes": [*update.sizes().values()], "shape": shapes[wrong]}
        raise UserError("adapter.layer-size", file=path.name, layer=layer, **values)
    if missed and unread is None:
        return read_adapter(path, spellings, fixes=fixes)  # which refuses it
    if unread is not None:
        unread += missed
    return found


def layer_shapes(family: Family) -> Mapping[str, Shape]:
    """Of the weights of every layer that has a spelling, by "component|module path"."""
    assert isinstance(family, DiffusersFamily), "it has its components' empty modules"
    adapted = [(spec.name, family.empty(spec.name)) for spec in family.card.components if spec.kind != "vae"]
    return {
        f"{name}|{path}": tuple(module.get_submodule(path).get_parameter("weight").shape)
        for name, module in adapted
        for path in layer_paths(module)
    }


def reservations(family: Family, path: Path, unread: Sequence[str] | None = None) -> Iterator[Problem]:
    """What is to be said of a file that `read_for` has read: what was left out, and whether it is another family's."""
    if unread:
        yield left_out(path, unread)
    told = families_called(open_weights(path).metadata)
    if told and all(FAMILIES[name].module != family.card.module for name in told):
        yield problem("adapter.doubt", file=path.name, found=FAMILIES[told[0]].title, own=family.card.title)


def _refuse_other(family: Family, path: Path, spellings: Spellings, shapes: Mapping[str, Shape]) -> None:
    weights = open_weights(path)
    tensors = {name: torch.empty(shape, device="meta") for name, shape in weights.shapes.items()}
    count, own = layer_count(tensors), fitting_count(tensors, spellings, shapes)
    if count - own[0] <= FEW:
        return
    best, card, variant = _best_fit(tensors, count, weights.metadata)
    unsized = best[0] == 0  # no model of such sizes was published: names alone tell, and metadata before them
    if best[unsized] <= own[unsized]:
        return
    told = families_called(weights.metadata) if unsized else []
    card = FAMILIES[told[0]] if told else card
    if card.module != family.card.module:
        values: dict[str, Any] = {"count": count, "theirs": best[unsized], "ours": own[unsized]}
        raise UserError("adapter.other-model", file=path.name, found=card.title, own=family.card.title, **values)
    if not unsized:
        raise UserError("adapter.other-size", file=path.name, found=variant.title)


def _best_fit(
    tensors: Mapping[str, Tensor], count: int, metadata: Mapping[str, str]
) -> tuple[tuple[int, int], FamilyCard, Variant]:
    """How many layers fit the model that most of them fit and, among equals, that has the most by name."""
    found: list[tuple[tuple[int, int], FamilyCard, Variant]] = []
    for card, variant, model in _usual_models(metadata):
        found.append((fitting_count(tensors, model.layer_spellings(), layer_shapes(model)), card, variant))
        if found[-1][0][0] == count:
            break
    return max(found, key=lambda each: each[0])


def _usual_models(metadata: Mapping[str, str]) -> Iterator[tuple[FamilyCard, Variant, DiffusersFamily]]:
    """Every model whose config is known, as far as its denoiser's layers can be listed; what is told of, first."""
    told, seen = families_called(metadata), set[str]()
    for name in sorted(FAMILIES, key=lambda name: name not in told):
        card = FAMILIES[name]
        for variant in sorted(card.variants, key=lambda variant: len(variant.title)):
            model = usual_model(name, variant.kind)
            key = f"{name} {sorted(model.source.configs['denoiser'].items())}"
            if key not in seen:
                seen.add(key)
                yield card, variant, model


def usual_model(name: str, kind: str, text: Collection[str] = ()) -> DiffusersFamily:
    """A model without files, whose denoiser's layers can be listed; `text`: and those of these text encoders.

    `kind`: which of the bundled configs it has.
    """
    family = cast("type[DiffusersFamily]", family_class(name))
    specs = {part: family.card.component(part) for part in ("denoiser", *text, "vae")}
    configs = {part: read_json(BUNDLED / kind / spec.folder / "config.json") for part, spec in specs.items()}
    card = replace(family.card, components=tuple(spec for part, spec in specs.items() if part != "vae"))
    alone: Any = type(family.__name__, (family,), {"card": card})
    return alone(ModelFiles(Path(kind), configs, {}, {}, kind), LoadOptions(), RectifiedFlow())


def model_of(path: Path) -> DiffusersFamily:
    """The usual model that a file of adapters was made for, with the text encoders that can be trained.

    Raises:
        UserError: its layers are those of none.
    """
    weights = open_weights(path)
    told = families_called(weights.metadata)
    tensors = {name: torch.empty(shape, device="meta") for name, shape in weights.shapes.items()}
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(TEXT_STARTS)} or tensors
    count, best = layer_count(tensors), ((0, 0), "", "")
    for card, variant, model in _usual_models(weights.metadata):
        found = fitting_count(tensors, model.layer_spellings(), layer_shapes(model))
        name = next(name for name, each in FAMILIES.items() if each is card)
        best = max(best, (found, name, variant.kind), key=lambda each: each[0])
        if found[0] == count or (name in told and found[1] == count):
            break
    (_, known), name, kind = best
    if not known:
        raise UserError("adapter.none", file=path.name, names=first_names(weights.shapes))
    return usual_model(name, kind, [part for part in FAMILIES[name].trainable if part != "denoiser"])
