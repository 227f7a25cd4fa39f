"""What the Start button has to ask: the newest run of this name, and how the settings of now differ from its own."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from app.gui.draft.preset_diff import Difference, rows_of
from app.gui.session.run_history import Run, Summary
from modules.data.source.kinds import source_of
from modules.preset.files.absolute_paths import with_absolute_paths
from modules.preset.files.changes import can_continue, changes_between, teaches_otherwise
from modules.preset.files.naming import run_name
from modules.preset.paths import Values
from modules.preset.preset import Preset
from modules.preset.validate import examine
from modules.run_folders import is_training, new_names, runs_named
from modules.system.bundled import is_bundled
from modules.system.hub import missing_model

LOOK_S = 0.4  # seconds for a look at the dates of the images


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """A run that can be continued, with its own settings or with those of now."""

    run: Run
    summary: Summary
    step: int  # of its newest backup
    steps: int  # that it was to do
    wanted: int  # that the settings of now ask for; 0: they count in epochs
    differences: list[Difference]
    otherwise: bool  # whether something else is learnt with the settings of now, or from other images
    images_changed: bool
    fits: bool  # whether the backup can be continued with the settings of now
    own_model: bool  # whether the base model of the run's own settings is there
    new_name: str  # of a new run

    @property
    def finished(self) -> bool:
        return self.summary.status == "finished" or self.step >= self.steps > 0

    @property
    def more(self) -> int:
        """Steps that are left by the settings of now; of a run that has done them all, a third of it again."""
        return self.wanted - self.step if self.wanted > self.step else max(self.step // 3, 1)


def earlier_run(values: Values) -> EarlierRun | None:
    """The newest run of the name that these values give theirs; None if it cannot be continued."""
    preset = with_absolute_paths(examine(values)[0])
    workspace, name = Path(preset.general.workspace), run_name(preset)
    run = next(map(Run, runs_named(workspace, name)), None)
    backups = run.backups() if run is not None else []
    if run is None or not backups or is_training(run.folder) or missing_model(preset.model.source):
        return None
    step, summary, own = backups[0][0], run.summary, run.preset
    changes = changes_between(own, preset) if own else {}
    changes.pop("training.steps" if summary.status == "finished" else "", None)  # it is asked how many more
    rows = rows_of(changes, own or preset, preset)
    images = _images_changed(preset, summary.when)
    return EarlierRun(
        run,
        summary,
        step,
        max(summary.steps, own.training.steps if own else 0),
        preset.training.steps,
        rows,
        images or own is None or teaches_otherwise({row.path: changes[row.path] for row in rows}),
        images,
        can_continue(changes),
        own is not None and not missing_model(own.model.source),
        next(new_names(workspace, name)),
    )


def trainings_elsewhere(workspace: Path, ours: Path | None) -> list[str]:
    """The runs of a workspace in which another process trains now."""
    try:
        folders = sorted(path for path in workspace.iterdir() if path != ours and is_training(path))
    except OSError:
        return []
    return [path.name for path in folders]


def _images_changed(preset: Preset, since: float) -> bool:
    """Whether a file of the concepts is newer than the run. What cannot be looked through in time has changed."""
    until = time.monotonic() + LOOK_S
    for number, concept in enumerate(preset.concepts):
        folder = source_of(concept, number).folder
        if not concept.enabled or is_bundled(concept.path):
            continue
        place = folder or Path(concept.path)
        for inside, _, files in os.walk(place):
            for path in (inside, *(os.path.join(inside, name) for name in files)):  # noqa: PTH118 - ten times as quick
                if time.monotonic() > until or _time_of(path) > since:
                    return True
            if not concept.subfolders:
                break
        if _time_of(place) > since:
            return True
    return False


def _time_of(path: str | Path) -> float:
    try:
        return os.stat(path).st_mtime  # noqa: PTH116 - as above
    except OSError:
        return 0.0
