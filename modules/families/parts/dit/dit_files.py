"""A transformer and what goes with it in files of their own, as ComfyUI has them: opened, completed, written.

A file holds the denoiser alone, under its authors' names or diffusers', or a whole model with its parts behind
prefixes. What it lacks is named by the user, or fetched once from the repository of its variant.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from modules.catalog import FAMILIES, ComponentSpec, FamilyCard, Variant, component_label
from modules.catalog.contents import CONTENTS, ENCODERS, VAES, content_of, family_of, starts_in_models
from modules.data.text.tokenizer import Tokenizer, read_json
from modules.errors import UserError
from modules.families.family import LoadOptions
from modules.families.parts import building, opening
from modules.families.parts.model_files import ModelFiles, folder_weights
from modules.families.parts.saving import SavableModel, SaveRequest, planned_tensors
from modules.formats.checkpoint import Link, Renamed, planned
from modules.formats.layout import Layout
from modules.system.files import staged_file
from modules.system.headers.parts import is_like
from modules.system.hub import Wanted
from modules.system.weights import Shape, Weights, first_names, open_weights, write_safetensors

BUNDLED = Path(__file__).parents[4] / "resources" / "models"
EMBEDDED_CONFIG = "seachange."  # and a component's name: in metadata, where it is of another size than the bundled ones


def bundled_config(kind: str, spec: ComponentSpec) -> dict[str, Any]:
    """The facts of a component of a kind of model."""
    return read_json(BUNDLED / kind / spec.folder / "config.json")


def open_file(path: Path, card: FamilyCard, layout: Layout, chosen: str = "auto") -> ModelFiles:
    """A file with the denoiser, and whatever of the other components lies in it. `chosen`: its variant's title.

    Raises:
        UserError: damaged, or something else than a model of this family.
    """
    weights = open_weights(path)
    variant, config = _variant(weights, path, card, layout, chosen)
    scheduler = read_json(BUNDLED / variant.kind / "scheduler" / "scheduler_config.json")
    files = ModelFiles(
        path, {"denoiser": config, "scheduler": scheduler}, {}, {"denoiser": _denoiser(weights)}, variant.kind,
        metadata=weights.metadata, index=read_json(BUNDLED / variant.kind / "model_index.json"),
    )  # fmt: skip
    for other in card.components:
        if (inside := _part(weights, other)) is not None:
            files.weights[other.name] = inside
            config = fitted(bundled_config(variant.kind, other), other, inside)
            files.configs[other.name] = _embedded(weights, other, path) or config
    return files


def complete(files: ModelFiles, card: FamilyCard, options: LoadOptions) -> None:
    """Fetch what neither the file nor the user's settings brought: other components, and tokenizers.

    Raises:
        UserError: it cannot be fetched.
    """
    lacks = [spec for spec in card.components if spec.name not in files.weights and not files.omits(spec)]
    for spec in card.components:  # a CLIP of the user's: its vocabulary comes with Seachange
        if spec.kind == "clip" and spec not in lacks and spec.name not in files.tokenizers:
            files.tokenizers[spec.name] = Tokenizer.from_folder(BUNDLED / files.kind / spec.tokenizer, BUNDLED / "clip")
    there = [spec for spec in card.components if not files.omits(spec)]
    readers = [spec for spec in there if spec.reads_text and spec.name not in files.tokenizers]
    for spec in readers if not lacks else ():  # what a gated repository has, too
        if spec.tokenizer_repo:
            with suppress(UserError):
                wanted = Wanted((), tokenizer=True)
                folder = opening.model_path(spec.tokenizer_repo, wanted, options)
                files.tokenizers[spec.name] = Tokenizer.from_folder(folder)
    readers = [spec for spec in readers if spec.name not in files.tokenizers]
    if lacks or readers:
        _fetch(files, card, options, lacks, readers)


def _fetch(
    files: ModelFiles,
    card: FamilyCard,
    options: LoadOptions,
    lacks: Sequence[ComponentSpec],
    readers: Sequence[ComponentSpec],
) -> None:
    """What is missing, from the repository of the model's variant. `readers`: those that lack their tokenizers."""
    repo = next(variant.repo for variant in card.variants if variant.kind == files.kind)
    try:
        folder = opening.model_path(repo, Wanted(tuple(spec.folder for spec in lacks)), options)
    except UserError as error:
        parts = [spec.title or component_label(spec.name) for spec in lacks or readers]
        code = "model.lacks-parts" if lacks else "model.lacks-tokenizers"
        raise UserError(code, file=files.path.name, parts=parts, why=error.problem) from error
    for spec in lacks:
        files.places[spec.name] = folder
        files.configs[spec.name] = read_json(folder / spec.folder / "config.json")
        files.weights[spec.name] = folder_weights(folder / spec.folder)
    for spec in readers:
        files.tokenizers[spec.name] = Tokenizer.from_folder(folder / spec.tokenizer)


