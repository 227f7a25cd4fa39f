"""The head of the card "Files": one field for the whole model, or one for each of its components."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.form.model.beside import FoundBeside
from app.gui.kit import Flow, Label, LinkButton, Option, Segmented
from app.gui.session.model_files import Judged, files_of, path_of
from modules.language import plural, tr
from modules.system.headers.parts import ENDINGS


class FilesHead(Flow):
    """Two segments, how many components were found, and a way to look for them elsewhere.

    Args:
        changed: called when other fields are to be seen than before.
    """

    def __init__(self, master: Any, context: AppContext, beside: FoundBeside, changed: Callable[[], object]) -> None:
        super().__init__(master)
        self._context, self._files, self._beside, self._changed = context, files_of(context), beside, changed
        options = [Option(False, tr("One file, folder or hub name")), Option(True, tr("Separate files"))]
        self.segments = Segmented(self, options, None, self.choose)
        self._found = Label(self, font="small", role="text2")
        self._look = LinkButton(self, tr("Look in another folder"), self._ask)
        self.add(self.segments, self._found, self._look)
        self.until_destroyed(self._files.listen(self.refresh), context.draft.watch("model", lambda _: self.refresh()))
        self.refresh()

    def choose(self, separate: bool) -> None:
        """Files of components are taken out of the settings with their fields, and put back when those are back."""
        files, draft = self._files, self._context.draft
        files.separate = separate
        paths = [path_of(name) for name in files.card.component_names if name != "denoiser"]
        if separate:
            changes = {path: kept for path in paths if (kept := files.set_aside.get(path)) and not draft.get(path)}
        else:
            files.set_aside |= {path: draft.get(path) for path in paths if draft.get(path)}
            changes = dict.fromkeys((path for path in paths if draft.get(path)), "")
        if changes:
            draft.apply(changes, tr("Separate files") if separate else tr("One file, folder or hub name"))
        self.refresh()
        self._changed()

    def refresh(self) -> None:
        separate = is_separate(self._context)
        self.segments.set(separate)
        counted = separate and self._files.card.comes_in_parts
        words, role = self._count() if counted else ("", "text2")
        self._found.set(words, role)
        for control in (self._found, self._look):
            self.show(control, counted)

    def _count(self) -> tuple[str, str]:
        draft, files = self._context.draft, self._files
        names, errors = files.card.component_names, draft.errors()
        if wrong := sum(path_of(name) in errors for name in names):
            return plural(
                wrong, "1 of {all} parts is wrong", "{count} of {all} parts are wrong", all=len(names)
            ), "error"
        inside = (files.of("denoiser") or Judged()).part
        found = sum(bool(draft.get(path_of(name)) or (inside and name in inside.inside)) for name in names)
        return tr("{count} of {all} parts found", count=found, all=len(names)), "text2"

    def _ask(self) -> None:
        source = str(self._context.draft.get("model.source"))
        start = Path(source).expanduser().parent if source else None
        if folder := self._context.app.ask_folder(tr("Choose a folder"), start):
            self._beside.look_in(folder)


def is_separate(context: AppContext) -> bool:
    """Whether each component has a field: one that is filled is always seen."""
    draft, files = context.draft, files_of(context)
    if any(draft.get(path_of(name)) for name in files.card.component_names if name != "denoiser"):
        return True
    source = str(draft.get("model.source"))
    usual = files.card.comes_in_parts and source.lower().endswith(ENDINGS)
    return usual if files.separate is None else files.separate
