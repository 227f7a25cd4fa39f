"""Opens what a user names as a model: finds out what it is, refuses what it is not, and says so in words."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from modules.catalog import ComponentSpec, FamilyCard
from modules.data.text.tokenizer import read_json
from modules.errors import UserError
from modules.families.family import LoadOptions
from modules.families.parts import building
from modules.families.parts.config_check import check_configs, check_supported
from modules.families.parts.model_files import ModelFiles, folder_weights, open_folder
from modules.system.bundled import resolve
from modules.system.hub import Wanted, download_model, missing_model
from modules.system.reading import look_at
from modules.system.weights import Weights


def open_model(
    name: str, card: FamilyCard, options: LoadOptions, open_file: Callable[[Path, Collection[str]], ModelFiles]
) -> ModelFiles:
    """A model by path or hub name.

    Raises:
        UserError: not found, damaged, of another architecture, or with code in it.
    """
    if not name.strip():
        raise UserError("model.none")
    replaced = ("vae",) if options.vae else ()
    own = tuple(spec.folder for spec in card.components if spec.name not in replaced)
    path = model_path(name, Wanted(own), options)
    files = open_folder(path, card, replaced) if path.is_dir() else open_file(path, replaced)
    check_configs(files.configs, card, files.path)
    check_supported(files.configs, card, files.path)
    return files


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


def component_weights(files: ModelFiles, spec: ComponentSpec) -> Weights:
    """The tensors of one component, under the names of diffusers folders."""
    weights = files.weights[spec.name]
    return building.renamed(weights, building.text_links(weights)) if spec.kind == "clip" else weights


def take_other_vae(
    files: ModelFiles,
    options: LoadOptions,
    card: FamilyCard,
    open_vae_file: Callable[[Path], tuple[Weights, dict[str, Any]]],
) -> None:
    """Put another VAE in the model's own place: a VAE's folder, a whole model's folder, or a file."""
    inside = card.component("vae").folder
    path = model_path(options.vae, Wanted((inside,), alone=True), options)
    if path.is_file():
        files.weights["vae"], usual = open_vae_file(path)
        files.configs.setdefault("vae", usual)
        return
    folder = path / inside if (path / inside).is_dir() else path
    files.configs["vae"] = read_json(folder / "config.json")
    check_configs({"vae": files.configs["vae"]}, card, path)
    check_supported({"vae": files.configs["vae"]}, card, path)
    files.weights["vae"] = folder_weights(folder)
