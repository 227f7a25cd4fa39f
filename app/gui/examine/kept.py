"""Models that a person has picked out: copied beside the runs, where nothing prunes them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from app.gui.context import AppContext
from app.gui.grids.grid_draft import Place, ShownGrid
from app.gui.kit import Answer, ask
from app.gui.session.open_external import open_external
from app.gui.session.worker import Worker
from app.gui.session.worker_poll import WorkerPoll
from modules.errors import UserError
from modules.language import tr
from modules.preset.files.naming import folder_name
from modules.system.bundled import in_program_folder

FOLDER = "models"  # of the workspace


class KeptModels:
    """`keep(place)` copies the model that a cell was drawn with, or offers to take the copy away again."""

    def __init__(
        self, context: AppContext, grid: Callable[[], ShownGrid | None], changed: Callable[[], object]
    ) -> None:
        self._context, self._grid, self._changed = context, grid, changed
        self._known: dict[Path, bool] = {}
        self._copying: WorkerPoll[Path] = WorkerPoll(context.app, self._copied, self._failed)

    def close(self) -> None:
        self._copying.cancel()

    def file(self, place: Place) -> Path | None:
        """The model of a cell; None where it is the base."""
        grid = self._grid()
        cell = grid.places.get(place) if grid is not None else None
        return Path(cell.weights.file) if cell is not None and cell.weights.file else None

    def refusal(self, place: Place) -> str:
        """Why it cannot be kept; "" if it can."""
        file = self.file(place)
        if file is None:
            return tr("This is the base model.")
        if (file / "manifest.json").is_file():
            return tr("Of this step there is a backup only. It can be continued, and saved from there.")
        return ""

    def target(self, place: Place) -> Path | None:
        """Where the copy lies, or would lie."""
        file = self.file(place)
        if file is None or self.refusal(place):
            return None
        workspace = in_program_folder(str(self._context.draft.get("general.workspace")))
        run = next((path.parent.name for path in file.parents if path.name == "models"), "")
        stem = file.name.removesuffix(".safetensors")
        name = folder_name(stem if not run or stem.startswith(run) else f"{run} {stem}")
        return workspace / FOLDER / f"{name}{file.suffix if file.is_file() else ''}"

    def has(self, place: Place) -> bool:
        """Whether there is a copy. Asked for every cell that is drawn."""
        file = self.file(place)
        if file is None:
            return False
        if file not in self._known:
            target = self.target(place)
            self._known[file] = target is not None and target.exists()
        return self._known[file]

    def keep(self, place: Place) -> None:
        if reason := self.refusal(place):
            self._context.notify(reason)
            return
        file, target = self.file(place), self.target(place)
        if file is None or target is None or self._copying.busy:
            return
        if self.has(place):
            self._ask(target)
        else:
            self._copying.start(Worker(lambda report, stop: copied(file, target)))

    def _ask(self, target: Path) -> None:
        answers = [Answer(tr("Keep it")), Answer(tr("Delete the copy"), "delete", "danger", "trash-2")]
        words = tr("{name} in {folder} is deleted. The run keeps its own file.", name=target.name, folder=target.parent)
        if ask(self._context.app, tr("Delete the copy of this model?"), words, answers) == "delete":
            shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
            self._refresh()

    def _copied(self, target: Path) -> None:
        self._refresh()
        words = tr("Kept: {name}", name=target.name)
        self._context.notify(words, tr("Open folder"), lambda: open_external(target.parent), role="good")

    def _failed(self, error: UserError) -> None:
        self._context.notify(str(error), role="error")

    def _refresh(self) -> None:
        self._known.clear()
        self._changed()


def copied(file: Path, target: Path) -> Path:
    """Copy a file or a folder, whole or not at all.

    Raises:
        UserError: there is no room, or no way to write.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.is_dir():
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(file, part)
        else:
            shutil.copy2(file, part)
        part.replace(target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError("grid.not-written:model", file=target, reason=reason) from error
    return target
