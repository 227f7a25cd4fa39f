"""The user's own presets: rename, delete with a way back."""

from __future__ import annotations

from app.gui.context import AppContext
from app.gui.draft.preset_library import DeletedPreset
from app.gui.draft.preset_library import Entry as PresetEntry
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Answer, Button, Dialog, EmptyState, Entry, Frame, Label, ScrollArea, px
from modules.errors import UserError
from modules.language import tr

HIGH = 300


class OwnPresets(Dialog):
    """One line for each preset of the user."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(
            context.app,
            tr("Your presets"),
            tr("Rename or delete what you saved. What is deleted goes to a trash folder beside the presets."),
            (Answer(tr("Close"), kind="primary"),),
            width=560,
        )
        self._context = context
        self._area = ScrollArea(self.body)
        self._area.configure(height=px(HIGH))
        self._area.pack(fill="both", expand=True)
        self.note = Frame(self.body)
        self.note.pack(fill="x")
        self.fill()

    def fill(self) -> None:
        """The lines, as the folder is now."""
        self._area.body.clear()
        mine = [entry for entry in self._context.library.entries() if entry.own]
        if not mine:
            EmptyState(self._area.body, "bookmark", tr("You have not saved a preset yet.")).pack(fill="x")
        for entry in mine:
            self._line(entry)

    def _line(self, entry: PresetEntry) -> None:
        line = Frame(self._area.body)
        line.pack(fill="x", pady=px(2))
        name = Entry(line, entry.name, on_done=lambda text: self._rename(entry, text))
        name.inner.bind("<Return>", lambda _: "break", add="+")  # it renames, and does not press Close as well
        name.pack(side="left", fill="x", expand=True, padx=(0, px(8)))
        Button(
            line,
            "",
            lambda: self._delete(entry),
            kind="icon",
            image="trash-2",
            hint=tr("Delete “{name}”", name=entry.name),
        ).pack(side="left")

    def _rename(self, entry: PresetEntry, text: str) -> None:
        if text.strip() == entry.name or not entry.path.exists():
            return
        try:
            path = self._context.library.rename(entry, text)
        except UserError as error:
            self._say(error.text(WORDS), "error")
        else:
            self._say(tr("Renamed to “{name}”.", name=path.stem), "good")
        self.after_idle(self.fill)  # the line that asked is still being heard

    def _delete(self, entry: PresetEntry) -> None:
        try:
            gone = self._context.library.delete(entry)
        except (UserError, OSError) as error:
            self._say(error.text(WORDS) if isinstance(error, UserError) else str(error), "error")
            return
        self._say(tr("“{name}” is in the trash.", name=entry.name), "text2", gone)
        self.after_idle(self.fill)

    def _say(self, words: str, role: str, gone: DeletedPreset | None = None) -> None:
        self.note.clear()
        Label(self.note, words, role=role).pack(side="left", pady=px(6))
        if gone is not None:
            Button(self.note, tr("Restore"), lambda: self._bring_back(gone), kind="quiet", image="undo-2").pack(
                side="left", padx=px(10)
            )

    def _bring_back(self, gone: DeletedPreset) -> None:
        path = self._context.library.restore(gone)
        self._say(tr("“{name}” is restored.", name=path.stem), "good")
        self.after_idle(self.fill)
