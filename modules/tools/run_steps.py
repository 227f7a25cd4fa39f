"""What a run has to show for a step: the model that it saved there, or else its backup.

A tool takes "folder of a run" (its newest step) and "folder of a run:900" wherever it takes a model or a LoRA. A run of
the usual workspace is found by its name, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from modules.errors import UserError
from modules.merging.models import Place
from modules.preset.files.absolute_paths import with_absolute_paths
from modules.preset.preset import Preset
from modules.preset.sections.general import General
from modules.run_folders import all_backups, is_run, recorded_preset, step_of
from modules.system.bundled import in_program_folder
from modules.trainer.backup import damage_of
from modules.trainer.run_folder.own_files import OwnFiles

STEP = re.compile(r"(.+):(\d+)")
NAMED = re.compile(r".*-step-(\d{8,})")


@dataclass(frozen=True)
class RunStep:
    """A step of a run: the file or folder with the model, or the backup."""

    folder: Path
    step: int
    path: Path

    @property
    def is_backup(self) -> bool:
        return self.path.parent.name == "backups"


def place_of(text: str) -> Place:
    """Where the model lies that a person has named: a file, a folder, a hub name, or a step of a run.

    Raises:
        UserError: the run has nothing at that step, something damaged, or something that is no model.
    """
    step = run_step(text)
    if step is None:
        return Place(Path(text).name or text, text)
    name = f"{step.folder.name}:{step.step}"
    if not step.is_backup:
        return Place(name, str(step.path))
    if damage := damage_of(step.path):
        raise UserError("run-step.damaged", name=name, reason=damage)
    preset = _preset_of(step)
    if preset.method.kind != "full":
        raise UserError("run-step.no-model", name=name)
    return Place(name, preset.model.source, step.path / f"{_entry(preset)}.pt")


def file_of(text: str) -> Path:
    """The LoRA file that a person has named, by itself or as a step of a run.

    Raises:
        UserError: the run has saved none at that step.
    """
    step = run_step(text)
    if step is None:
        return Path(text).expanduser()
    if step.is_backup:
        raise UserError("run-step.backup-only", name=f"{step.folder.name}:{step.step}")
    return step.path


def run_step(text: str) -> RunStep | None:
    """The step that is meant, the newest where none is named; None: this is no run.

    Raises:
        UserError: the run has nothing at that step.
    """
    match = STEP.fullmatch(text.strip())
    name, wanted = (match[1], int(match[2])) if match else (text.strip(), -1)
    places = [Path(name).expanduser(), in_program_folder(str(General.model_fields["workspace"].default)) / name]
    folder = next((place for place in places if name and place.is_dir() and is_run(place)), None)
    if folder is None:
        return None
    found = steps_of(folder)
    if not found or wanted not in (-1, *found):
        raise UserError("run-step.none", name=folder.name, step=wanted, steps=list(found))
    return found[wanted if wanted >= 0 else max(found)]


def steps_of(folder: Path) -> Mapping[int, RunStep]:
    """All steps of a run that have something to show, rising; of those with both, the saved model."""
    backups = {step_of(path): path for path in all_backups(folder / "backups")}
    found = backups | dict(_saved(folder))
    return {step: RunStep(folder, step, found[step]) for step in sorted(found)}


def steps_with_weights(folder: Path) -> list[int]:
    """Those of a run that can be measured: of what trains beside a model a backup is none, its files are."""
    return [n for n, step in steps_of(folder).items() if not step.is_backup or _preset_of(step).method.kind == "full"]


def _saved(folder: Path) -> Iterator[tuple[int, Path]]:
    """The models of a run; the moving average beside a model is not the run's."""
    own = OwnFiles(folder, continued=True)
    for path in sorted((folder / "models").glob("*")):
        named = NAMED.fullmatch(path.name.removesuffix(".safetensors"))
        step = own.step_of(path) if own.step_of(path) >= 0 else int(named[1]) if named else -1
        if step >= 0 and not path.stem.endswith(("-ema", "-best")):
            yield step, path


def _preset_of(step: RunStep) -> Preset:
    preset = recorded_preset(step.path) or recorded_preset(step.folder)
    if preset is None:
        raise UserError("run-step.no-preset", name=step.folder.name)
    return with_absolute_paths(preset)


def _entry(preset: Preset) -> str:
    """What of a backup is the finished model: the average, where that is what the run saves."""
    training = preset.training
    return "ema" if training.ema and training.ema_save == "instead" else "method"