def fitted(config: dict[str, Any], spec: ComponentSpec, weights: Weights) -> dict[str, Any]:
    """The config of a text encoder with the sizes that its file has."""
    if spec.kind == "llm":
        named = building.renamed(weights, building.llm_links(weights, weights.shapes)).shapes
        text = config.get("text_config", config)
        sizes = _llm_sizes(named, text.get("head_dim") or text["hidden_size"] // text["num_attention_heads"])
        return config | ({"text_config": text | sizes} if "text_config" in config else sizes)
    return config | _t5_sizes(weights.shapes) if spec.kind == "t5" else config


def _llm_sizes(shapes: Mapping[str, Shape], usual_head: int) -> dict[str, Any]:
    layer = "layers.0.self_attn"
    needed = ("embed_tokens", "layers.0.mlp.gate_proj", f"{layer}.q_proj", f"{layer}.k_proj")
    if any(f"{each}.weight" not in shapes for each in needed):  # damaged
        return {}
    head = shapes.get(f"{layer}.q_norm.weight", (usual_head,))[0]
    numbers = {int(name.split(".")[1]) for name in shapes if name.startswith("layers.")}
    return {
        "vocab_size": shapes["embed_tokens.weight"][0], "hidden_size": shapes["embed_tokens.weight"][1],
        "num_hidden_layers": max(numbers) + 1, "head_dim": head,
        "intermediate_size": shapes["layers.0.mlp.gate_proj.weight"][0],
        "num_attention_heads": shapes[f"{layer}.q_proj.weight"][0] // head,
        "num_key_value_heads": shapes[f"{layer}.k_proj.weight"][0] // head,
    }  # fmt: skip


def _t5_sizes(shapes: Mapping[str, Shape]) -> dict[str, Any]:
    block = "encoder.block.0.layer"
    first = ("0.SelfAttention.relative_attention_bias", "0.SelfAttention.q", "1.DenseReluDense.wo")
    tables = shapes.keys() & {"shared.weight", "encoder.embed_tokens.weight"}
    if not tables or any(f"{block}.{each}.weight" not in shapes for each in first):
        return {}
    heads = shapes[f"{block}.0.SelfAttention.relative_attention_bias.weight"][1]
    table = shapes.get("shared.weight") or shapes["encoder.embed_tokens.weight"]
    numbers = {int(name.split(".")[2]) for name in shapes if name.startswith("encoder.block.")}
    return {
        "vocab_size": table[0], "d_model": table[1], "num_layers": max(numbers) + 1, "num_heads": heads,
        "d_kv": shapes[f"{block}.0.SelfAttention.q.weight"][0] // heads,
        "d_ff": shapes[f"{block}.1.DenseReluDense.wo.weight"][1],
    }  # fmt: skip


def open_component(card: FamilyCard, name: str, path: Path) -> tuple[Weights, dict[str, Any]]:
    """A VAE or text encoder in a file of its own or in a whole model's, and its config."""
    spec, weights = card.component(name), open_weights(path)
    inside = _part(weights, spec) if family_of(weights.shapes) else None
    weights = weights if inside is None else inside
    return weights, fitted(bundled_config(card.variants[0].kind, spec), spec, weights)


# What a file is -------------------------------------------------------------------------------------------------------


def _variant(
    weights: Weights, path: Path, card: FamilyCard, layout: Layout, chosen: str
) -> tuple[Variant, dict[str, Any]]:
    """Which model of the family it is, and the config of its denoiser."""
    spec = card.component("denoiser")
    only = [variant for variant in card.variants if variant.title == chosen]
    named = only or card.named_variants(path.name)
    inside = _denoiser(weights)
    told = family_of(inside.shapes, weights.metadata)
    if content_of(inside.shapes) != "dit" or (told and FAMILIES[told].module != card.module):
        raise other_model(weights, path, card)  # before a model of full size is put together to compare with
    if config := _embedded(weights, spec, path):
        return next(iter(named), card.variants[0]), config
    for variant in only or [*named, *card.variants]:
        config = bundled_config(variant.kind, spec)
        shapes, _ = building.tensor_shapes(spec, config)
        links = layout.links_of_file(inside.shapes, shapes)
        found = Renamed(inside, links).shapes
        if len(found) == len(shapes) and all(found[name] == shape for name, shape in shapes.items()):
            return variant, config
    if only:
        raise UserError("single-file.other-variant", file=path.name, variant=chosen)
    raise other_model(weights, path, card)


def _embedded(weights: Weights, spec: ComponentSpec, path: Path) -> dict[str, Any]:
    """The config of a component that stands in the metadata, if there is one."""
    try:
        return dict(json.loads(weights.metadata.get(EMBEDDED_CONFIG + spec.name, "{}")))
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError("single-file.metadata", file=path) from error


def other_model(weights: Weights, path: Path, card: FamilyCard) -> UserError:
    """A file that is not of this family, named for what it is."""
    family, content = family_of(weights.shapes, weights.metadata), content_of(weights.shapes)
    if family and FAMILIES[family].module != card.module:
        return UserError(
            "single-file.other-type", file=path.name, version=FAMILIES[family].title, wanted=FAMILIES[family].title
        )
    if family:
        return UserError("single-file.other-size", file=path.name, type=card.title)
    if content not in ("dit", "unknown"):
        return UserError("single-file.other-content", file=path.name, found=CONTENTS[content], type=card.title)
    return UserError("single-file.not-of-type", file=path.name, type=card.title, names=first_names(weights.shapes))


def _denoiser(weights: Weights) -> Weights:
    """A file without its other components, if it has any."""
    others = (ENCODERS, *VAES)
    if not any(name.startswith(others) for name in weights.shapes):
        return weights
    return Renamed(weights, {name: Link(name) for name in weights.shapes if not name.startswith(others)})


def _part(weights: Weights, spec: ComponentSpec) -> Weights | None:
    """A component that lies in a whole model's file behind its prefix."""
    for prefix in starts_in_models(spec):
        names = {name.removeprefix(prefix): Link(name) for name in weights.shapes if name.startswith(prefix)}
        if names:
            return Renamed(weights, names)
    return None


# Writing --------------------------------------------------------------------------------------------------------------


class SavableDit(SavableModel, Protocol):
    """What is asked of a `DitFamily` to write it."""

    def layout_of(self, name: str) -> Layout | None: ...


def write_single_file(model: SavableDit, target: Path, request: SaveRequest, metadata: Mapping[str, str]) -> None:
    """The denoiser under its authors' names, as ComfyUI reads it, with what such files hold beside it."""
    spec, prefix = model.card.component("denoiser"), model.card.file_prefix
    whole = replace(request, only_these=False)
    values = planned_tensors(model, spec.name, whole)
    shapes = {name: tensor.shape for name, tensor in values.items()}
    links = (model.layout_of("denoiser") or Layout()).links(shapes, prefix)
    if request.only_these:  # and what lies in one tensor with it
        wanted = {links[name].theirs for name in request.tensors.get("denoiser", {})}
        values = {name: tensor for name, tensor in values.items() if links[name].theirs in wanted}
    about = {**model.modelspec(), **metadata, **request.partial_mark, "format": "pt", **_unusual(model, spec)}
    written = planned(values, links)
    for other in model.card.components:
        if other.in_denoiser and not request.only_these:
            held = planned_tensors(model, other.name, whole)
            written |= {f"{prefix}{other.in_denoiser}{name}": tensor for name, tensor in held.items()}
            about |= _unusual(model, other)
    with staged_file(target) as draft:
        write_safetensors(draft, written, about)


def _unusual(model: SavableDit, spec: ComponentSpec) -> dict[str, str]:
    """As metadata the config of a component that is not like one of the bundled."""
    config = {key: value for key, value in model.source.configs[spec.name].items() if not key.startswith("_")}
    if any(is_like(config, bundled_config(variant.kind, spec)) for variant in model.card.variants):
        return {}
    return {EMBEDDED_CONFIG + spec.name: json.dumps(config)}


def part_of_file(model: SavableDit, whole: Weights, name: str) -> Weights | None:
    """What a file holds of a component, under our names; None where that is nothing."""
    spec = model.card.component(name)
    inside = _denoiser(whole) if name == "denoiser" else _part(whole, spec)
    layout = model.layout_of(name)
    if inside is None or layout is None:
        return inside
    shapes = {key: tuple(tensor.shape) for key, tensor in building.saved_tensors(model.empty(name)).items()}
    links = layout.links_of_file(inside.shapes, shapes)
    return building.renamed(inside, links) if links else None
