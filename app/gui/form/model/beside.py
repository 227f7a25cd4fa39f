"""Choosing a denoiser's file fills the empty fields of its other components with what lies beside it."""

from __future__ import annotations

from pathlib import Path

from app.gui.context import AppContext
from app.gui.kit import Frame
from app.gui.session.model_files import files_of
from app.gui.session.worker import Worker
from app.gui.session.worker_poll import WorkerPoll
from modules.catalog import FamilyCard
from modules.errors import UserError
from modules.language import tr
from modules.system.bundled import resolve
from modules.system.headers.parts import found_beside

Found = tuple[str, dict[str, str]]  # the base model, and files by setting


class FoundBeside:
    """Looks when a person chooses another base model, while `page` is there. One undo takes all of it back."""

    def __init__(self, page: Frame, context: AppContext) -> None:
        self._context = context
        self._filled = dict[str, str]()
        self._folder: Path | None = None  # that a person has named
        self._looking = WorkerPoll[Found](page, self._fill)
        page.until_destroyed(context.draft.watch("model", self._changed))
        page.until_destroyed(self._looking.cancel)

    def note(self, name: str) -> str:
        """What the line of a component adds, if nobody typed its file."""
        path = f"model.{name}"
        mine = path in self._filled and self._context.draft.get(path) == self._filled[path]
        return tr(" · found beside the denoiser") if mine else ""

    def look_in(self, folder: Path) -> None:
        """Fill the empty fields with what lies in this folder."""
        self._look(folder)

    def _changed(self, paths: frozenset[str]) -> None:
        if "" in paths or self._context.draft.can_redo or not paths & {"model.source", "model.family"}:
            return  # another preset, or an undo: nobody chose a model
        if files_of(self._context).separate is not False:
            self._look(None)

    def _look(self, folder: Path | None) -> None:
        draft, card, self._folder = self._context.draft, files_of(self._context).card, folder
        source = str(draft.get("model.source"))
        lacking = [each for each in card.component_names if each != "denoiser" and not draft.get(f"model.{each}")]
        self._looking.cancel()
        if source and lacking and card.comes_in_parts:
            self._looking.start(Worker(lambda *_: _look(card, source, lacking, folder)))

    def _fill(self, found: Found) -> None:
        draft, (source, files) = self._context.draft, found
        changes = {path: file for path, file in files.items() if not draft.get(path)}
        if changes and draft.get("model.source") == source:
            self._filled |= {} if self._folder else changes
            draft.apply(changes, tr("Files beside the denoiser"))
        elif self._folder:
            self._context.notify(tr("Nothing in {folder} fits an empty field", folder=self._folder))


def _look(card: FamilyCard, source: str, lacking: list[str], folder: Path | None) -> Found:
    try:
        found = found_beside(card, resolve(source), lacking, folder)
    except UserError:
        found = {}
    return source, {f"model.{name}": str(file) for name, file in found.items()}
