"""What a run that is continued had come to: its newest whole backup, what was passed over, and what is done again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from modules.errors import UserError
from modules.messages import Note, note
from modules.preset.files import store
from modules.preset.files.changes import Changes, changes_between
from modules.preset.paths import get
from modules.preset.preset import Preset
from modules.preset.validate import examine, shown_json
from modules.run_folders import BACKUP, step_of
from modules.sentences.problem import Problem, problem
from modules.system.files import delete_drafts, write_text
from modules.system.reading import read_bytes
from modules.trainer.backup import UnreadableBackup
from modules.trainer.preparation import WITHOUT_PLAN, without_plan
from modules.trainer.run_folder.workspace import backups_to_continue, memory_planned_for, step_reached
from modules.trainer.step.learner import Learner

# What says how much memory a run takes
PLANNED_FROM = (
    "model.", "method.", "words", "optimizer.kind", "training.batch_size", "training.resolution", "training.max_side",
    "training.weights", "training.ema", "training.gradient", "training.denoiser.train", "training.text",
)  # fmt: skip
LONGEST_VALUE = 60  # characters of a setting in a sentence


def written_by_runs(folder: Path) -> list[tuple[Path, str]]:
    """Where a run writes, and an expression for the names of the files and folders there."""
    models, name = folder / "models", re.escape(folder.name)
    words = [path for path in models.glob("*") if path.is_dir()] if models.is_dir() else []
    return [
        (folder, r"preset(?:-to-step-\d+)?\.json"),
        (folder / "backups", BACKUP.pattern),
        (folder / "samples", r"\d{6,} - .*\.png"),
        *((place, rf"{name}.*|.*\.safetensors") for place in (models, *words)),
    ]


def settings_notes(changes: Changes) -> list[Note]:
    """Each setting that is other than before, in one sentence."""
    told = [problem("resume.setting", path, old=_shown(old), new=_shown(new)) for path, (old, new) in changes.items()]
    return [note(problem("resume.other-settings", changes=told), level="warning")] if told else []


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else shown_json(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def _bytes_of(file: Path) -> bytes:
    try:
        return read_bytes(file)
    except OSError:
        return b""


class ResumeState:
    """The folder of a run that was begun before."""

    def __init__(self, folder: Path) -> None:
        """To be made while the folder is held for this process.

        Raises:
            UserError: there are backups, and all of them are damaged.
        """
        delete_drafts(written_by_runs(folder))
        self.folder, self.reached = folder, step_reached(folder)
        self._backups = backups_to_continue(folder)
        self._passed: list[Problem] = []
        self._unread: list[Problem] = []
        self.backup: Path | None = None
        self._next()

    @property
    def step(self) -> int:
        """Of the backup that is continued; 0 if none was made yet."""
        return step_of(self.backup) if self.backup else 0

    def _next(self) -> None:
        self.backup, self._passed = next(self._backups, (None, self._passed))

    def resume(self, learner: Learner) -> bool:
        """Give the learner what the newest backup holds that can be read; False if none was ever made.

        Raises:
            UserError: none can be read, or it was made with other settings.
        """
        if self.backup is None:
            return False
        while self.backup:
            try:
                learner.resume(self.backup)
            except UnreadableBackup as error:
                self._unread.append(error.problem)
                self._next()
            else:
                return True
        raise UserError("resume.unreadable", folder=self.folder, first=self._unread[0])

    def changes(self, preset: Preset) -> Changes:
        """The settings that are other than those up to the backup that is continued."""
        if self.backup is None:
            return {}
        try:
            return changes_between(examine(store.load(self.backup / "preset.json").values)[0], preset)
        except UserError:  # of a newer version, say
            return {}

    def planned(self, asked: Preset) -> dict[str, Any] | None:
        """What the run had decided where its settings leave it open; None where others of them ask for another plan."""
        try:
            recorded = examine(store.load((self.backup or self.folder) / "preset.json").values)[0]
        except UserError:
            return {}
        general = [(each.general.card_memory, each.general.prefer) for each in (recorded, asked)]
        if general[0] != general[1] or any(path.startswith(PLANNED_FROM) for path in changes_between(recorded, asked)):
            return None
        values = without_plan(recorded).model_dump(mode="json")
        return {path: get(values, path) for path in WITHOUT_PLAN}

    def planned_for(self) -> tuple[str, int]:
        """The card that its last plan was for ("": main memory), and its bytes that a run may take; 0: no plan."""
        return memory_planned_for(self.folder) or ("", 0)

    def record(self, asked: Preset) -> None:
        """Keep the settings as those of the run; what it had before stays beside them.

        Raises:
            OSError: the disk does not take them.
        """
        file, earlier = self.folder / "preset.json", self.folder / f"preset-to-step-{self.step:08d}.json"
        text = store.project_text(asked)
        if file.is_dir() or _bytes_of(file) == text.encode():
            return  # a folder is not ours; every backup holds the settings
        if file.is_file() and not earlier.exists():
            file.replace(earlier)
        write_text(file, text)

    def notes(self) -> list[Note]:
        """What whoever continues the run should know: what was passed over, and what is lost."""
        notes = [note(each, level="warning") for each in (*self._passed, *self._unread)]
        again = self.reached - self.step
        if self.backup is None:
            code = "resume.no-backup:reached" if self.reached else "resume.no-backup"
            return [*notes, note(problem(code, reached=self.reached), level="warning")]
        if again > 0:
            notes.append(note(problem("resume.repeated", step=self.step, count=again, reached=self.reached)))
        return notes
