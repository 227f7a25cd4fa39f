"""The folders of runs: a new one for a fresh run, the newest of its name for one that continues."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from modules.errors import UserError
from modules.preset.naming import run_name
from modules.preset.preset import Preset
from modules.system.bundled import at_home, is_bundled
from modules.trainer.backup import all_backups, newest_backup


def anchored(preset: Preset) -> Preset:
    """The same preset with absolute paths, so that the copy in the folder of the run means the same from everywhere."""

    def full(path: str) -> str:
        return path if not path or is_bundled(path) else str(Path(path).expanduser().absolute())

    general, model = preset.general, preset.model
    workspace = str(at_home(general.workspace))
    cache = str(at_home(general.cache) if general.cache else Path(workspace) / "cache")
    here = {
        name: full(value) for name in ("source", "vae") if Path(value := getattr(model, name)).expanduser().exists()
    }
    return preset.model_copy(
        update={
            "general": general.model_copy(update={"workspace": workspace, "cache": cache}),
            "model": model.model_copy(update={name: path for name, path in here.items() if path}),
            "concepts": tuple(c.model_copy(update={"path": full(c.path)}) for c in preset.concepts),
            "output": preset.output.model_copy(update={"path": full(preset.output.path)}),
        }
    )


def new_run_folder(preset: Preset) -> Path:
    """Make `<workspace>/<name>`, or `<name> 2` and so on where that is taken. Two runs at once get two folders.

    Raises:
        UserError: the workspace cannot be written.
    """
    for folder in _names(preset):
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(
                f"The folder {folder} cannot be made: {error.strerror or error}.",
                advice="Choose another general.workspace, or make room and give yourself the right to write there.",
            ) from error
        return folder
    raise AssertionError("names never end")


def folder_to_continue(preset: Preset, wanted: str) -> tuple[Path, Path]:
    """The folder of a run and its newest whole backup. `wanted`: a folder, or "newest" for the run of that name.

    Raises:
        UserError: there is no such run, or no backup of it is whole.
    """
    folders = [_run_called(preset, wanted)] if wanted != "newest" else list(reversed(_taken(preset)))
    for folder in folders:
        if backup := newest_backup(folder / "backups"):
            return folder, backup
    if not folders:
        raise UserError(
            f'There is no run named "{run_name(preset)}" in {preset.general.workspace} to continue.',
            advice="Start it without --resume, or name the folder of the run.",
        )
    damaged = len(all_backups(folders[0] / "backups"))
    found = f"all {damaged} backups of it are damaged" if damaged else "no backup was made"
    raise UserError(f"The run {folders[0]} cannot be continued: {found}.", advice="Start it anew without --resume.")


def _run_called(preset: Preset, wanted: str) -> Path:
    for folder in (Path(wanted).expanduser(), Path(preset.general.workspace) / wanted):
        if folder.is_dir() and folder.parent.name == "backups":
            raise UserError(
                f"{folder} is a backup; a run always continues its newest whole one.",
                advice=f"Give the folder of the run, {folder.parent.parent}. To go back, move its newer backups away.",
            )
        if folder.is_dir():
            return folder
    raise UserError(
        f"There is no run {wanted}, and none of that name in {preset.general.workspace}.",
        advice="Give the folder of a run, or only --resume for the newest run of this name.",
    )


def _taken(preset: Preset) -> list[Path]:
    taken: list[Path] = []
    for folder in _names(preset):
        if not folder.is_dir():
            return taken
        taken.append(folder)
    return taken


def _names(preset: Preset) -> Iterator[Path]:
    first = Path(preset.general.workspace) / run_name(preset)
    yield first
    number = 2
    while True:
        yield first.with_name(f"{first.name} {number}")
        number += 1


def check_writable(folder: Path) -> None:
    """Find out before hours of work whether files can be written to a folder, which may not exist yet.

    Raises:
        UserError: they cannot.
    """
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise UserError(f"Nothing can be written to {folder}.", advice="Choose another folder, or change its rights.")
