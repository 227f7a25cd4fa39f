"""What a run that is continued had come to: its newest whole backup, what was passed over, and what is done again."""

from __future__ import annotations

from pathlib import Path

from modules.errors import UserError
from modules.messages import Note
from modules.system.files import delete_drafts
from modules.trainer.backup import UnreadableBackup, step_of
from modules.trainer.run_folder.workspace import backups_to_continue, step_reached
from modules.trainer.step.learner import Learner


class ResumeState:
    """The folder of a run that was begun before."""

    def __init__(self, folder: Path) -> None:
        """To be made while the folder is held for this process.

        Raises:
            UserError: there are backups, and all of them are damaged.
        """
        delete_drafts(folder)
        self.folder, self.reached = folder, step_reached(folder)
        self._backups = backups_to_continue(folder)
        self._passed: list[str] = []
        self._unread: list[str] = []
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
                self._unread.append(str(error))
                self._next()
            else:
                return True
        raise UserError(
            f"The run {self.folder} cannot be continued: no backup of it can be read. {self._unread[0]}",
            advice="Start a new run, without --resume.",
        )

    def notes(self) -> list[Note]:
        """What whoever continues the run should know, in words: what was passed over, and what is lost."""
        notes = [Note(text, "warning") for text in (*self._passed, *self._unread)]
        again = self.reached - self.step
        if self.backup is None:
            reached = f" It had reached step {self.reached}." if self.reached else ""
            text = "This run has no backup yet: it starts again from the beginning, in the same folder."
            return [*notes, Note(text + reached, "warning")]
        if again > 0:
            steps = "1 step since then is" if again == 1 else f"{again} steps since then are"
            reached = f"the log reached step {self.reached}"
            notes.append(Note(f"Continued from the backup of step {self.step}; {steps} repeated ({reached})."))
        return notes
