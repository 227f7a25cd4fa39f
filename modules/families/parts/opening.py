"""Opens what a user names as a model: finds out what it is, refuses what it is not, and says so in words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Protocol

from modules.catalog import ComponentSpec, FamilyCard, component_label
from modules.catalog.contents import CONTENTS, family_of
from modules.data.text.tokenizer import Tokenizer, read_json
from modules.errors import UserError
from modules.families.family import LoadOptions
from modules.families.parts import building
from modules.families.parts.config_check import check_configs, check_supported
from modules.families.parts.model_files import ModelFiles, folder_weights, open_folder
from modules.formats.checkpoint import Link
from modules.sentences.problem import Problem, problem
from modules.system.bundled import resolve
from modules.system.headers.parts import BUNDLED, ENDINGS, Part, configured, family_of_model, read_part, wanted_parts
from modules.system.hub import Wanted, download_model, missing_model
from modules.system.reading import look_at
from modules.system.weights import Weights, open_weights

TOKENIZER_FILES = ("tokenizer.json", "spiece.model", "merges.txt")  # any of them is one


def open_model(
    name: str, card: FamilyCard, options: LoadOptions, open_file: Callable[[Path, Collection[str], str], ModelFiles]
) -> ModelFiles:
    """A model by path or hub name.

    Raises:
        UserError: not found, damaged, of another architecture, or with code in it.
    """
    if not name.strip():
        raise UserError("model.none")
    if options.variant not in ("auto", *card.variant_titles):
        raise UserError("model.no-variant", type=card.title, variant=options.variant, known=card.variant_titles)
    replaced = tuple(options.others)
    own = tuple(spec.folder for spec in card.components if spec.name not in replaced)
    path = model_path(name, Wanted(own), options)
    files = open_folder(path, card, replaced) if path.is_dir() else open_file(path, replaced, options.variant)
    _check_class(files, card)  # first: of another class, all of its configs would seem to be wrong
    check_configs(files.configs, card, files.path)
    check_supported(files.configs, card, files.path)
    return files


def open_present(name: str, family: type[OpensFiles], options: LoadOptions) -> ModelFiles:
    """What there is of a model, the denoiser at least: nothing is fetched for what a file lacks.

    Raises:
        UserError: not found, damaged, of another architecture, or with code in it.
    """
    card = family.card
    others = tuple(spec.name for spec in card.components if spec.name != "denoiser")
    path = model_path(name, Wanted(card.folders), options)
    files = open_folder(path, card, others) if path.is_dir() else family.open_file(path, others, options.variant)
    _check_class(files, card)
    check_configs(files.configs, card, files.path)
    check_supported(files.configs, card, files.path)
    for spec in card.components:
        if spec.kind == "vae" and spec.name not in files.configs:  # it tells how many channels latents have
            kind = files.kind or card.variants[0].kind
            files.configs[spec.name] = read_json(BUNDLED / kind / spec.folder / "config.json")
    return files


def _check_class(files: ModelFiles, card: FamilyCard) -> None:
    wanted = card.component("denoiser").class_path.partition(":")[2]
    found = files.configs["denoiser"].get("_class_name", wanted)
    if found != wanted:
        raise UserError("model.other-denoiser", file=files.path, found=found, type=card.title, wanted=wanted)


def model_path(name: str, wanted: Wanted, options: LoadOptions) -> Path:
    """The folder or file behind a path or a hub name. `wanted`: what is downloaded of a model that is not here."""
    path = resolve(name)
    look_at(path)
    if path.is_file() or path.is_dir():
        return path
    if path.exists():  # reading a pipe or a device may never end
        raise UserError("model.not-a-file", file=path)
    if missing := missing_model(name):
        raise UserError(missing)
    return download_model(name, wanted, offline=options.offline, report=options.report)


def told_family(path: Path) -> str:
    """The family that a file's tensors or a folder's index tell; "" if they do not."""
    if path.is_file():
        weights = open_weights(path)
        return family_of(weights.shapes, weights.metadata)
    with suppress(UserError, OSError, ValueError):
        return family_of_model(path)
    return ""


def component_weights(weights: Weights, spec: ComponentSpec, run: Collection[str] = ()) -> Weights:
    """The tensors of one component, under the names of diffusers folders. `run`: those of what is run of it."""
    if spec.kind == "clip":
        return building.renamed(weights, _clip_links(weights, spec))
    return building.renamed(weights, building.llm_links(weights, run)) if spec.kind == "llm" else weights


def _clip_links(weights: Weights, spec: ComponentSpec) -> dict[str, Link]:
    """Without what compares texts with images, which ComfyUI writes beside every CLIP."""
    unused = ["logit_scale"] if spec.class_path.endswith("Projection") else ["logit_scale", "text_projection"]
    starts = tuple(f"{before}{name}" for before in ("", "text_model.") for name in unused)
    return {name: link for name, link in building.text_links(weights).items() if not name.startswith(starts)}


class OpensFiles(Protocol):
    """A family, as far as a component of another place is put into its model."""

    card: ClassVar[FamilyCard]

    @classmethod
    def open_file(cls, path: Path, replaced: Collection[str] = (), variant: str = "auto") -> ModelFiles: ...
    @classmethod
    def open_component_file(cls, name: str, path: Path) -> tuple[Weights, dict[str, Any]]: ...


def take_other(files: ModelFiles, name: str, source: str, options: LoadOptions, family: type[OpensFiles]) -> None:
    """Put another VAE or text encoder in the model's own place: its folder, a whole model's folder, or a file.

    Raises:
        UserError: not found, damaged, or something else.
    """
    if name not in family.card.component_names:
        raise UserError("model.no-component", part=component_label(name), type=family.card.title)
    card, spec = family.card, family.card.component(name)
    path = files.places[name] = model_path(source, Wanted((spec.folder,), alone=True), options)
    if path.is_file():
        files.weights[name], usual = family.open_component_file(name, path)
        if path.suffix.lower() in ENDINGS:
            check_part(read_part(path, spec), spec, path, files, card)
        files.configs.setdefault(name, usual)
        _take_tokenizer(files, spec, (path.with_suffix(""), path.parent, path.parent.parent / spec.tokenizer))
        return
    folder = path / spec.folder if (path / spec.folder).is_dir() else path
    files.configs[name] = read_json(folder / "config.json")
    check_part(configured(spec, files.configs[name]), spec, path, files, card)
    check_configs({name: files.configs[name]}, card, path)
    check_supported({name: files.configs[name]}, card, path)
    files.weights[name] = folder_weights(folder)
    _take_tokenizer(files, spec, (folder, folder.parent / spec.tokenizer))


def _take_tokenizer(files: ModelFiles, spec: ComponentSpec, folders: Iterable[Path]) -> None:
    """What reads for another text encoder, if it lies in one of these folders."""
    for own in folders:
        if spec.reads_text and any((own / name).is_file() for name in TOKENIZER_FILES):
            files.tokenizers[spec.name] = Tokenizer.from_folder(own)
            break


def check_part(
    found: Part, spec: ComponentSpec, path: Path, files: ModelFiles, card: FamilyCard, code: str = "model.wrong-part"
) -> None:
    """Refuse a VAE or text encoder that this model was not made for: of another kind or size, or without all layers.

    Raises:
        UserError: naming what it is and what is wanted.
    """
    wanted = wanted_parts(card, spec, str(files.path), files.configs["denoiser"])
    if any(found.is_right(each) for each in wanted):
        if found.kind == "llm" and wanted[0].sees and not found.sees:
            files.notes.append(problem("model.text-part", file=path.name, found=found.name, wanted=wanted[0].name))
        return
    same = found.name == wanted[0].name
    where, part = path.name if path.is_file() else path, spec.title or component_label(spec.name)
    this, that = (_called(each, layers=same) for each in (found, wanted[0]))
    raise UserError(code, file=where, found=this, wanted=that, part=part, subject=spec.subject, type=card.title)


def _called(part: Part, *, layers: bool) -> Problem:
    """A component within a sentence; its layers count where all else is as it should be."""
    if part.kind == "vae" and part.channels:
        return problem("content.vae-video" if part.video else "content.vae-of", channels=part.channels)
    if part.kind == "vae" and part.video:
        return problem("content.vae-video-any")
    if not part.name or part.kind in ("vae", "conditioner"):
        return CONTENTS.get(part.kind, CONTENTS["unknown"])
    return problem("content.layers" if layers else "content.named", name=part.name, layers=part.layers)
