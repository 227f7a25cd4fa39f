"""Presets on the command line: which file, and what options lay over it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, cast

from app.flags import absolute_if_exists
from modules.catalog import FAMILIES
from modules.errors import UserError
from modules.exchange.reading import refuse_foreign
from modules.messages import Train
from modules.preset.files import store
from modules.preset.files.set_option import apply_overrides, apply_valid_overrides
from modules.preset.paths import Values, put
from modules.preset.preset import Preset
from modules.preset.rules import rules
from modules.preset.sections.concept import IMAGE_FILES
from modules.system.bundled import ROOT, is_bundled
from modules.system.reading import look_at

Options = argparse.Namespace


def add_preset(command: argparse.ArgumentParser) -> None:
    """A preset or project, to train or encode."""
    command.add_argument(
        "preset", type=Path, metavar="PRESET|PROJECT", help="a file of settings, yours or one from the folder presets"
    )
    command.add_argument(
        "--concept",
        action="append",
        default=[],
        metavar="PATH",
        help="a folder of images to learn from, or an archive or list of them, instead of the file's; may be repeated",
    )
    command.add_argument("--workspace", type=Path, metavar="DIR", help="the folder that holds every run (workspace)")
    _add_set(command)


def add_run(command: argparse.ArgumentParser) -> None:
    """How a run is called, where it goes on, and whether it shares the card."""
    command.add_argument("--name", default="", metavar="RUN", help="name of the run, its folder and its files")
    share = "train although another run has the graphics card: both are slower then, or fail"
    command.add_argument("--share-card", action="store_true", help=share)
    command.add_argument(
        "--resume",
        nargs="?",
        const="newest",
        default="",
        metavar="RUN",
        help="continue the newest run of this name from its last backup, or the run in this folder",
    )


def run_of(options: Options) -> Train:
    """The run that the options ask for; every problem of the file and the options at once."""
    return Train(preset_values(options), options.resume, options.share_card)


def add_preset_or_model(command: argparse.ArgumentParser) -> None:
    """A preset, of which the model and the prompts count, or a model alone."""
    command.add_argument("model", metavar="PRESET|MODEL", help="a preset (.json), or a file, folder or hub name")
    names = ", ".join(f"{name}: {card.title}" for name, card in FAMILIES.items())
    command.add_argument("--family", choices=tuple(FAMILIES), help=f"type of the model (sd). {names}")
    _add_set(command)


def _add_set(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="change a setting, such as training.steps=1000; may be repeated (the command settings lists them)",
    )


def preset_values(options: Options, *, trains: bool = True) -> Values:
    """The values of the preset with the options over them; every problem of the file and the options at once.

    `trains`: whether they are to be trained with, which takes images.
    """
    path = _preset_path(options.preset)
    refuse_foreign(path)
    loaded = store.load(path)
    values, problems = loaded.values, list(loaded.problems)
    if options.concept:
        values["concepts"] = _concepts_with_folders(
            values.get("concepts"), [concept_path(folder) for folder in options.concept]
        )
        problems = [problem for problem in problems if not problem.path.startswith("concepts.")]
    if getattr(options, "workspace", None):
        put(values, "general.workspace", str(options.workspace.expanduser().absolute()))
    if getattr(options, "name", ""):
        put(values, "general.name", options.name)
    values, wrong = apply_valid_overrides(values, options.set)
    problems.extend(wrong)
    return _values_of(rules.validate(values, tuple(problems), trains=trains))


def _concepts_with_folders(given: Any, folders: list[str]) -> list[Values]:
    """A concept for each folder.

    What a preset describes without a folder (captions, repeats, a trigger word) is for them, in their order; the last
    description is for all that are left.
    """
    kept = [entry for entry in cast("list[Any]", given) if isinstance(entry, dict)] if isinstance(given, list) else []
    open_ones = [entry for entry in kept if not entry.get("path")] or [{}]
    return [{**open_ones[min(n, len(open_ones) - 1)], "path": folder} for n, folder in enumerate(folders)]


def _values_of(preset: Preset) -> Values:
    return preset.model_dump(mode="json")


def _preset_path(path: Path) -> Path:
    """The file as named from where the user stands, or one of those that came with Seachange."""
    path = path.expanduser()
    shipped = ROOT / path
    return shipped if not path.exists() and path.parts[:1] == ("presets",) and shipped.is_file() else path


def concept_path(folder: str) -> str:
    """The folder or file of images that was named from where the user stands, in full.

    Raises:
        UserError: it is not there, or no such file.
    """
    if is_bundled(folder):
        return folder
    if not folder.strip():  # which would be the folder where one stands
        raise UserError("option.no-concept")
    path = Path(folder).expanduser().absolute()
    look_at(path)
    if path.is_file() and path.suffix.lower() not in IMAGE_FILES:
        raise UserError("option.concept-file", concept=folder, folder=path)
    if not (path.is_dir() or path.is_file()):
        raise UserError("option.concept-missing", concept=folder, folder=path)
    return str(path)


def preset_or_model_values(options: Options) -> Values:
    """The values of the preset, or of none with this model, with the options over them."""
    is_preset = options.model.endswith(".json")
    loaded = (
        store.load(_preset_path(Path(options.model))) if is_preset else store.Loaded({"version": Preset.VERSION}, ())
    )
    values = loaded.values
    if not is_preset:
        put(values, "model.source", absolute_if_exists(options.model))
    if options.family:
        put(values, "model.family", options.family)
    preset = rules.validate(apply_overrides(values, options.set), loaded.problems, trains=False)
    if not preset.model.source:
        raise UserError("option.no-model", "model.source")
    return _values_of(preset)
